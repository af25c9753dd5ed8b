//! The maintenance thread of a server: handles deadlines, the stop, and lingering sockets.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::lingering::Lingering;
use crate::state::{Phase, State};
use crate::{Stop, Urgency};
use common::Limits;

/// The maintenance thread. It sweeps over the open connections and wakes those whose deadline has passed. So setting a
/// deadline costs one store to memory. A deadline is never early, and late by one sweep at most.
pub(crate) struct Maintenance {
    state: Arc<State>,
    stop: Stop,
    /// Set when all conversations have ended. Then the thread ends when no socket lingers.
    finishing: Arc<AtomicBool>,
    lingering: Lingering,
    interval: Duration,
    drain_until: Option<Instant>,
}

/// The interval between sweeps is an eighth of the shortest timeout, within these bounds.
const MIN_INTERVAL: Duration = Duration::from_millis(10);
const MAX_INTERVAL: Duration = Duration::from_millis(250);

impl Maintenance {
    pub(crate) fn new(state: Arc<State>, stop: Stop, finishing: Arc<AtomicBool>) -> Self {
        let interval = interval(&state.service.limits);
        let lingering = Lingering::new(state.max_connections);
        Self { state, stop, finishing, lingering, interval, drain_until: None }
    }

    /// Runs until the server has ended and no socket lingers.
    pub(crate) fn run(mut self) {
        let mut sweep_at = self.state.clock.now() + self.interval;
        loop {
            self.follow_stop();
            // Read first: the last sockets were queued to linger before it was set.
            let finishing = self.finishing.load(Ordering::SeqCst);
            let unlingered = self.lingering.add(self.state.take_lingering(), self.state.clock.now());
            if unlingered > 0 {
                self.state.count(|counted| counted.unlingered += unlingered);
            }
            if self.state.take_descriptors_request() {
                self.lingering.close_acknowledged();
            }
            let cut = self.state.phase() == Phase::Cut;
            if finishing && (cut || self.lingering.is_empty()) {
                return;
            }
            let now = self.state.clock.now();
            let accept_at = self.state.acceptor.deadline(self.state.start);
            if now >= sweep_at || accept_at.is_some_and(|accept_at| now >= accept_at) {
                self.state.sweep();
                self.lingering.expire(now);
                sweep_at = now + self.interval;
            }
            let signal_at = self.state.signalled.signal_again(now);
            let others = [accept_at.filter(|&accept_at| now < accept_at), self.drain_until, signal_at];
            let until = others.into_iter().flatten().fold(sweep_at, Instant::min);
            self.wait(until.saturating_duration_since(now));
        }
    }

    /// Enters the phase that the stop or the drain deadline requires.
    fn follow_stop(&mut self) {
        let mut phase = match self.stop.urgency() {
            Urgency::None => self.state.phase(),
            Urgency::Drain => Phase::Draining,
            Urgency::Now => Phase::Cut,
        };
        if phase >= Phase::Draining {
            let now = self.state.clock.now();
            let timeout = self.state.service.limits.drain_timeout;
            let until =
                *self.drain_until.get_or_insert_with(|| now.checked_add(timeout).unwrap_or(now + YEAR));
            if now >= until {
                phase = Phase::Cut;
            }
        }
        if phase == Phase::Cut {
            self.drain_until = None;
            self.interval = MIN_INTERVAL;
        }
        self.state.enter(phase.max(Phase::Serving));
    }

    /// Waits for a notification, for input to discard, or until the timeout.
    fn wait(&mut self, timeout: Duration) {
        match self.state.notifier.wait_any(&self.lingering.polled(), Some(timeout)) {
            Ok(ready) => self.lingering.discard(&ready),
            // The system is out of memory, which may be temporary.
            Err(_) => std::thread::sleep(timeout.min(MIN_INTERVAL)),
        }
    }
}

/// Replaces a drain timeout beyond the range of the clock.
const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

fn interval(limits: &Limits) -> Duration {
    let deadlines = [limits.message_timeout, limits.write_timeout, limits.answer_timeout];
    let shortest = deadlines.into_iter().chain(limits.idle_timeout).min().unwrap_or(MAX_INTERVAL);
    (shortest / 8).clamp(MIN_INTERVAL, MAX_INTERVAL)
}
