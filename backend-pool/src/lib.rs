//! A rayon pool that shares one poller.
//!
//! Connections that wait cost no thread: one poller waits for all of them. Those that become ready are in one
//! queue, which workers of the pool serve: the one that waits at the poller, and as many others as are needed. A
//! worker serves a connection until it would have to wait, and gives it back. Workers that have nothing to serve are
//! rayon's, and find what handlers split with `rayon::join` or a parallel iterator; the one that waits at the poller does
//! what was spawned on it, and steals nothing.
//!
//! A handler that uses rayon holds no lock across a `join`: the worker that waits there may serve another client meanwhile.
//! It doesn't call `rayon::broadcast`, which waits for all workers, the one at the poller included.
//!
//! Choose it for handlers that compute, since as many run at once as there are cores. A handler that blocks
//! holds its worker: that is what a pool of a fixed size means.

mod clients;
mod monitor;
mod poller;
mod scheduler;
#[cfg(test)]
mod tests;
mod workers;

use std::io;
use std::sync::Arc;

use common::Service;
use serving::{
    Backend, BlockingHandlers, Capabilities, Listener, Report, Server, Stop, Workers, worker_count,
};

use crate::poller::{Poller, System};
use crate::scheduler::Scheduler;

/// A rayon pool that shares one poller. [`start`](::serving::start) has an example.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pool;

impl Backend for Pool {
    fn name(&self) -> &'static str {
        "pool"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new("a rayon pool that shares one poller", Workers::Chosen, BlockingHandlers::OnWorker)
    }

    fn serve(&self, listener: Listener, service: Arc<Service>, stop: &Stop) -> io::Result<Report> {
        serve::<System>(self, listener, service, stop)
    }
}

/// Serves with this kind of poller.
fn serve<P: Poller>(
    backend: &dyn Backend,
    listener: Listener,
    service: Arc<Service>,
    stop: &Stop,
) -> io::Result<Report> {
    let workers = worker_count(&service);
    let (server, acceptor) = Server::open(backend, &listener, service, stop)?;
    let scheduler = match Scheduler::<P>::start(workers, server.failure()) {
        Ok(scheduler) => StopOnDrop(scheduler),
        Err(error) => return server.close(Err(error)),
    };
    let accepted = acceptor.accept_all(listener, Listener::accept, |socket, conversation| {
        scheduler.0.add(socket, conversation);
    });
    server.close(accepted)
}

/// Stops the workers when it is dropped, also by a panic. They are not waited for: a handler may hold one.
struct StopOnDrop<P: Poller>(Arc<Scheduler<P>>);

impl<P: Poller> Drop for StopOnDrop<P> {
    fn drop(&mut self) {
        self.0.stop();
    }
}
