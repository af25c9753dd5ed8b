//! Panics outside of sessions whose payload panics again when it is dropped.

use std::io;
use std::net::TcpListener;
use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::sync::Arc;

use anyloop_serving::{
    Backend, BlockingHandlers, Capabilities, Listener, Report, Stop, WorkerContext, WorkerGroup, Workers,
    start,
};
use common::{Framing, Service};
use handlers::Echo;

/// The payload of a panic.
struct PanicsWhenDropped;

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        panics();
    }
}

fn panics() {
    resume_unwind(Box::new(PanicsWhenDropped));
}

/// Panics on the thread that serves, or on the workers.
#[derive(Clone, Copy)]
enum Panics {
    Caller,
    Workers,
}

impl Backend for Panics {
    fn name(&self) -> &'static str {
        "panics"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new("none", Workers::Chosen, BlockingHandlers::Offloaded)
    }

    fn serve(&self, listener: Listener, service: Arc<Service>, stop: &Stop) -> io::Result<Report> {
        if let Self::Caller = self {
            panics();
        }
        let work = |_: WorkerContext| {
            panics();
            Ok(())
        };
        WorkerGroup::serve(self, listener, service, stop, Ok, work)
    }
}

#[test]
fn the_server_ends_with_an_error() {
    for (backend, expected) in [(Panics::Caller, "the backend panicked"), (Panics::Workers, "it panicked")] {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let service = Service::framed(Arc::new(Echo), Framing::Line).with_workers(NonZeroUsize::new(2));
        let error = start(backend, listener, service).expect("a server").wait().expect_err("it panicked");
        assert!(error.to_string().contains(expected), "{error}");
    }
}
