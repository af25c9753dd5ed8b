//! An io_uring for each worker: reads and writes are submitted to the kernel, which says when they are done, so
//! that one system call carries many of them.
//!
//! Choose it for very many busy clients on Linux 6.0 or later, where sandboxes allow it. A handler that may block
//! runs on threads made for it; one that computes for long holds up its worker's clients.
//!
//! Of a client that sends without end the kernel receives more than one read before it is told to stop. That is
//! kept, on top of a connection's memory bound: at most as much as a worker has buffers to receive into, 512 KiB.

#![cfg(target_os = "linux")]

mod buffers;
mod ring;
mod worker;

use std::io;
use std::sync::Arc;

use common::Service;
use serving::{
    AcceptLoop, Backend, BlockingHandlers, Capabilities, Listener, Report, Server, Stop, WorkerGroup,
    Workers, worker_count,
};

use crate::worker::Worker;

/// An io_uring for each worker. [`start`](serving::start) has an example.
#[derive(Clone, Copy, Debug, Default)]
pub struct Uring;

impl Backend for Uring {
    fn name(&self) -> &'static str {
        "uring"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new("an io_uring for each worker", Workers::Chosen, BlockingHandlers::Offloaded)
    }

    /// Serves, as every backend does.
    ///
    /// # Errors
    /// `Unsupported`, which says what is missing, where the kernel or a sandbox doesn't offer what it needs.
    fn serve(&self, listener: Listener, service: Arc<Service>, stop: &Stop) -> io::Result<Report> {
        let workers = worker_count(&service);
        let (server, acceptor) = Server::open(self, &listener, service, stop)?;
        let accept_loop = AcceptLoop::new(listener, acceptor);
        WorkerGroup::serve(server, self.name(), workers, accept_loop, Worker::new, Worker::work)
    }
}
