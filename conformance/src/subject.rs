//! The backend under test, and how it is tested.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{env, fmt, fs, process};

use common::{Address, Service, Transform};
use serving::{Backend, Listener};

use crate::ends::Transforms;
use crate::server::Server;

/// The backend under test, the transport of its connections, and the timeout of waits.
pub struct Subject {
    backend: Arc<dyn Backend>,
    timeout: Duration,
    test: Option<String>,
    transport: Transport,
    paths: Paths,
    transforms: Option<Transforms>,
}

/// The transport of the connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Transport {
    /// TCP on the loopback interface.
    #[default]
    Tcp,
    /// Unix sockets.
    Unix,
}

/// The paths of Unix sockets, which are removed on drop.
#[derive(Default)]
struct Paths(Mutex<Vec<PathBuf>>);

impl Drop for Paths {
    fn drop(&mut self) {
        for path in self.0.get_mut().unwrap_or_else(PoisonError::into_inner) {
            let _ = fs::remove_file(path);
        }
    }
}

/// The prefix of the names of a process's sockets.
fn prefix(process: u32) -> String {
    format!("anyloop-kit-{process}-")
}

/// Removes the sockets of a killed process.
pub(crate) fn remove_sockets_of(process: u32) {
    let prefix = prefix(process);
    for entry in fs::read_dir(env::temp_dir()).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(&prefix) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut subject = f.debug_struct("Subject");
        subject.field("backend", &self.backend.name()).field("timeout", &self.timeout);
        subject.field("test", &self.test).finish()
    }
}

/// The timeout of waits. It expires only if a backend fails.
const TIMEOUT: Duration = Duration::from_secs(10);

impl Subject {
    /// Tests `backend` with a timeout that suffices on a loaded machine.
    pub fn new(backend: Arc<dyn Backend>) -> Self {
        let (transport, paths, transforms) = Default::default();
        Self { backend, timeout: TIMEOUT, test: None, transport, paths, transforms }
    }

    /// Sets the timeout of waits.
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Sets the path of the calling test (`module_path!()` and its name), so that the test can be run again in a
    /// separate process.
    pub fn with_test_path(self, path: &str) -> Self {
        // The test harness omits the crate from names of tests.
        let test = path.split_once("::").map(|(_, test)| test.to_owned());
        Self { test, ..self }
    }

    /// Sets the transport.
    pub fn over(self, transport: Transport) -> Self {
        Self { transport, ..self }
    }

    /// The transport of the connections.
    pub(crate) fn transport(&self) -> Transport {
        self.transport
    }

    /// Returns a unique path for a Unix socket. It is removed with the subject.
    pub(crate) fn unique_path(&self) -> Address {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("{}{number}", prefix(process::id())));
        self.paths.0.lock().unwrap_or_else(PoisonError::into_inner).push(path.clone());
        Address::Unix(Some(path.into()))
    }

    /// Transforms all bytes of all clients, transparently to the cases.
    pub fn through(self, transforms: Transforms) -> Self {
        Self { transforms: Some(transforms), ..self }
    }

    /// The transforms of all connections, if there are any.
    pub(crate) fn transforms(&self) -> Option<&Transforms> {
        self.transforms.as_ref()
    }

    /// The transform of a client, if there is one.
    pub(crate) fn transform(&self) -> Option<Box<dyn Transform>> {
        self.transforms().map(Transforms::of_client)
    }

    /// The backend.
    pub(crate) fn backend(&self) -> &Arc<dyn Backend> {
        &self.backend
    }

    /// The timeout of waits.
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The name of the calling test, as the test harness knows it.
    pub(crate) fn test(&self) -> Option<&str> {
        self.test.as_deref()
    }

    /// Starts a server.
    pub(crate) fn serve(&self, service: Service) -> Server {
        Server::start(self, service, None)
    }

    /// Starts a server on a listener without a duplicate.
    pub(crate) fn serve_alone(&self, service: Service) -> Server {
        Server::start_alone(self, service)
    }

    /// Starts a server on this listener.
    pub(crate) fn serve_on(&self, listener: impl Into<Listener>, service: Service) -> Server {
        Server::start_on(self, listener.into(), service, None)
    }

    /// Starts a server whose sockets have buffers of about this size, at both ends.
    pub(crate) fn serve_with_buffers(&self, service: Service, bytes: usize) -> Server {
        Server::start(self, service, Some(bytes))
    }
}
