//! Serving on a runtime that the program has.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use common::Service;
use serving::{
    Acceptor, Backend, BlockingHandlers, Capabilities, Failure, Listener, Report, Server, Stop, Workers,
};
use tokio::io::Interest;
use tokio::runtime::Handle;

use crate::{Tokio, accept, socket};

/// A task for each connection, on a tokio runtime that the program has: made by [`Tokio::current`] or [`Tokio::on`]. It
/// starts no runtime, and no thread that serves clients.
///
/// The runtime is of either flavour and has its I/O enabled. It has to run as long as the server serves: a
/// current-thread runtime runs within its `block_on` alone, so a task there awaits the server, and doesn't block until
/// it ends. If the runtime is shut down before the server was stopped, its clients are lost and the server ends with an error.
#[derive(Clone, Debug)]
pub struct OnRuntime(Handle);

impl Tokio {
    /// The backend that serves on the runtime that this is called in.
    ///
    /// # Panics
    /// Outside of a runtime, as [`Handle::current`].
    #[track_caller]
    pub fn current() -> OnRuntime {
        Self::on(Handle::current())
    }

    /// The backend that serves on the runtime of this handle.
    pub fn on(runtime: Handle) -> OnRuntime {
        OnRuntime(runtime)
    }
}

impl Backend for OnRuntime {
    fn name(&self) -> &'static str {
        Tokio.name()
    }

    fn capabilities(&self) -> Capabilities {
        let model = "a task for each connection, on the program's own tokio runtime";
        Capabilities::new(model, Workers::Runtime, BlockingHandlers::Offloaded)
    }

    fn serve(&self, listener: Listener, service: Arc<Service>, stop: &Stop) -> io::Result<Report> {
        let (server, acceptor) = Server::open(self, &listener, service, stop)?;
        let spawned = self.spawn(listener, acceptor, server.failure());
        server.close(spawned)
    }
}

impl OnRuntime {
    /// Starts the task that accepts. Its end shows in that of the acceptor.
    fn spawn(&self, listener: Listener, acceptor: Acceptor, failure: Failure) -> io::Result<()> {
        let _entered = self.0.enter();
        let register = || socket::register(listener, Interest::READABLE);
        // tokio panics where the runtime has no I/O driver, and says so on standard error.
        let listener = catch_unwind(AssertUnwindSafe(register)).unwrap_or_else(|_| {
            Err(io::Error::other("the tokio runtime can't wait for sockets; build it with `enable_io`"))
        })?;
        self.0.spawn(async move {
            if let Err(error) = accept(listener, acceptor).await {
                failure.report(error);
            }
        });
        Ok(())
    }
}
