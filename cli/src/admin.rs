//! `serve --admin`: metrics and health checks.

use std::sync::Arc;

use ::tls::Acceptor;
use common::Address;
use serving::{Listener, Running, Stop};

use crate::arguments::Serve;
use crate::failure::{Failure, print};
use crate::listen::Endpoint;
use crate::tls::Reloads;

/// The server of metrics and health checks, which ends when this is dropped.
#[derive(Debug)]
pub(crate) struct AdminServer(Running);

/// Where to listen for it, if it was asked for. `others` are the addresses of the server itself.
pub(crate) fn endpoint(arguments: &Serve, others: &[Address]) -> Result<Option<Endpoint>, Failure> {
    let Some(target) = &arguments.admin.address else { return Ok(None) };
    let endpoint = Endpoint::resolve("--admin", target, arguments.expose)?;
    let is_other = |address: &Address| others.contains(address);
    let is_free = |address: &Address| address.ip().is_some_and(|ip| ip.port() == 0);
    if endpoint.addresses().iter().any(|address| is_other(address) && !is_free(address)) {
        return Err(Failure::Usage(format!("--admin {target} is where --listen listens; choose another")));
    }
    Ok(Some(endpoint))
}

impl AdminServer {
    /// Serves the metrics and health checks of this server, with those of its certificates, and announces the address.
    pub(crate) fn start(
        listener: Listener,
        running: &Running,
        acceptor: Option<Arc<Acceptor>>,
    ) -> Result<Self, Failure> {
        let monitor = running.monitor();
        let mut registry = admin::registry(&monitor);
        if let Some(acceptor) = acceptor {
            registry.register_collector(Box::new(Reloads(acceptor)));
        }
        let admin = admin::start_with_registry(listener, registry, monitor);
        let admin = admin.map_err(|error| Failure::Failed(format!("--admin can't be served: {error}")))?;
        let address = admin.address();
        tracing::info!(%address, "serving metrics and health checks");
        if let Err(error) = print(format!("admin listening on {address}\n").as_bytes()) {
            tracing::warn!(%error, "the address of --admin could not be announced");
        }
        Ok(Self(admin))
    }
}

impl AdminServer {
    /// Stops it.
    pub(crate) fn stop_handle(&self) -> Stop {
        self.0.stop_handle()
    }
}

impl Drop for AdminServer {
    fn drop(&mut self) {
        self.0.stop_now();
        let _ = self.0.wait(); // so that the path of a Unix socket is removed
    }
}
