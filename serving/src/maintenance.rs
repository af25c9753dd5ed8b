//! The maintenance thread: one for a server. It looks after deadlines, the stop, and sockets that linger.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::lingering::Lingering;
use crate::state::{Phase, State};
use crate::{Stop, Urgency};
use common::Limits;

/// What the maintenance thread does. It sweeps over the open connections and wakes those whose deadline has passed. So a
/// deadline costs a connection a store to memory, and a message no timer; it is never early, and late by one sweep at most.
pub(crate) struct Maintenance {
    state: Arc<State>,
    stop: Stop,
    /// Set when the conversations have ended, so that only lingering sockets are waited for.
    finishing: Arc<AtomicBool>,
    lingering: Lingering,
    interval: Duration,
    drain_until: Option<Instant>,
}

/// A sweep comes after an eighth of the shortest deadline, within these bounds.
const SHORTEST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_millis(250);

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
            // Looked at first: the last socket began to linger before the server had ended.
            let finishing = self.finishing.load(Ordering::SeqCst);
            let unlingered = self.lingering.admit(self.state.fetch_lingering(), self.state.clock.now());
            if unlingered > 0 {
                self.state.count(|counted| counted.unlingered += unlingered);
            }
            if self.state.wants_descriptors() {
                self.lingering.spare();
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

    /// Follows what the stop says.
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
            self.interval = SHORTEST;
        }
        self.state.enter(phase.max(Phase::Serving));
    }

    /// Waits until it is notified, there is input to discard, or the time has passed.
    fn wait(&mut self, timeout: Duration) {
        match self.state.notifier.wait_any(&self.lingering.sockets(), Some(timeout)) {
            Ok(ready) => self.lingering.discard(&ready),
            // For want of memory: the next sweep may find some.
            Err(_) => std::thread::sleep(timeout.min(SHORTEST)),
        }
    }
}

/// A drain timeout that is beyond the clock's range is as good as this.
const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

fn interval(limits: &Limits) -> Duration {
    let deadlines = [limits.idle_timeout, Some(limits.message_timeout), Some(limits.write_timeout)];
    let shortest = deadlines.into_iter().flatten().min().unwrap_or(LONGEST);
    (shortest / 8).clamp(SHORTEST, LONGEST)
}
