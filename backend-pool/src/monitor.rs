//! The monitor: a thread that spawns helpers when the leader is overloaded.
//!
//! While the leader serves, only the monitor waits in the poller, and queues the clients that become ready. It doesn't serve
//! them. It leaves them to the leader, which usually returns sooner than another worker would wake. If the leader has not
//! waited in the poller for [`LEADER_DELAY`], the monitor spawns a helper. If the leader is known to be overloaded, it does so
//! immediately.
//!
//! Of several waiting threads, the kernel wakes the one that began to wait last. So the monitor waits in the poller only while
//! the leader doesn't, and the leader, before it waits there, lets a woken monitor begin to wait first. Otherwise the monitor
//! would get each event, and would have to wake the leader. At a high rate of messages, the monitor doesn't wait in the poller,
//! but checks the queue at intervals. So a single message costs no wake-up of the monitor, and many messages share one.

use std::io;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use common::sync::{MutexGuard, thread};

use crate::poller::Poller;
use crate::scheduler::{Scheduler, State};

/// How long ready clients are left to the leader.
const LEADER_DELAY: Duration = Duration::from_millis(1);

/// If the leader takes this many clients in that time, the monitor checks the queue at intervals.
const FAST: u64 = 8;

/// How long the leader waits for a woken monitor.
const MONITOR_DELAY: Duration = Duration::from_micros(200);

/// The state of the monitor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Monitor {
    /// Sleeping until it is woken.
    #[default]
    Sleeps,
    /// Woken, but not running yet.
    Woken,
    /// Waiting in the poller.
    Polls,
    /// Running, or waiting for the next check of the queue.
    Runs,
}

impl<P: Poller> Scheduler<P> {
    /// Starts the monitor.
    pub(crate) fn start_monitor(self: &Arc<Self>) -> io::Result<()> {
        let scheduler = Arc::clone(self);
        let monitor = move || scheduler.failure.watch(|| scheduler.monitor());
        thread::Builder::new().name("monitor".into()).spawn(monitor).map(drop)
    }

    /// Wakes the monitor if it is needed. Call this when the leader has begun to serve or a helper has ended.
    pub(crate) fn wake_monitor(&self, state: &mut State) {
        if state.monitor == Monitor::Sleeps && self.needs_monitor(state) {
            state.monitor = Monitor::Woken;
            self.monitor_changed.notify_one();
        }
    }

    /// Lets a woken monitor begin to wait in the poller before the leader. This only saves wake-ups, so the leader
    /// continues if the monitor takes too long.
    pub(crate) fn await_monitor<'a>(&'a self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        match state.monitor {
            Monitor::Woken => self.wait_timeout(state, MONITOR_DELAY),
            _ => state,
        }
    }

    /// Waits for a change of the monitor's state, for `timeout` at most. The model of the scheduler has its own.
    #[cfg(not(all(test, shuttle)))]
    fn wait_timeout<'a>(&self, state: MutexGuard<'a, State>, timeout: Duration) -> MutexGuard<'a, State> {
        self.monitor_changed.wait_timeout(state, timeout).unwrap_or_else(PoisonError::into_inner).0
    }

    /// Whether the monitor is needed: the leader is serving, and another worker could help.
    fn needs_monitor(&self, state: &State) -> bool {
        !state.leader.waiting && state.helpers < self.max_helpers()
    }

    fn monitor(self: &Arc<Self>) -> io::Result<()> {
        let mut events = P::events();
        let mut fast = false;
        let mut state = self.state();
        while !state.stopped {
            let needed = self.needs_monitor(&state);
            if !needed && !fast {
                self.enter(Monitor::Sleeps, &mut state);
                state = self.monitor_changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            } else if state.unattended() == 0 && !fast {
                self.enter(Monitor::Polls, &mut state);
                drop(state);
                let reported = self.poller.wait(&mut events, None)?;
                state = self.state();
                self.enter(Monitor::Runs, &mut state);
                self.mark_ready(reported, &mut state);
                self.wake_waiting(&state);
            } else if needed && state.unattended() > 0 && state.leader.overloaded {
                let count = state.unattended();
                self.spawn_helpers(count, &mut state);
            } else {
                self.enter(Monitor::Runs, &mut state);
                (state.leader.has_waited, state.leader.clients) = (false, 0);
                state = self.wait_timeout(state, LEADER_DELAY);
                fast = state.leader.clients >= FAST;
                if !state.leader.has_waited && self.needs_monitor(&state) {
                    state.leader.overloaded = state.leader.clients == 0;
                    let count = state.unattended().min(state.helpers + 1); // at most doubles the serving workers
                    self.spawn_helpers(count, &mut state);
                }
            }
        }
        Ok(())
    }

    fn enter(&self, monitor: Monitor, state: &mut State) {
        if std::mem::replace(&mut state.monitor, monitor) == Monitor::Woken {
            self.monitor_changed.notify_one();
        }
    }

    /// Spawns `count` helpers, but at most as many as there are workers left.
    fn spawn_helpers(self: &Arc<Self>, count: usize, state: &mut State) {
        let count = count.min(self.max_helpers() - state.helpers);
        state.helpers += count;
        state.helpers_spawned += count;
        for _ in 0..count {
            let scheduler = Arc::clone(self);
            self.pool.spawn(move || scheduler.help());
        }
    }
}
