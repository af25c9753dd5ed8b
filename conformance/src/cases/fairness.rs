//! One client can't monopolise the server.

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

pub(crate) fn flooding_client_does_not_starve_others(subject: &Subject) {
    // On one worker, if the backend has workers, since there all other clients depend on the hog's turns. The buffers
    // are small, so that few messages are unanswered when the hog ends.
    let service = on_workers(1, Scripted::new().service(), subject);
    let server = subject.serve_with_buffers(service, 64 * 1024);
    let hog = server.connect_greeted();
    beside_a_hog(hog, |received| {
        is_served(received, subject.timeout());
        let mut clients: Vec<_> = (0..4).map(|_| server.connect_greeted()).collect();
        for number in 1..=50 {
            for client in &mut clients {
                client.send_message("please");
            }
            for client in &mut clients {
                client.expect_reply(format!("{number}:please"));
            }
        }
        is_served(received, subject.timeout());
    });
}

/// Waits until the hog has received more.
fn is_served(received: &AtomicUsize, timeout: Duration) {
    let (before, deadline) = (received.load(Ordering::Relaxed), Instant::now() + timeout);
    while received.load(Ordering::Relaxed) == before {
        assert!(Instant::now() < deadline, "the hog is not served");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Sets the number of workers, if the backend supports it.
pub(crate) fn on_workers(count: usize, service: Service, subject: &Subject) -> Service {
    match subject.backend().capabilities().workers {
        Workers::Chosen => service.with_workers(NonZeroUsize::new(count)),
        _ => service,
    }
}

/// Calls `something` while `hog` sends without end and reads the replies. `something` gets the number of bytes that the
/// hog has received.
fn beside_a_hog(mut hog: Client, something: impl FnOnce(&AtomicUsize)) {
    /// Ends the hog, also if `something` panics.
    struct Done<'a>(&'a AtomicBool);
    impl Drop for Done<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let done = AtomicBool::new(false);
    let received = AtomicUsize::new(0);
    let mut sender = hog.duplicate();
    thread::scope(|scope| {
        scope.spawn(|| {
            let messages = "more\n".repeat(4096);
            while !done.load(Ordering::Relaxed) {
                if sender.try_send(&messages).is_err() {
                    break;
                }
            }
            sender.try_end_input();
        });
        scope.spawn(|| {
            while let Ok(1..) = hog.read_once() {
                received.fetch_add(hog.discard(), Ordering::Relaxed);
            }
        });
        let _done = Done(&done);
        something(&received);
    });
}

pub(crate) fn idle_clients_do_not_delay_an_active_one(subject: &Subject) {
    // Both ends of each connection are in this process, and some backends need several descriptors per connection.
    let crowd = (kernel::raise_descriptor_limit() / 8).min(1000);
    let server = subject.serve(on_workers(2, Scripted::new().service(), subject));
    let silent: Vec<_> = (0..crowd).map(|_| server.connect()).collect();
    let mut active = server.connect_greeted();
    for number in 1..=50 {
        active.send_message("excuse me");
        active.expect_reply(format!("{number}:excuse me"));
    }
    drop(silent);
}
