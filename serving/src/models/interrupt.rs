//! A thread that is blocked in a system call, those that wake it by a signal, and the maintenance thread, which signals it again.

use std::cell::{Cell, RefCell};
use std::io::ErrorKind;
use std::time::Instant;

use common::Marks;

use super::*;
use crate::Interrupt;
use crate::interrupt::Signalled;

// All threads of a model are one thread of the system.
std::thread_local! {
    /// The thread that is in its system call.
    static BLOCKED: RefCell<Option<thread::Thread>> = const { RefCell::new(None) };
    static IS_INTERRUPTED: Cell<bool> = const { Cell::new(false) };
}

/// Another thread may run before what follows. (A yield would let all others run first, in this scheduler.)
fn may_be_preempted() {
    AtomicUsize::new(0).load(Ordering::SeqCst);
}

/// Signals the thread that is in its system call. Before the call begins, the signal is lost.
#[expect(unsafe_code, reason = "it stands for a function that is unsafe")]
pub(crate) unsafe fn send_signal(_: libc::pthread_t) {
    may_be_preempted();
    let blocked = BLOCKED.with_borrow(Option::clone);
    if let Some(thread) = blocked {
        IS_INTERRUPTED.set(true);
        thread.unpark();
    }
}

/// A system call that only a signal ends.
fn block<T>() -> std::io::Result<T> {
    may_be_preempted();
    BLOCKED.set(Some(thread::current()));
    while !IS_INTERRUPTED.take() {
        thread::park();
    }
    BLOCKED.set(None);
    Err(ErrorKind::Interrupted.into())
}

/// The thread learns of all marks, although signals may be lost. If it doesn't, all threads wait, which shuttle reports.
#[test]
fn a_blocked_thread_learns_of_each_mark() {
    shuttle::check_pct(
        || {
            BLOCKED.set(None);
            IS_INTERRUPTED.set(false);
            let cells = [(); 2].map(|()| Arc::new(common::Cell::default()));
            let maintenance = waker_of_this_thread();
            let signalled = Signalled::new(maintenance.clone());
            let ended = Arc::new(AtomicUsize::new(0));
            let blocked = {
                let (cells, signalled, ended) = (cells.clone(), Arc::clone(&signalled), Arc::clone(&ended));
                thread::spawn(move || {
                    let interrupt = Interrupt::of_this_thread().unwrap();
                    interrupt.signal_again_by(&signalled);
                    cells.iter().for_each(|cell| cell.register(&interrupt.waker()));
                    let mut seen = 0;
                    while seen < cells.len() {
                        let is_woken = || cells.iter().any(|cell| cell.is_marked());
                        let woken = interrupt.call::<()>(is_woken, block);
                        assert_eq!(woken.unwrap_err().kind(), ErrorKind::Interrupted);
                        seen += cells.iter().filter(|cell| cell.take_marks() != Marks::NONE).count();
                    }
                    drop(interrupt);
                    ended.fetch_add(1, Ordering::SeqCst);
                    maintenance.wake();
                })
            };
            for cell in cells {
                thread::spawn(move || cell.mark(Marks::EXPIRED));
            }
            let mut now = Instant::now();
            while ended.load(Ordering::SeqCst) == 0 {
                match signalled.signal_again(now) {
                    Some(at) => {
                        now = at; // so much time passes
                        thread::yield_now();
                    }
                    None => thread::park(),
                }
            }
            blocked.join().unwrap();
        },
        ITERATIONS,
        5,
    );
}
