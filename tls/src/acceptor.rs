//! TLS of a server.

use std::fmt;
use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use common::{Client, Transform};

use crate::AcceptorSettings;
use crate::certificates::Certificates;
use crate::engine::{Server, Tickets};

/// TLS of a server: it creates the [`Transform`] of each client, and reloads certificates.
///
/// ```no_run
/// use std::sync::Arc;
///
/// use anyloop::handlers::Echo;
/// use anyloop::{Framing, Service};
/// use anyloop_tls::{Acceptor, AcceptorSettings};
///
/// # fn main() -> std::io::Result<()> {
/// let settings = AcceptorSettings::default().with_certificate("server.crt", "server.key");
/// let acceptor = Arc::new(Acceptor::new(settings)?);
/// acceptor.warnings().iter().for_each(|warning| eprintln!("{warning}"));
/// let made = Arc::clone(&acceptor);
/// let service = Service::framed(Arc::new(Echo), Framing::Line).with_transform(move |client| made.transform(client));
/// # let _ = service;
/// // Later, when the certificate was renewed:
/// if let Err(error) = acceptor.reload() {
///     eprintln!("the certificates in use are kept: {error}");
/// }
/// # Ok(())
/// # }
/// ```
pub struct Acceptor {
    settings: AcceptorSettings,
    /// They outlive a reload, so that sessions can be resumed after it.
    tickets: Tickets,
    current: Mutex<Current>,
    reloads: AtomicU64,
    failed_reloads: AtomicU64,
}

/// What was loaded last.
#[derive(Clone)]
struct Current {
    server: Server,
    certificates: Arc<Certificates>,
}

impl Acceptor {
    /// Loads the files of these settings.
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) if the settings or the content of a file are wrong, and the kind of the
    /// system's error if a file can't be read. The message names the file.
    pub fn new(settings: AcceptorSettings) -> io::Result<Self> {
        check_alpn(&settings.alpn)?;
        let tickets = Tickets::new()?;
        let current = Mutex::new(Current::load(&settings, &tickets)?);
        Ok(Self { settings, tickets, current, reloads: AtomicU64::new(0), failed_reloads: AtomicU64::new(0) })
    }

    /// Creates the transform of a client. It uses the certificates that were loaded last.
    pub fn transform(&self, client: &Client) -> Box<dyn Transform> {
        let server = self.current.lock().unwrap_or_else(PoisonError::into_inner).server.clone();
        server.transform(&client.peer)
    }

    /// Loads all files again, for clients that connect from now on. Connections that exist are not affected.
    ///
    /// # Errors
    /// Those of [`new`](Self::new). What was loaded before stays in use.
    pub fn reload(&self) -> io::Result<()> {
        let loaded = Current::load(&self.settings, &self.tickets);
        let count = if loaded.is_ok() { &self.reloads } else { &self.failed_reloads };
        count.fetch_add(1, Ordering::Relaxed);
        let last =
            std::mem::replace(&mut *self.current.lock().unwrap_or_else(PoisonError::into_inner), loaded?);
        drop(last); // not under the lock
        Ok(())
    }

    /// The number of certificates that were loaded last.
    pub fn certificate_count(&self) -> usize {
        self.current().certificates.count
    }

    /// The certificates of those that were loaded last that have expired, or are not valid yet: a sentence for each.
    pub fn warnings(&self) -> Vec<String> {
        self.current().certificates.warnings.clone()
    }

    /// How often the files were reloaded.
    pub fn reloads(&self) -> u64 {
        self.reloads.load(Ordering::Relaxed)
    }

    /// How often reloading failed, so that what was loaded before stayed in use.
    pub fn failed_reloads(&self) -> u64 {
        self.failed_reloads.load(Ordering::Relaxed)
    }

    fn current(&self) -> Current {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acceptor").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Current {
    fn load(settings: &AcceptorSettings, tickets: &Tickets) -> io::Result<Self> {
        let certificates = Arc::new(Certificates::load(settings, SystemTime::now())?);
        let authorities = settings.client_authorities.as_deref();
        let server = Server::new(Arc::clone(&certificates), authorities, &settings.alpn, tickets)?;
        Ok(Self { server, certificates })
    }
}

/// Checks that application protocols have names that can be sent.
pub(crate) fn check_alpn(names: &[Vec<u8>]) -> io::Result<()> {
    let Some(name) = names.iter().find(|name| !(1..=255).contains(&name.len())) else { return Ok(()) };
    let error = format!("the name of an application protocol has 1 to 255 bytes, and not {}", name.len());
    Err(io::Error::new(ErrorKind::InvalidInput, error))
}
