//! An io_uring for each worker: one system call submits many reads and writes and returns the completed ones.
//!
//! Choose it for very many busy clients on Linux 6.0 or later, if sandboxes allow it. Handlers that may block run on dedicated
//! threads. A handler that computes for long delays the other clients of its worker. If the kernel or a sandbox doesn't support
//! the ring, `serve` fails with `Unsupported` and says what is missing.
//!
//! From a client that sends continuously, the kernel may receive more than one read before receiving is cancelled. This input
//! is kept beyond the memory bound of the connection: at most the size of a worker's receive buffers, 512 KiB.

#![cfg(target_os = "linux")]

mod buffers;
mod ring;
mod worker;

use std::io;
use std::sync::Arc;

use common::Service;
use serving::{Backend, BlockingHandlers, Capabilities, Listener, Report, Stop, WorkerGroup, Workers};

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
            .with_read_ahead(buffers::TOTAL)
    }

    fn serve(&self, listener: Listener, service: Arc<Service>, stop: &Stop) -> io::Result<Report> {
        WorkerGroup::serve(self, listener, service, stop, Worker::new, Worker::work)
    }
}
