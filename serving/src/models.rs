//! Models of what the threads of a server share: `RUSTFLAGS="--cfg shuttle" cargo test -p anyloop-serving --lib models`.

pub(crate) mod interrupt;
mod state;

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use common::sync::atomic::{AtomicUsize, Ordering};
use common::sync::waker_of_this_thread;
use shuttle::thread;

use crate::blocking_threads::BlockingThreads;
use crate::{Notifier, Stop};

/// Tries this number of interleavings.
const ITERATIONS: usize = 5_000;

fn explore(model: impl Fn() + Send + Sync + 'static) {
    shuttle::check_random(model, ITERATIONS);
}

/// Polls a future on this thread until it is ready. If its wake-up is lost this never ends, which shuttle reports.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let (waker, mut future) = (waker_of_this_thread(), pin!(future));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// A thread that waits for a notifier and clears it, as the maintenance thread does, sees all that it was notified of.
#[test]
fn a_cleared_notifier_misses_nothing() {
    explore(|| {
        let notifier = Notifier::new().unwrap();
        let (done, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        for _ in 0..3 {
            let (notifier, done, ended) = (Arc::clone(&notifier), Arc::clone(&done), Arc::clone(&ended));
            thread::spawn(move || {
                done.fetch_add(1, Ordering::SeqCst);
                notifier.notify();
                ended.fetch_add(1, Ordering::SeqCst);
            });
        }
        let mut seen = 0;
        while seen < 3 {
            // It waits without blocking the thread of the model.
            let have_ended = ended.load(Ordering::SeqCst) == 3;
            let own = [(std::os::fd::AsFd::as_fd(&notifier), rustix::event::PollFlags::IN)];
            let is_notified = notifier.wait_any(&own, Some(Duration::ZERO)).unwrap()[0];
            assert!(is_notified || !have_ended, "a notification was lost: {seen} of 3 were seen");
            seen = if is_notified { done.load(Ordering::SeqCst) } else { seen };
            thread::yield_now();
        }
    });
}

/// A task that awaits the stop misses no request.
#[test]
fn whoever_awaits_a_stop_learns_of_it() {
    explore(|| {
        let stop = Stop::new();
        let waiting = [(); 2].map(|()| {
            let stop = stop.clone();
            thread::spawn(move || block_on(stop.requested()))
        });
        let other = stop.clone();
        let cutting = thread::spawn(move || other.now());
        stop.drain();
        cutting.join().unwrap();
        waiting.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

/// As many jobs run at once as there may be threads, also if fewer threads are idle: these two wait for each other.
#[test]
fn blocking_threads_run_jobs_at_once() {
    explore(|| {
        let threads = BlockingThreads::new(2);
        let (begun, done) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let first = Arc::clone(&done);
        let job = move || {
            first.fetch_add(1, Ordering::SeqCst);
        };
        threads.run(job); // which leaves an idle thread, or none
        for _ in 0..2 {
            let (begun, done) = (Arc::clone(&begun), Arc::clone(&done));
            threads.run(move || {
                begun.fetch_add(1, Ordering::SeqCst);
                while begun.load(Ordering::SeqCst) < 2 {
                    thread::yield_now();
                }
                done.fetch_add(1, Ordering::SeqCst);
            });
            thread::yield_now();
        }
        while done.load(Ordering::SeqCst) < 3 {
            thread::yield_now();
        }
        threads.close();
    });
}

/// The threads for handlers that block run each job once, on no more threads than allowed, also jobs that come when they are
/// told to end. Then they end.
#[test]
fn blocking_threads_run_each_job() {
    for max in [1, 2] {
        explore(move || {
            let threads = BlockingThreads::new(max);
            let (running, done) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
            let submit = |count| {
                let (threads, running, done) =
                    (Arc::clone(&threads), Arc::clone(&running), Arc::clone(&done));
                thread::spawn(move || {
                    for _ in 0..count {
                        let (running, done) = (Arc::clone(&running), Arc::clone(&done));
                        threads.run(move || {
                            assert!(running.fetch_add(1, Ordering::SeqCst) < max, "too many threads");
                            thread::yield_now();
                            running.fetch_sub(1, Ordering::SeqCst);
                            done.fetch_add(1, Ordering::SeqCst);
                        });
                    }
                })
            };
            let submitting = [submit(2), submit(1)];
            let closing = Arc::clone(&threads);
            thread::spawn(move || closing.close());
            submitting.into_iter().for_each(|thread| thread.join().unwrap());
            // A job that was left to a thread that has ended is never done, and each thread has the threads.
            while done.load(Ordering::SeqCst) < 3 || Arc::strong_count(&threads) > 1 {
                thread::yield_now();
            }
        });
    }
}
