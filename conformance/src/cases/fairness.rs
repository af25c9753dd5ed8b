//! One client can't monopolise the server.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::{Flow, Handler, Replies, Service, Session};
use serving::Workers;

use crate::client::Client;
use crate::gate::{Gate, GateHandle};
use crate::handlers::{IntoService, Scripted};
use crate::kernel;
use crate::subject::Subject;

pub(crate) fn flooding_client_does_not_starve_others(subject: &Subject) {
    // On one worker, if the backend has workers, since there all other clients depend on the turns of the flooding
    // client. The buffers are small, so that few messages are unanswered when it ends.
    let service = on_workers(1, Scripted::new().service(), subject);
    let server = subject.serve_with_buffers(service, 64 * 1024);
    let flooding = server.connect_greeted();
    while_flooding(flooding, |received| {
        wait_for_progress(received, subject.timeout());
        let mut clients: Vec<_> = (0..4).map(|_| server.connect_greeted()).collect();
        for number in 1..=50 {
            for client in &mut clients {
                client.send_message("message");
            }
            for client in &mut clients {
                client.expect_reply(format!("{number}:message"));
            }
        }
        wait_for_progress(received, subject.timeout());
    });
}

pub(crate) fn client_with_much_input_does_not_go_first(subject: &Subject) {
    let gate = Gate::default();
    let handler = Counted { gate: gate.handle(), handled: Arc::default() };
    let server = subject.serve(on_workers(1, handler.service(), subject));
    let (mut busy, mut other) = (server.connect_greeted(), server.connect_greeted());
    busy.send_message("wait");
    gate.wait_for(1, subject.timeout());
    // It fills the buffers of the kernel, since the handler waits. A message has two bytes.
    let earlier = busy.send_until_blocked("m\n".repeat(4096).as_bytes(), 128 * 1024) / 2;
    other.send_message("last");
    other.wait_until_arrived();
    gate.open();
    let reply = other.next_reply().expect("a reply");
    let handled: usize = String::from_utf8_lossy(&reply).parse().expect("a number");
    assert!(handled < earlier / 2, "{handled} of {earlier} messages of another client were handled before");
}

/// Counts the messages of all clients. It waits at a gate on `wait`, and answers `last` with the count.
#[derive(Clone)]
struct Counted {
    gate: Arc<GateHandle>,
    handled: Arc<AtomicUsize>,
}

impl Handler for Counted {
    fn open(&self, _client: &common::Client, out: &mut Replies<'_>) -> Box<dyn Session> {
        out.send(b"hello");
        Box::new(self.clone())
    }
}

impl Session for Counted {
    fn message(&mut self, message: &[u8], out: &mut Replies<'_>) -> Flow {
        match message {
            b"wait" => self.gate.pass(),
            b"last" => out.write(format_args!("{}", self.handled.load(Ordering::Relaxed))),
            _ => _ = self.handled.fetch_add(1, Ordering::Relaxed),
        }
        Flow::Continue
    }
}

/// Waits until the flooding client has received more.
fn wait_for_progress(received: &AtomicUsize, timeout: Duration) {
    let (before, deadline) = (received.load(Ordering::Relaxed), Instant::now() + timeout);
    while received.load(Ordering::Relaxed) == before {
        assert!(Instant::now() < deadline, "the flooding client is not served");
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

/// Calls `action` while `flooding` sends without end and reads the replies. `action` gets the number of bytes that the
/// flooding client has received.
fn while_flooding(mut flooding: Client, action: impl FnOnce(&AtomicUsize)) {
    /// Ends the flood, also if `action` panics.
    struct Done<'a>(&'a AtomicBool);
    impl Drop for Done<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let done = AtomicBool::new(false);
    let received = AtomicUsize::new(0);
    let mut sender = flooding.duplicate();
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
            while let Ok(1..) = flooding.read_once() {
                received.fetch_add(flooding.discard(), Ordering::Relaxed);
            }
        });
        let _done = Done(&done);
        action(&received);
    });
}

pub(crate) fn idle_clients_do_not_delay_an_active_one(subject: &Subject) {
    // Both ends of each connection are in this process, and some backends need several descriptors per connection.
    let count = (kernel::raise_descriptor_limit() / 8).min(1000);
    let server = subject.serve(on_workers(2, Scripted::new().service(), subject));
    let silent: Vec<_> = (0..count).map(|_| server.connect()).collect();
    let mut active = server.connect_greeted();
    for number in 1..=50 {
        active.send_message("message");
        active.expect_reply(format!("{number}:message"));
    }
    drop(silent);
}
