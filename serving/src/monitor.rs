//! Observes a running server.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use crate::published::Published;
use crate::running::End;
use crate::statistics::Statistics;
use crate::{Backend, Stop, Urgency};
use common::{Address, Limits, Overload, ReadyCheck, Service, guarded};

/// Observes a server that was [started](crate::start), from any thread and also after its end. It doesn't keep the server
/// running. [`Running::monitor`](crate::Running::monitor) returns it.
#[derive(Clone)]
pub struct Monitor {
    shared: Arc<Shared>,
    pub(crate) end: Arc<End>,
}

struct Shared {
    backend: &'static str,
    address: Address,
    limits: Limits,
    started: SystemTime,
    stop: Stop,
    published: Arc<Published>,
    ready_check: Option<ReadyCheck>,
    /// Whether a stop was announced.
    is_announced: AtomicBool,
}

/// Why a load balancer should send a server no more clients. [`Monitor::readiness`] returns it; `Display` is one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotReady {
    /// A stop was [announced](crate::Running::announce_stop).
    Stopping,
    /// The server drains its clients, or cuts them.
    Draining,
    /// The server has ended.
    Ended,
    /// The server [refuses](Overload::Refuse) clients, since as many are connected as may be.
    Full {
        /// This number.
        max_connections: usize,
    },
    /// What the service depends on [is not available](Service::with_ready_check).
    Unavailable,
}

impl fmt::Display for NotReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopping => f.write_str("the server is about to stop"),
            Self::Draining => f.write_str("the server is draining"),
            Self::Ended => f.write_str("the server has ended"),
            Self::Full { max_connections } => {
                write!(
                    f,
                    "the server is full: max_connections is {max_connections}, and it refuses more clients"
                )
            }
            Self::Unavailable => f.write_str("what the service depends on is not available"),
        }
    }
}

impl Error for NotReady {}

impl Monitor {
    pub(crate) fn new(backend: &dyn Backend, address: Address, service: &Service) -> Self {
        let shared = Shared {
            backend: backend.name(),
            address,
            limits: service.limits,
            started: SystemTime::now(),
            stop: Stop::new(),
            published: Arc::default(),
            ready_check: service.ready_check.clone(),
            is_announced: AtomicBool::new(false),
        };
        Self { shared: Arc::new(shared), end: Arc::default() }
    }

    /// The name of the backend.
    pub fn backend(&self) -> &'static str {
        self.shared.backend
    }

    /// The address of the listener.
    pub fn address(&self) -> &Address {
        &self.shared.address
    }

    /// The limits on clients. The maximum number of connections is the smaller one of the service's and the backend's.
    pub fn limits(&self) -> Limits {
        let Shared { limits, published, .. } = &*self.shared;
        limits.with_max_connections(published.max_connections().unwrap_or(limits.max_connections))
    }

    /// When the server was started.
    pub fn started(&self) -> SystemTime {
        self.shared.started
    }

    /// What the server has counted so far: up to 250 ms old while it serves, and equal to its report once it has ended.
    /// The call takes no lock that is held while clients are served.
    pub fn statistics(&self) -> Statistics {
        self.shared.published.statistics()
    }

    /// Whether a load balancer should send the server more clients. Whether the server is full is known from the
    /// [statistics](Self::statistics), so it is as old as they are.
    ///
    /// # Errors
    /// Why it should send none.
    pub fn readiness(&self) -> Result<(), NotReady> {
        let Shared { limits, stop, published, ready_check, .. } = &*self.shared;
        let max_connections = published.max_connections().filter(|_| limits.overload == Overload::Refuse);
        let is_full = |max: &usize| published.statistics().open() >= *max as u64;
        let is_available = |check: &ReadyCheck| guarded(|| check()) == Some(true);
        if self.is_finished() {
            Err(NotReady::Ended)
        } else if stop.urgency() != Urgency::None || published.is_stopping() {
            Err(NotReady::Draining)
        } else if self.shared.is_announced.load(Ordering::Relaxed) {
            Err(NotReady::Stopping)
        } else if let Some(max_connections) = max_connections.filter(is_full) {
            Err(NotReady::Full { max_connections })
        } else if !ready_check.as_ref().is_none_or(is_available) {
            Err(NotReady::Unavailable)
        } else {
            Ok(())
        }
    }

    /// Whether the server has ended.
    pub fn is_finished(&self) -> bool {
        self.end.is_set()
    }

    pub(crate) fn stop(&self) -> &Stop {
        &self.shared.stop
    }

    /// The handle with which the server runs.
    pub(crate) fn publishing(&self) -> Stop {
        self.shared.stop.publishing(&self.shared.published)
    }

    pub(crate) fn announce_stop(&self) {
        self.shared.is_announced.store(true, Ordering::Relaxed);
    }
}

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut monitor = f.debug_struct("Monitor");
        monitor.field("backend", &self.backend()).field("address", self.address());
        monitor.field("stop", self.stop()).field("statistics", &self.statistics());
        monitor.field("is_finished", &self.is_finished()).finish()
    }
}
