//! The backend that is being tried, and how long to wait for it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{env, fmt, fs, process};

use common::{Address, Service};
use serving::{Backend, Listener};

use crate::server::Server;

/// The backend that is being tried, and how long to wait for it.
pub struct Subject {
    backend: Arc<dyn Backend>,
    patience: Duration,
    test: Option<String>,
    transport: Transport,
    paths: Paths,
    is_transformed: bool,
}

/// What the clients connect over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Transport {
    /// TCP, on the loopback device.
    #[default]
    Tcp,
    /// Unix sockets.
    Unix,
}

/// The paths of Unix sockets, which are removed with this.
#[derive(Default)]
struct Paths(Mutex<Vec<PathBuf>>);

impl Drop for Paths {
    fn drop(&mut self) {
        for path in self.0.get_mut().unwrap_or_else(PoisonError::into_inner) {
            let _ = fs::remove_file(path);
        }
    }
}

/// How the names of the sockets of a process begin.
fn prefix(process: u32) -> String {
    format!("anyloop-kit-{process}-")
}

/// Removes the sockets of a process that was killed.
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
        subject.field("backend", &self.backend.name()).field("patience", &self.patience);
        subject.field("test", &self.test).finish()
    }
}

/// How long is waited for what should come at once. It is only ever waited out by a backend that fails.
const PATIENCE: Duration = Duration::from_secs(10);

impl Subject {
    /// This backend, waited for as long as a loaded machine may need.
    pub fn new(backend: Arc<dyn Backend>) -> Self {
        let (transport, paths, is_transformed) = Default::default();
        Self { backend, patience: PATIENCE, test: None, transport, paths, is_transformed }
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

    /// The same, over this transport.
    pub fn over(self, transport: Transport) -> Self {
        Self { transport, ..self }
    }

    /// What the clients connect over.
    pub(crate) fn transport(&self) -> Transport {
        self.transport
    }

    /// The address of a Unix socket whose path nobody else has. It is removed with the subject.
    pub(crate) fn path_of_its_own(&self) -> Address {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("{}{number}", prefix(process::id())));
        self.paths.0.lock().unwrap_or_else(PoisonError::into_inner).push(path.clone());
        Address::Unix(Some(path.into()))
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
    pub(crate) fn serve_on(&self, listener: impl Into<Listener>, service: Service) -> Server {
        Server::start_on(self, listener.into(), service, None)
    }

    /// Has it serve on sockets whose buffers are about so many bytes, at both ends.
    pub(crate) fn serve_with_buffers(&self, service: Service, bytes: usize) -> Server {
        Server::start(self, service, Some(bytes))
    }
}
