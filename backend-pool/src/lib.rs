//! A rayon pool, fed with ready connections by one poller.
//!
//! The connections that wait rest with the poller, so that they cost no thread. Those that become ready stand
//! in one queue, which jobs of the pool serve; a job serves a connection until it would have to wait, and
//! gives it back. A job never waits for a client: from a rayon worker that blocks nothing can be stolen.
//!
//! Choose it for handlers that compute, since as many run at once as there are cores. A handler that blocks
//! holds its worker: that is what a pool of a fixed size means.

mod clients;
mod floor;
mod poller;

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;

use common::{
    Backend, BlockingHandlers, Capabilities, Failure, Report, STACK_SIZE, Server, Service, Stop, Workers,
    accept_nonblocking,
};
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::clients::Clients;

/// A rayon pool, fed with ready connections by one poller.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pool;

impl Backend for Pool {
    fn name(&self) -> &'static str {
        "pool"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            model: "a rayon pool, fed with ready connections",
            max_connections: None,
            workers: Workers::Chosen,
            blocking_handlers: BlockingHandlers::OnWorker,
            legacy: None,
        }
    }

    fn serve(&self, listener: TcpListener, service: Arc<Service>, stop: &Stop) -> io::Result<Report> {
        let workers = service.worker_count();
        let (server, acceptor) = Server::open(self, &listener, service, stop)?;
        match start(workers, server.failure()) {
            Ok(clients) => {
                let accepted = acceptor.accept_all(listener, accept_nonblocking, |socket, conversation| {
                    clients.add(socket, conversation);
                });
                let report = server.close(accepted);
                clients.dismiss();
                report
            }
            Err(error) => server.close(Err(error)),
        }
    }
}

/// Starts the pool, and the poller that feeds it. Neither is waited for at the end: a handler may hold one.
fn start(workers: usize, failure: Failure) -> io::Result<Arc<Clients>> {
    let clients = Arc::new(Clients::new(pool(workers)?)?);
    let polled = Arc::clone(&clients);
    let watch = move || {
        polled.watch();
        Ok(())
    };
    thread::Builder::new().name("poller".into()).spawn(move || failure.watch(watch))?;
    Ok(clients)
}

/// A pool of this server's own: rayon's global one belongs to everybody.
fn pool(workers: usize) -> io::Result<ThreadPool> {
    let pool = ThreadPoolBuilder::new()
        .num_threads(workers)
        .stack_size(STACK_SIZE)
        .thread_name(|number| format!("pool-{}", number + 1))
        // Without a handler, rayon ends the process when a job panics. A session's panic never gets here.
        .panic_handler(|_| tracing::error!("a job of the pool has panicked; its connections are lost"));
    pool.build().map_err(io::Error::other)
}
