//! Panics that are no session's: of a subscriber to the log, which is called in the middle of serving.

mod serving;

use std::fmt::{Debug, Write};
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use serving::{Client, Server};

/// Panics when a client has ended, and when that panic is told of, if it is to.
struct Panics;

static WHEN_A_CLIENT_ENDS: AtomicBool = AtomicBool::new(false);
static WHEN_IT_IS_TOLD_OF: AtomicBool = AtomicBool::new(false);

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
        let ends = text.0.contains("ended") && WHEN_A_CLIENT_ENDS.load(Ordering::SeqCst);
        let told_of = text.0.contains("has panicked") && WHEN_IT_IS_TOLD_OF.swap(false, Ordering::SeqCst);
        if ends || told_of {
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

/// Has the subscriber called, for one test at a time.
fn subscribed() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    static SUBSCRIBED: Once = Once::new();
    let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    SUBSCRIBED.call_once(|| tracing::subscriber::set_global_default(Panics).expect("no other subscriber"));
    one
}

/// A client leaves, and with it what serves it panics.
fn leaves(mut client: Client) {
    WHEN_A_CLIENT_ENDS.store(true, Ordering::SeqCst);
    client.ends_input();
    assert_eq!(client.hear(), "", "its connection is closed");
    WHEN_A_CLIENT_ENDS.store(false, Ordering::SeqCst);
}

#[test]
fn a_panic_in_serving_ends_one_client_alone() {
    let _one = subscribed();
    for workers in [1, 2] {
        let server = Server::start(workers, str::to_owned);
        let mut other = server.connect();
        for number in 0..10 {
            let mut client = server.connect();
            assert_eq!(client.asks("a"), "a");
            leaves(client);
            let message = number.to_string();
            assert_eq!(other.asks(&message), message, "with {workers} workers");
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
        assert_eq!(client.asks("a"), "a");
        WHEN_IT_IS_TOLD_OF.store(true, Ordering::SeqCst);
        leaves(client);
        let error = server.ended().expect_err("a worker has died");
        assert!(error.to_string().contains("the thread pool-"), "{error}");
    }
}
