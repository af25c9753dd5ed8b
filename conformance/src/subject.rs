//! The backend that is being tried, and how long to wait for it.

use std::fmt;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use common::Service;
use serving::Backend;

use crate::server::Server;

/// The backend that is being tried, and how long to wait for it.
pub struct Subject {
    backend: Arc<dyn Backend>,
    patience: Duration,
    test: Option<String>,
    is_transformed: bool,
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut subject = f.debug_struct("Subject");
        subject.field("backend", &self.backend.name()).field("patience", &self.patience);
        subject.field("test", &self.test).finish()
    }
}

/// How long is waited for what should come at once. It is only ever waited out by a backend that fails.
const PATIENCE: Duration = Duration::from_secs(10);

impl Subject {
    /// This backend, waited for as long as a loaded machine may need.
    pub fn new(backend: Arc<dyn Backend>) -> Self {
        Self { backend, patience: PATIENCE, test: None, is_transformed: false }
    }

    /// The same, waited for so long.
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// The same, tried by the test of this path (`module_path!()` and the name), which can be run once more
    /// in a process of its own.
    pub fn tested_as(self, path: &str) -> Self {
        // The harness knows a test without the name of its crate.
        let test = path.split_once("::").map(|(_, test)| test.to_owned());
        Self { test, ..self }
    }

    /// The same, with all clients talking through a transform, of which the cases know nothing.
    pub fn through_a_transform(self) -> Self {
        Self { is_transformed: true, ..self }
    }

    /// Whether all clients talk through a transform.
    pub(crate) fn is_transformed(&self) -> bool {
        self.is_transformed
    }

    /// The backend.
    pub(crate) fn backend(&self) -> &Arc<dyn Backend> {
        &self.backend
    }

    /// How long is waited for what should come.
    pub(crate) fn patience(&self) -> Duration {
        self.patience
    }

    /// The name of the test that tries it, for the harness.
    pub(crate) fn test(&self) -> Option<&str> {
        self.test.as_deref()
    }

    /// Has it serve.
    pub(crate) fn serve(&self, service: Service) -> Server {
        Server::start(self, service, None)
    }

    /// Has it serve on a listener of which there is no duplicate.
    pub(crate) fn serve_alone(&self, service: Service) -> Server {
        Server::start_alone(self, service)
    }

    /// Has it serve on this listener.
    pub(crate) fn serve_on(&self, listener: TcpListener, service: Service) -> Server {
        Server::start_on(self, listener, service, None)
    }

    /// Has it serve on sockets whose buffers are about so many bytes, at both ends.
    pub(crate) fn serve_with_buffers(&self, service: Service, bytes: usize) -> Server {
        Server::start(self, service, Some(bytes))
    }
}
