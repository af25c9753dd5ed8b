//! A backend on [compio]: a compio runtime for each worker, and a task for each client.
//!
//! ```sh
//! cargo run --release -p anyloop-example-backend-compio -- serve --backend compio
//! cargo run --release -p anyloop-example-backend-compio -- compare --backends compio,epoll,uring
//! ```
//!
//! It is written with `docs/write-a-backend.md` alone. Since compio owns a buffer from the start of an operation to its
//! completion, a task drives its conversation by [`Step`](anyloop::backend::Step)s.

mod client;
mod worker;

use std::io;
use std::sync::Arc;

use anyloop::backend::{BlockingHandlers, Capabilities, MAX_READ, WorkerGroup, Workers};
use anyloop::{Backend, Listener, Report, Service, Stop};
use compio::driver::DriverType;

/// A compio runtime for each worker, and a task for each client.
#[derive(Clone, Copy, Debug, Default)]
pub enum Compio {
    /// On io_uring if the system supports it, or else on epoll. Each runtime finds out when it starts.
    #[default]
    Suggested,
    /// On epoll.
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
        let make = match self {
            Self::Suggested => |context| Ok((context, None)),
            Self::Polling => |context| Ok((context, Some(DriverType::Poll))),
        };
        WorkerGroup::serve(self, listener, service, stop, make, worker::work)
    }
}
