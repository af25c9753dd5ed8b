//! One client can't hold the loop.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::Service;
use serving::Workers;

use crate::client::Client;
use crate::handlers::Scripted;
use crate::kernel;
use crate::subject::Subject;

pub(crate) fn a_hog_takes_turns(subject: &Subject) {
    // On one worker, where there is a choice: there everybody else depends on the hog's turns.
    // Small buffers, so that little is left to be answered when the hog ends.
    let service = on_workers(1, Scripted::new().service(), subject);
    let server = subject.serve_with_buffers(service, 64 * 1024);
    let hog = server.connect_greeted();
    beside_a_hog(hog, |heard| {
        is_served(heard, subject.patience());
        let mut clients: Vec<_> = (0..4).map(|_| server.connect_greeted()).collect();
        for number in 1..=50 {
            for client in &mut clients {
                client.say("please");
            }
            for client in &mut clients {
                client.hears(format!("{number}:please"));
            }
        }
        is_served(heard, subject.patience());
    });
}

/// Waits until the hog has heard more.
fn is_served(heard: &AtomicUsize, patience: Duration) {
    let (before, deadline) = (heard.load(Ordering::Relaxed), Instant::now() + patience);
    while heard.load(Ordering::Relaxed) == before {
        assert!(Instant::now() < deadline, "the hog is not served");
        thread::sleep(Duration::from_millis(1));
    }
}

/// The service on so many workers, where they can be chosen.
pub(crate) fn on_workers(count: usize, service: Service, subject: &Subject) -> Service {
    match subject.backend().capabilities().workers {
        Workers::Chosen => service.with_workers(NonZeroUsize::new(count)),
        _ => service,
    }
}

/// Does something while `hog` sends without end, and reads what it is answered. It is told how many bytes
/// the hog has heard.
fn beside_a_hog(mut hog: Client, something: impl FnOnce(&AtomicUsize)) {
    /// Ends the hog's part, whatever becomes of the other.
    struct Done<'a>(&'a AtomicBool);
    impl Drop for Done<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let done = AtomicBool::new(false);
    let heard = AtomicUsize::new(0);
    let mut sender = hog.another();
    thread::scope(|scope| {
        scope.spawn(|| {
            let messages = "more\n".repeat(4096);
            while !done.load(Ordering::Relaxed) {
                if sender.try_send(&messages).is_err() {
                    break;
                }
            }
            sender.ends_input_if_it_can();
        });
        scope.spawn(|| {
            while let Ok(1..) = hog.listen() {
                heard.fetch_add(hog.forget(), Ordering::Relaxed);
            }
        });
        let _done = Done(&done);
        something(&heard);
    });
}

pub(crate) fn a_crowd_is_no_burden(subject: &Subject) {
    // Both ends of each connection are in this process, and some backends need more than one descriptor.
    let crowd = (kernel::raise_descriptor_limit() / 8).min(1000);
    let server = subject.serve(on_workers(2, Scripted::new().service(), subject));
    let silent: Vec<_> = (0..crowd).map(|_| server.connect()).collect();
    let mut active = server.connect_greeted();
    for number in 1..=50 {
        active.say("excuse me");
        active.hears(format!("{number}:excuse me"));
    }
    drop(silent);
}
