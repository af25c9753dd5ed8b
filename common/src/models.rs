//! Models of what threads share, for shuttle: `RUSTFLAGS="--cfg shuttle" cargo test -p anyloop-common --lib models`.

mod group;
mod later;

use std::sync::Arc;

use shuttle::sync::atomic::{AtomicUsize, Ordering};
use shuttle::thread;

use crate::later::Answer;
use crate::mailbox::{Mail, MailboxLimit};
use crate::sync::waker_of_this_thread;
use crate::{Cell, MailboxFull, Marks, SendError, WakeQueue};

/// Tries this number of interleavings.
const ITERATIONS: usize = 20_000;

fn explore(model: impl Fn() + Send + Sync + 'static) {
    shuttle::check_random(model, ITERATIONS);
}

/// Pushes as [`Handle::send`](crate::Handle::send) does.
fn push(cell: &Cell, full: MailboxFull) -> Result<(), SendError> {
    let (pushed, wakeup) = cell.push((&b"x"[..]).into(), MailboxLimit::new(140, full));
    wakeup.wake();
    pushed
}

/// A thread that waits for marks misses none: otherwise the model never ends, which shuttle reports.
#[test]
fn a_waiting_thread_misses_no_mark() {
    explore(|| {
        let cell = Arc::new(Cell::default());
        let all = [Marks::EXPIRED, Marks::STOPPING, Marks::CUT];
        for mark in all {
            let cell = Arc::clone(&cell);
            thread::spawn(move || cell.mark(mark));
        }
        let waker = waker_of_this_thread();
        let mut seen = Marks::NONE;
        while !all.iter().all(|&mark| seen.contains(mark)) {
            cell.register(&waker);
            match cell.take_marks() {
                Marks::NONE => thread::park(),
                marks => seen = seen | marks,
            }
        }
    });
}

/// A worker with a queue misses no mark, whether it is set before the slot is registered, meanwhile or afterwards.
#[test]
fn a_worker_with_a_queue_misses_no_mark() {
    explore(|| {
        let cells = [(); 2].map(|()| Arc::new(Cell::default()));
        for cell in &cells {
            for mark in [Marks::EXPIRED, Marks::CUT] {
                let cell = Arc::clone(cell);
                thread::spawn(move || cell.mark(mark));
            }
        }
        let queue = WakeQueue::new(waker_of_this_thread());
        cells.iter().enumerate().for_each(|(slot, cell)| cell.register_slot(&queue, slot));
        let mut seen = [Marks::NONE; 2];
        while seen != [Marks::EXPIRED | Marks::CUT; 2] {
            let slots: Vec<_> = queue.take().collect();
            if slots.is_empty() {
                thread::park();
            }
            for slot in slots {
                seen[slot] = seen[slot] | cells[slot].take_marks();
            }
        }
    });
}

/// Each push is delivered, dropped or refused, also those that race the end of the conversation.
#[test]
fn each_push_is_counted_once() {
    for full in [MailboxFull::Close, MailboxFull::Refuse, MailboxFull::DropOldest] {
        explore(move || {
            let cell = Arc::new(Cell::default());
            let accepted = Arc::new(AtomicUsize::new(0));
            let senders = [(); 2].map(|()| {
                let (cell, accepted) = (Arc::clone(&cell), Arc::clone(&accepted));
                thread::spawn(move || {
                    for _ in 0..2 {
                        accepted.fetch_add(usize::from(push(&cell, full).is_ok()), Ordering::SeqCst);
                    }
                })
            });
            let mut delivered = 0;
            for _ in 0..3 {
                delivered += u64::from(matches!(cell.next_mail(), Some(Mail::Push(_))));
            }
            cell.leave();
            senders.into_iter().for_each(|sender| sender.join().unwrap());
            let counts = cell.push_counts();
            assert_eq!(counts.pushed, counts.delivered + counts.dropped + counts.refused, "{counts:?}");
            assert_eq!(counts.delivered, delivered, "{counts:?}");
            assert_eq!(counts.pushed - counts.refused, accepted.load(Ordering::SeqCst) as u64, "{counts:?}");
            assert_eq!(push(&cell, full), Err(SendError::Gone));
        });
    }
}

/// Of an answer and its timeout one wins, and an answer that was accepted wakes the owner, which finds it.
#[test]
fn an_answer_is_delivered_or_too_late() {
    explore(|| {
        let cell = Arc::new(Cell::default());
        assert!(cell.await_answer());
        let other = Arc::clone(&cell);
        let answering = thread::spawn(move || other.answer(Some(Answer::Reply(Vec::new()))).is_ok());
        cell.register(&waker_of_this_thread());
        let revoked = cell.revoke_answer();
        while !revoked && cell.take_marks() == Marks::NONE {
            thread::park();
        }
        let found = matches!(cell.next_mail(), Some(Mail::Answer(_)));
        assert_eq!((found, answering.join().unwrap()), (!revoked, !revoked));
    });
}

/// An answer wakes the owner, whether it waits already or not.
#[test]
fn an_answer_wakes_the_owner() {
    explore(|| {
        let cell = Arc::new(Cell::default());
        assert!(cell.await_answer());
        let other = Arc::clone(&cell);
        thread::spawn(move || other.answer(None));
        cell.register(&waker_of_this_thread());
        while cell.take_marks() == Marks::NONE {
            thread::park();
        }
        assert!(matches!(cell.next_mail(), Some(Mail::Answer(None))));
    });
}
