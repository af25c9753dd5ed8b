//! Panics outside of sessions: those of a log subscriber, which is called while a client is served.

mod serving;

use std::fmt::{Debug, Write};
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use serving::{Client, Server};

/// A subscriber that panics when the end of a client is logged, and when a panic is logged, if so configured.
struct Panics;

static AT_THE_END: AtomicBool = AtomicBool::new(false);
static AT_A_PANIC: AtomicBool = AtomicBool::new(false);

impl Subscriber for Panics {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = Text(String::new());
        event.record(&mut text);
        let at_the_end = text.0.contains("ended") && AT_THE_END.load(Ordering::SeqCst);
        let at_a_panic = text.0.contains("panicked") && AT_A_PANIC.swap(false, Ordering::SeqCst);
        if at_the_end || at_a_panic {
            resume_unwind(Box::new("on purpose"));
        }
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            let _ = write!(self.0, "{value:?}");
        }
    }
}

/// Installs the subscriber, and lets one test run at a time.
fn subscribed() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    static SUBSCRIBED: Once = Once::new();
    let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    SUBSCRIBED.call_once(|| tracing::subscriber::set_global_default(Panics).expect("no other subscriber"));
    one
}

/// Ends a client, at which the subscriber panics.
fn leaves(mut client: Client) {
    AT_THE_END.store(true, Ordering::SeqCst);
    client.end_input();
    assert_eq!(client.receive(), "", "its connection is closed");
    AT_THE_END.store(false, Ordering::SeqCst);
}

#[test]
fn a_panic_while_serving_ends_one_client() {
    let _one = subscribed();
    for workers in [1, 2] {
        let server = Server::start(workers, str::to_owned);
        let mut other = server.connect();
        for number in 0..10 {
            let mut client = server.connect();
            assert_eq!(client.request("a"), "a");
            leaves(client);
            let message = number.to_string();
            assert_eq!(other.request(&message), message, "with {workers} workers");
        }
        drop(other);
        let report = server.stop().expect("a report");
        assert_eq!(report.accepted, 11);
    }
}

#[test]
fn a_panic_in_a_loop_ends_the_server_with_an_error() {
    let _one = subscribed();
    for workers in [1, 2] {
        let server = Server::start(workers, str::to_owned);
        let mut client = server.connect();
        assert_eq!(client.request("a"), "a");
        AT_A_PANIC.store(true, Ordering::SeqCst);
        leaves(client);
        let error = server.wait().expect_err("a worker has panicked");
        assert!(error.to_string().contains("the thread pool-"), "{error}");
    }
}
