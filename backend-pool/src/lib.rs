//! A rayon pool that shares one poller.
//!
//! The connections that wait rest with one poller, so that they cost no thread. Those that become ready are in one
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

mod loops;
mod monitor;
mod notifier;
mod pace;
mod places;
mod poller;
mod serving;
#[cfg(test)]
mod tests;

use std::io;
use std::net::TcpListener;
use std::sync::Arc;

use ::serving::{
    Backend, BlockingHandlers, Capabilities, Failure, Report, STACK_SIZE, Server, Stop, Workers,
    accept_nonblocking, worker_count,
};
use common::Service;
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::poller::{Poller, System};
use crate::serving::Serving;

/// A rayon pool that shares one poller.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pool;

impl Backend for Pool {
    fn name(&self) -> &'static str {
        "pool"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new("a rayon pool that shares one poller", Workers::Chosen, BlockingHandlers::OnWorker)
    }

    fn serve(&self, listener: TcpListener, service: Arc<Service>, stop: &Stop) -> io::Result<Report> {
        serve::<System>(self, listener, service, stop)
    }
}

/// Serves with this kind of poller.
fn serve<P: Poller>(
    backend: &dyn Backend,
    listener: TcpListener,
    service: Arc<Service>,
    stop: &Stop,
) -> io::Result<Report> {
    let workers = worker_count(&service);
    let (server, acceptor) = Server::open(backend, &listener, service, stop)?;
    match start::<P>(workers, server.failure()) {
        Ok(serving) => {
            let serving = Dismissed(serving);
            let accepted = acceptor.accept_all(listener, accept_nonblocking, |socket, conversation| {
                serving.0.add(socket, conversation);
            });
            server.close(accepted)
        }
        Err(error) => server.close(Err(error)),
    }
}

/// What serves is dismissed when this is dropped, also by a panic.
struct Dismissed<P: Poller>(Arc<Serving<P>>);

impl<P: Poller> Drop for Dismissed<P> {
    fn drop(&mut self) {
        self.0.dismiss();
    }
}

/// Starts the monitor and the leader. Neither is waited for at the end: a handler may hold a worker.
fn start<P: Poller>(workers: usize, failure: Failure) -> io::Result<Arc<Serving<P>>> {
    let serving = Arc::new(Serving::new(pool(workers)?, failure)?);
    serving.start_monitor()?;
    serving.start();
    Ok(serving)
}

/// A pool of this server's own: rayon's global one belongs to everybody.
fn pool(workers: usize) -> io::Result<ThreadPool> {
    let pool = ThreadPoolBuilder::new()
        .num_threads(workers)
        .stack_size(STACK_SIZE)
        .thread_name(|number| format!("pool-{}", number + 1))
        // Without a handler, rayon ends the process when a job panics. A session's panic never gets here.
        .panic_handler(|_| tracing::error!("a job that a handler has spawned on the pool has panicked"));
    pool.build().map_err(io::Error::other)
}
