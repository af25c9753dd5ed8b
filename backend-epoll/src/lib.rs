//! A bare poller for each worker: the model of the fastest servers. Each worker waits for its own clients with
//! epoll, and a client stays with its worker for life, so that nothing is shared on its way, and nothing stolen.
//!
//! Choose it for very many clients and short handlers: it costs the least CPU time and the least memory. A
//! handler that may block runs on threads made for it; one that computes for long holds up its worker's clients.

#![cfg(target_os = "linux")]

mod worker;

use std::io;
use std::sync::Arc;

use common::Service;
use serving::{
    AcceptLoop, Backend, BlockingHandlers, Capabilities, Listener, Report, Server, Stop, WorkerGroup,
    Workers, worker_count,
};

use crate::worker::Worker;

/// A bare poller for each worker. [`start`](serving::start) has an example.
#[derive(Clone, Copy, Debug, Default)]
pub struct Epoll;

impl Backend for Epoll {
    fn name(&self) -> &'static str {
        "epoll"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new("a bare poller for each worker", Workers::Chosen, BlockingHandlers::Offloaded)
    }

    fn serve(&self, listener: Listener, service: Arc<Service>, stop: &Stop) -> io::Result<Report> {
        let workers = worker_count(&service);
        let (server, acceptor) = Server::open(self, &listener, service, stop)?;
        let accept_loop = AcceptLoop::new(listener, acceptor);
        WorkerGroup::serve(server, self.name(), workers, accept_loop, Worker::new, Worker::work)
    }
}
