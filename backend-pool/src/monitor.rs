//! The monitor: a thread that has others help when the leader can't cope.
//!
//! While the leader serves, nobody but the monitor waits at the poller, and so it learns who becomes ready meanwhile. It
//! doesn't serve. It leaves them to the leader, which is there sooner than a worker that has to be woken, unless that
//! proves wrong: if the leader has not come back to the poller for [`PATIENCE`], a helper is spawned. Where the leader is
//! known to be overloaded, that is at once.
//!
//! The kernel wakes the one who began to wait last. So the monitor goes to the poller only while the leader isn't there,
//! and the leader, before it goes there itself, waits for a monitor that was woken. Otherwise each event would go to
//! the monitor, which has to wake the leader. Where messages come fast, the monitor stays away from the poller and looks
//! at the queue by the clock. So a message costs no wake-up of the monitor where messages come one by one, and a small
//! part of one where they come fast.

use std::io;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::poller::Poller;
use crate::scheduler::{Scheduler, State};

/// For so long a client that is ready is left to those who are at work.
const PATIENCE: Duration = Duration::from_millis(1);

/// If the leader takes so many clients in that time, it takes less to look by the clock than to be woken by events.
const FAST: u64 = 8;

/// For so long the leader waits for a monitor that was woken.
const ARRIVAL: Duration = Duration::from_micros(200);

/// What the monitor does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Monitor {
    /// It sleeps until it is woken.
    #[default]
    Sleeps,
    /// It was woken, and does nothing yet.
    Woken,
    /// It waits at the poller.
    Waits,
    /// It looks at the queue.
    Looks,
}

impl<P: Poller> Scheduler<P> {
    /// Starts the monitor.
    pub(crate) fn start_monitor(self: &Arc<Self>) -> io::Result<()> {
        let scheduler = Arc::clone(self);
        let monitor = move || scheduler.failure.watch(|| scheduler.monitor());
        thread::Builder::new().name("monitor".into()).spawn(monitor).map(drop)
    }

    /// Wakes the monitor if it is needed. To be called whenever the leader has begun to serve, or a helper has ended.
    pub(crate) fn wake_monitor(&self, state: &mut State) {
        if state.monitor == Monitor::Sleeps && self.needs_monitor(state) {
            state.monitor = Monitor::Woken;
            self.monitor_woken.notify_one();
        }
    }

    /// Waits for a monitor that was woken, so that it is at the poller before the leader. This saves wake-ups, and
    /// nothing else depends on it: where the monitor doesn't come in time the leader goes on.
    pub(crate) fn await_monitor<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let is_woken = |state: &mut State| state.monitor == Monitor::Woken;
        let waited = self.monitor_arrived.wait_timeout_while(state, ARRIVAL, is_woken);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Whether the monitor is needed: the leader is at work, and a worker could help.
    fn needs_monitor(&self, state: &State) -> bool {
        !state.leader.is_waiting() && state.helpers < self.most_helpers()
    }

    fn monitor(self: &Arc<Self>) -> io::Result<()> {
        let mut events = P::events();
        let mut fast = false;
        let mut state = self.state();
        while !state.stopped {
            let needed = self.needs_monitor(&state);
            if !needed && !fast {
                self.enter(Monitor::Sleeps, &mut state);
                state = self.monitor_woken.wait(state).unwrap_or_else(PoisonError::into_inner);
            } else if state.unattended() == 0 && !fast {
                self.enter(Monitor::Waits, &mut state);
                drop(state);
                let reported = self.poller.wait(&mut events, None)?;
                state = self.state();
                self.enter(Monitor::Looks, &mut state);
                self.mark_ready(reported, &mut state);
                self.wake_waiting(&state);
            } else if needed && state.unattended() > 0 && state.leader.overloaded {
                let count = state.unattended();
                self.spawn_helpers(count, &mut state);
            } else {
                self.enter(Monitor::Looks, &mut state);
                let before = state.leader;
                let waited = self.monitor_woken.wait_timeout(state, PATIENCE);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
                let clients = state.leader.clients_since(&before);
                fast = clients >= FAST;
                if !state.leader.has_waited_since(&before) && self.needs_monitor(&state) {
                    state.leader.overloaded = clients == 0;
                    let count = state.unattended().min(state.helpers + 1); // at most twice as many are at work then
                    self.spawn_helpers(count, &mut state);
                }
            }
        }
        Ok(())
    }

    fn enter(&self, monitor: Monitor, state: &mut State) {
        if std::mem::replace(&mut state.monitor, monitor) == Monitor::Woken {
            self.monitor_arrived.notify_one();
        }
    }

    /// Spawns so many helpers, as far as there are workers for them.
    fn spawn_helpers(self: &Arc<Self>, count: usize, state: &mut State) {
        let count = count.min(self.most_helpers() - state.helpers);
        state.helpers += count;
        state.helpers_spawned += count;
        for _ in 0..count {
            let scheduler = Arc::clone(self);
            self.pool.spawn(move || scheduler.help());
        }
    }
}
