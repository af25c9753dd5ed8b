//! A server without threads.

use std::io;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use common::{Address, Clock, Service};

use crate::acceptor::Acceptor;
use crate::maintenance::Maintenance;
use crate::state::State;
use crate::stop::Registration;
use crate::{Report, Statistics, Stop};

/// A server without threads and without a listener, for simulations and for other programs that decide themselves when each of
/// its parts runs, and at which time. Its sockets are [`Accepted`](crate::Accepted) and [`Transport`](crate::Transport).
///
/// Accept with the [`Acceptor`] as its documentation describes, drive the conversations, and call [`tick`](Self::tick) as it
/// asks for. A [`Server`](crate::Server) does the same by its maintenance thread.
#[derive(Debug)]
pub struct ManualServer {
    state: Arc<State>,
    maintenance: Maintenance,
    _registration: Registration,
}

impl ManualServer {
    /// A server whose time is that of `clock`. `address` is that of its listener. `waker` is woken when [`tick`](Self::tick) must
    /// be called earlier than it has said.
    pub fn new(
        service: Arc<Service>,
        stop: &Stop,
        clock: Clock,
        address: Address,
        waker: Waker,
    ) -> (Self, Acceptor) {
        let registration = stop.register(waker.clone());
        let max_connections = service.limits.max_connections;
        let state = State::new(service, max_connections, stop.published(), clock, waker);
        let maintenance = Maintenance::new(Arc::clone(&state), stop.clone(), None);
        let acceptor = Acceptor::new(Arc::clone(&state), address);
        (Self { state, maintenance, _registration: registration }, acceptor)
    }

    /// Does what is due: deadlines, the stop, and the lingering close. Returns for how long to wait before the next call, unless
    /// the waker is woken before. `None` once the [`Acceptor`] was dropped, all conversations have ended and no socket lingers.
    pub fn tick(&mut self) -> Option<Duration> {
        if self.state.ending.has_begun() && self.state.open() == 0 && !self.state.is_finishing() {
            self.state.finish();
        }
        self.maintenance.tick()
    }

    /// The interval between sweeps over the deadlines: a deadline is late by at most this time.
    pub fn sweep_interval(&self) -> Duration {
        self.maintenance.interval()
    }

    /// When the next sweep is due, by the clock of the server. A [`tick`](Self::tick) also sweeps when a pause in accepting ends,
    /// and then puts off the next sweep.
    pub fn next_sweep(&self) -> Instant {
        self.maintenance.sweep_at()
    }

    /// The current statistics.
    pub fn statistics(&self) -> Statistics {
        self.state.statistics()
    }

    /// Ends counting, and returns the final statistics.
    ///
    /// # Errors
    /// The error that broke the listener.
    pub fn close(self) -> io::Result<Report> {
        let report = self.state.close();
        self.state.ending.cause(Duration::ZERO).map(|()| report)
    }
}
