//! `serve --admin`: metrics and health checks.

use common::Address;
use serving::{Listener, Running};

use crate::arguments::Serve;
use crate::failure::{Failure, print};
use crate::listen::Endpoint;

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
    /// Serves the metrics and health checks of this server, and announces the address.
    pub(crate) fn start(listener: Listener, running: &Running) -> Result<Self, Failure> {
        let admin = admin::start(listener, running.monitor());
        let admin = admin.map_err(|error| Failure::Failed(format!("--admin can't be served: {error}")))?;
        let address = admin.address();
        tracing::info!(%address, "serving metrics and health checks");
        if let Err(error) = print(format!("admin listening on {address}\n").as_bytes()) {
            tracing::warn!(%error, "the address of --admin could not be announced");
        }
        Ok(Self(admin))
    }
}

impl Drop for AdminServer {
    fn drop(&mut self) {
        self.0.stop_now();
        let _ = self.0.wait(); // so that the path of a Unix socket is removed
    }
}
