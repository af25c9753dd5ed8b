//! The maintenance of a server: handles deadlines, the stop, and lingering sockets.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::lingering::Lingering;
use crate::state::{Phase, State};
use crate::{Notifier, Stop, Urgency};
use common::{Limits, canary};

/// The work of the maintenance thread. It sweeps over the open connections and wakes those whose deadline has passed. So setting
/// a deadline costs one store to memory. A deadline is never early, and late by one sweep at most.
#[derive(Debug)]
pub(crate) struct Maintenance {
    state: Arc<State>,
    stop: Stop,
    lingering: Lingering,
    interval: Duration,
    sweep_at: Instant,
    drain_until: Option<Instant>,
}

/// The interval between sweeps is an eighth of the shortest timeout, within these bounds.
const MIN_INTERVAL: Duration = Duration::from_millis(10);
const MAX_INTERVAL: Duration = Duration::from_millis(250);

impl Maintenance {
    /// `max_descriptors` is the system's limit, if it has one.
    pub(crate) fn new(state: Arc<State>, stop: Stop, max_descriptors: Option<usize>) -> Self {
        let interval = interval(&state.service.limits);
        let lingering = Lingering::new(state.max_connections, max_descriptors);
        let sweep_at = state.start + interval;
        Self { state, stop, lingering, interval, sweep_at, drain_until: None }
    }

    /// Runs on this thread until the server has ended and no socket lingers.
    pub(crate) fn run(mut self, notifier: &Notifier) {
        while let Some(timeout) = self.tick() {
            match notifier.wait_any(&self.lingering.polled(), Some(timeout)) {
                Ok(ready) => self.lingering.discard(&ready),
                // The system is out of memory, which may be temporary.
                Err(_) => std::thread::sleep(timeout.min(MIN_INTERVAL)),
            }
        }
    }

    /// Does what is due. Returns for how long to wait, unless its waker is woken or input is to be discarded before. `None` when
    /// the server has ended and no socket lingers.
    pub(crate) fn tick(&mut self) -> Option<Duration> {
        self.follow_stop();
        // Read first: the last sockets were queued to linger before it was set.
        let finishing = self.state.is_finishing();
        let unlingered = self.lingering.add(self.state.take_lingering(), self.state.clock.now());
        if unlingered > 0 {
            self.state.count(|counted| counted.unlingered += unlingered);
        }
        if self.state.take_descriptors_request() {
            self.lingering.close_acknowledged();
        }
        let cut = self.state.phase() == Phase::Cut;
        if finishing && (cut || self.lingering.is_empty()) {
            return None;
        }
        let now = self.state.clock.now();
        let accept_at = self.state.acceptor.deadline(self.state.start);
        if now >= self.sweep_at || accept_at.is_some_and(|accept_at| now >= accept_at) {
            self.state.sweep();
            self.lingering.expire(now);
            self.sweep_at = now + self.interval * if canary!("sweeps too late") { 3 } else { 1 };
        }
        let signal_at = self.state.signalled.signal_again(now);
        let others = [accept_at.filter(|&accept_at| now < accept_at), self.drain_until, signal_at];
        let until = others.into_iter().flatten().fold(self.sweep_at, Instant::min);
        Some(until.saturating_duration_since(now))
    }

    /// When the next sweep is due.
    pub(crate) fn sweep_at(&self) -> Instant {
        self.sweep_at
    }

    /// The interval between sweeps.
    pub(crate) fn interval(&self) -> Duration {
        self.interval
    }

    /// Enters the phase that the stop or the drain deadline requires.
    fn follow_stop(&mut self) {
        if self.stop.is_handed_over() && !canary!("forgets the hand-over") {
            self.state.share_listener();
        }
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
            if now >= until && !canary!("forgets the drain deadline") {
                phase = Phase::Cut;
            }
        }
        if phase == Phase::Cut {
            self.drain_until = None;
            self.interval = MIN_INTERVAL;
        }
        self.state.enter(phase.max(Phase::Serving));
    }
}

/// Replaces a drain timeout beyond the range of the clock.
const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

fn interval(limits: &Limits) -> Duration {
    let deadlines = [limits.message_timeout, limits.write_timeout, limits.answer_timeout];
    let shortest = deadlines.into_iter().chain(limits.idle_timeout).min().unwrap_or(MAX_INTERVAL);
    (shortest / 8).clamp(MIN_INTERVAL, MAX_INTERVAL)
}
