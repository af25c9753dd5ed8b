//! Answers that come later, while their timeout fires and their client goes.

use std::pin::pin;
use std::task::{Context, Poll};

use shuttle::sync::atomic::AtomicBool;

use super::*;
use crate::{Later, Record};

/// A record whose answer is awaited.
fn awaiting() -> (Arc<Record>, Later) {
    let record = Arc::<Record>::default();
    let later = Later::new(&record);
    (record, later)
}

/// How often the mailbox contains an answer.
fn answers(cell: &Cell) -> usize {
    let mail = std::iter::from_fn(|| cell.next_mail());
    mail.filter(|mail| matches!(mail, Mail::Answer(_))).count()
}

/// An answer races its timeout and the end of the conversation. It is delivered if it was accepted, unless the client left
/// before, and it is never delivered if it was too late.
#[test]
fn an_answer_races_its_timeout_and_the_end() {
    explore(|| {
        let (record, later) = awaiting();
        let answering = thread::spawn(move || later.send(b"answer").is_ok());
        let leaving = Arc::clone(&record);
        let leaving = thread::spawn(move || leaving.cell.leave());
        let revoked = record.cell.revoke_answer();
        let early = answers(&record.cell);
        leaving.join().unwrap();
        let accepted = answering.join().unwrap();
        assert!(!(revoked && accepted), "it was accepted after its timeout");
        assert!(early <= usize::from(accepted), "an answer that was refused is delivered");
        assert_eq!(answers(&record.cell), 0, "the mailbox of a client that has left");
        assert!(!record.cell.awaits_answer());
    });
}

/// Of two answers to one message, one is accepted and delivered.
#[test]
fn a_message_has_one_answer() {
    explore(|| {
        let (record, later) = awaiting();
        let other = Arc::clone(&record);
        let first = thread::spawn(move || later.reject("no").is_ok());
        let second = other.cell.answer(Some(Answer::from("yes"))).is_ok();
        assert_ne!(first.join().unwrap(), second);
        assert_eq!(answers(&record.cell), 1);
    });
}

/// An answer that is dropped is reported, unless its timeout was first. The owner is woken.
#[test]
fn a_dropped_answer_is_reported_or_too_late() {
    for times_out in [true, false] {
        explore(move || {
            let (record, later) = awaiting();
            thread::spawn(move || drop(later));
            record.cell.register(&waker_of_this_thread());
            let revoked = times_out && record.cell.revoke_answer();
            while !revoked && record.cell.take_marks() == Marks::NONE {
                thread::park();
            }
            assert_eq!(answers(&record.cell), usize::from(!revoked));
        });
    }
}

/// A task that waits until its answer is not awaited any more is woken by the timeout, or by the end of the conversation.
#[test]
fn whoever_works_on_an_answer_learns_that_it_is_too_late() {
    for by_timeout in [true, false] {
        explore(move || {
            let (record, later) = awaiting();
            let ended = Arc::new(AtomicBool::new(false));
            let has_ended = Arc::clone(&ended);
            let working = thread::spawn(move || {
                let waker = waker_of_this_thread();
                {
                    let mut gone = pin!(later.gone());
                    while gone.as_mut().poll(&mut Context::from_waker(&waker)) == Poll::Pending {
                        thread::park();
                    }
                }
                assert!(has_ended.load(Ordering::SeqCst), "it is awaited");
                later.send(b"late")
            });
            ended.store(true, Ordering::SeqCst);
            match by_timeout {
                true => assert!(record.cell.revoke_answer()),
                false => record.cell.leave(),
            }
            assert_eq!(working.join().unwrap(), Err(SendError::Gone));
            assert_eq!(answers(&record.cell), 0);
        });
    }
}

/// An answer overtakes no push that was accepted before it, and loses none.
#[test]
fn an_answer_comes_after_earlier_pushes() {
    explore(|| {
        let (record, later) = awaiting();
        let others = [(); 2].map(|()| Arc::clone(&record));
        let [one, other] = others.map(|record| move || push(&record.cell, MailboxFull::Close));
        let pushing = thread::spawn(one);
        let answering = thread::spawn(move || (other().is_ok(), later.send(b"answer").is_ok()));
        pushing.join().unwrap().unwrap();
        assert_eq!(answering.join().unwrap(), (true, true));
        let mail: Vec<_> = std::iter::from_fn(|| record.cell.next_mail()).collect();
        let answer = mail.iter().position(|mail| matches!(mail, Mail::Answer(_))).unwrap();
        assert_eq!(mail.len(), 3);
        assert!(answer > 0, "{mail:?}");
    });
}
