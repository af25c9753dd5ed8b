//! The backend that serves on an existing runtime.

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

/// A task for each connection, on an existing tokio runtime. Create it with [`Tokio::current`] or [`Tokio::on`].
///
/// The runtime may have either flavour, and must have I/O enabled. It must run as long as the server serves. A current-thread
/// runtime runs only within `block_on`, so tasks on it must await the server, and not block until it ends. If the runtime is
/// shut down before the server has stopped, the clients are lost and the server ends with an error.
#[derive(Clone, Debug)]
pub struct OnRuntime(Handle);

impl Tokio {
    /// A backend that serves on the current runtime.
    ///
    /// # Panics
    /// If called outside of a runtime, like [`Handle::current`].
    #[track_caller]
    pub fn current() -> OnRuntime {
        Self::on(Handle::current())
    }

    /// A backend that serves on the runtime of this handle.
    pub fn on(runtime: Handle) -> OnRuntime {
        OnRuntime(runtime)
    }
}

impl Backend for OnRuntime {
    fn name(&self) -> &'static str {
        Tokio.name()
    }

    fn capabilities(&self) -> Capabilities {
        let model = "a task for each connection, on an existing tokio runtime";
        Capabilities::new(model, Workers::Runtime, BlockingHandlers::Offloaded)
    }

    fn serve(&self, listener: Listener, service: Arc<Service>, stop: &Stop) -> io::Result<Report> {
        let (server, acceptor) = Server::open(self, &listener, service, stop)?;
        let spawned = self.spawn(listener, acceptor, server.failure());
        server.close(spawned)
    }
}

impl OnRuntime {
    /// Spawns the task that accepts. The server notices its end, since it drops the acceptor.
    fn spawn(&self, listener: Listener, acceptor: Acceptor, failure: Failure) -> io::Result<()> {
        let _entered = self.0.enter();
        let register = || socket::register(listener, Interest::READABLE);
        // tokio panics if the runtime has no I/O driver.
        let listener = catch_unwind(AssertUnwindSafe(register)).unwrap_or_else(|_| {
            Err(io::Error::other("the tokio runtime has no I/O driver; build it with `enable_io`"))
        })?;
        self.0.spawn(async move {
            if let Err(error) = accept(listener, acceptor).await {
                failure.report(error);
            }
        });
        Ok(())
    }
}
