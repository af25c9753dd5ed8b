//! A backend on [compio]: a compio runtime for each worker, on io_uring where the system has it.
//!
//! ```sh
//! cargo run --release -p anyloop-example-backend-compio -- serve --backend compio
//! cargo run --release -p anyloop-example-backend-compio -- compare --quick --backends compio,epoll,uring
//! ```
//!
//! `docs/write-a-backend.md` says how a backend is written. This one drives its conversations by their
//! [`Step`](anyloop::backend::Step)s, since compio owns a buffer from the start of an operation to its completion.

mod client;
mod worker;

use std::io;
use std::sync::Arc;

use anyloop::backend::{BlockingHandlers, Capabilities, MAX_READ, WorkerGroup, Workers};
use anyloop::{Backend, Listener, Report, Service, Stop};
use compio::driver::DriverType;

use crate::worker::Worker;

/// A compio runtime for each worker, and a task for each client.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Compio {
    /// On io_uring if the system supports it, or else on `epoll`. Each runtime finds out when it starts.
    #[default]
    Suggested,
    /// On `epoll` in any case.
    Polling,
}

impl Backend for Compio {
    fn name(&self) -> &'static str {
        "compio"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new("a compio runtime for each worker", Workers::Chosen, BlockingHandlers::Offloaded)
            .with_read_ahead(MAX_READ)
    }

    fn serve(&self, listener: Listener, service: Arc<Service>, stop: &Stop) -> io::Result<Report> {
        let make = if *self == Self::Polling {
            |context| Ok(Worker { context, driver: Some(DriverType::Poll) })
        } else {
            |context| Ok(Worker { context, driver: None })
        };
        WorkerGroup::serve(self, listener, service, stop, make, worker::work)
    }
}
