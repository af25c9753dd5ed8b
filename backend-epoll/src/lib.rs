//! An epoll instance for each worker. A client stays with one worker, so serving it takes no shared state and no work
//! stealing.
//!
//! Choose it for very many clients and short handlers: it uses the least CPU time and the least memory. Handlers that may block
//! run on dedicated threads. A handler that computes for long delays the other clients of its worker.

#![forbid(unsafe_code)]
#![cfg(target_os = "linux")]

mod worker;

use std::io;
use std::sync::Arc;

use common::Service;
use serving::{Backend, BlockingHandlers, Capabilities, Listener, Report, Stop, WorkerGroup, Workers};

use crate::worker::Worker;

/// An epoll instance for each worker. [`start`](serving::start) has an example.
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
        WorkerGroup::serve(self, listener, service, stop, Worker::new, Worker::work)
    }
}
