//! The clock that a server is given.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

/// The clock of a server: the system's, or another one for tests and simulations in virtual time.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Instant + Send + Sync>);

impl Clock {
    /// A clock whose time is what `now` returns, which must not decrease.
    pub fn new(now: impl Fn() -> Instant + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The current time.
    #[inline]
    pub fn now(&self) -> Instant {
        (self.0)()
    }

    /// Whether both are the same clock.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock").finish_non_exhaustive()
    }
}
