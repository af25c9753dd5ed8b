//! A rayon pool that shares one poller.
//!
//! One poller waits for all connections. Connections that become ready enter a single ready queue, which the leader serves,
//! the worker that waits in the poller, and up to all other workers as helpers. A worker serves a connection for one turn.
//! Workers without a connection to serve are available to rayon, and take the halves that handlers split with `rayon::join` or
//! a parallel iterator. The leader runs jobs that were spawned on it, but steals none.
//!
//! A handler that uses rayon must not hold a lock across a `join`, since the worker that waits there may serve another client
//! meanwhile. It must not call `rayon::broadcast`, which waits for all workers, including the leader.
//!
//! Choose it for handlers that compute, since as many run at once as there are cores. A handler that blocks occupies its
//! worker.

mod clients;
#[cfg(all(test, shuttle))]
mod models;
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

/// Serves with a poller of this type.
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

/// Stops the workers when it is dropped. They are not joined, since a handler may block one.
struct StopOnDrop<P: Poller>(Arc<Scheduler<P>>);

impl<P: Poller> Drop for StopOnDrop<P> {
    fn drop(&mut self) {
        self.0.stop();
    }
}
