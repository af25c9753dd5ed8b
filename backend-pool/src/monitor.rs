//! The monitor: a thread that has others help when the leader can't cope.
//!
//! While the leader serves, nobody but the monitor waits at the poller, and so it learns who becomes ready meanwhile. It
//! doesn't serve. It leaves them to the leader, which is there sooner than a worker that has to be woken, unless that
//! proves wrong: if a client has waited for [`PATIENCE`], or the leader has had no rest for so long, a helper is spawned.
//! Where handlers are known to be slow, or the leader to be held up by one, that is at once.
//!
//! The kernel wakes the one who began to wait last. So the monitor goes to the poller only while the leader isn't there,
//! and the leader, before it goes there itself, waits for a monitor that is on its way. Otherwise each event would go to
//! the monitor, which has to wake the leader. Once it was woken the monitor stays away for its patience, and as long as
//! messages come fast: it looks at the queue by the clock then. So a message costs no wake-up of the monitor
//! where messages come one by one, and a small part of one where they come fast.

use std::io;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::poller::{Poller, Until};
use crate::serving::{Serving, State};

/// For so long a client that is ready is left to those who are at work.
const PATIENCE: Duration = Duration::from_millis(1);

/// If the leader takes so many clients in that time, it takes less to look by the clock than to be woken by events.
const FAST: u64 = 8;

/// For so long the leader waits for a monitor that is on its way.
const ARRIVAL: Duration = Duration::from_micros(200);

/// Where the monitor is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Monitor {
    /// It sleeps until it is sent for.
    #[default]
    Sleeps,
    /// It was sent for.
    Comes,
    /// It waits at the poller.
    Waits,
    /// It looks after the clients in the queue.
    Looks,
}

impl<P: Poller> Serving<P> {
    /// Starts the monitor.
    pub(crate) fn start_monitor(self: &Arc<Self>) -> io::Result<()> {
        let serving = Arc::clone(self);
        let monitor = move || {
            serving.failure.watch(|| {
                serving.monitor();
                Ok(())
            });
        };
        thread::Builder::new().name("monitor".into()).spawn(monitor).map(drop)
    }

    /// Sends for the monitor if it is needed and sleeps. To be called whenever the leader has begun to serve, or a
    /// helper has ended.
    pub(crate) fn send_for_monitor(&self, state: &mut State) {
        if state.monitor == Monitor::Sleeps && self.needs_monitor(state) {
            state.monitor = Monitor::Comes;
            self.sent_for.notify_one();
        }
    }

    /// Waits for a monitor that was sent for, so that it is at the poller before the leader. This saves wake-ups, and
    /// nothing else depends on it: where the monitor doesn't come in time the leader goes on.
    pub(crate) fn let_monitor_come<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let comes = |state: &mut State| state.monitor == Monitor::Comes;
        let waited = self.has_come.wait_timeout_while(state, ARRIVAL, comes);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Whether there is something to be done for the monitor: the leader is at work, and a worker could help.
    fn needs_monitor(&self, state: &State) -> bool {
        !state.leader_waits && state.helpers < self.most_helpers()
    }

    fn monitor(self: &Arc<Self>) {
        let mut events = P::events();
        let mut state = self.state();
        while !state.dismissed {
            if !self.needs_monitor(&state) {
                state.monitor = Monitor::Sleeps;
                self.has_come.notify_one();
                state = self.sent_for.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            state.monitor = if state.unattended() == 0 { Monitor::Waits } else { Monitor::Looks };
            self.has_come.notify_one();
            if state.monitor == Monitor::Waits {
                drop(state);
                self.poll(&mut events, Until::Event);
                state = self.state();
                state.monitor = Monitor::Looks;
                self.rouse(&events, &mut state);
            }
            state = self.look_after(state);
        }
    }

    /// Looks after those in the queue until they are served, and messages don't come fast any more.
    fn look_after<'a>(self: &'a Arc<Self>, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        while !state.dismissed && self.needs_monitor(&state) {
            let held_up = state.held_up == Some(state.leader_taken);
            if (held_up || state.pace.is_slow()) && !state.declined && state.unattended() > 0 {
                let most = state.unattended();
                return self.spawn_helpers(state, most);
            }
            state.declined = false;
            let last = state.places.taken() + state.places.ready() as u64;
            let (taken, idle) = (state.leader_taken, state.leader_idle);
            let waited = self.sent_for.wait_timeout(state, PATIENCE);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            let had_no_rest = state.leader_idle == idle;
            state.held_up = (had_no_rest && state.leader_taken == taken).then_some(taken);
            if state.unattended() > 0 && (had_no_rest || state.places.taken() < last) {
                let most = state.unattended().min(state.helpers + 1); // at most twice as many are at work then
                state = self.spawn_helpers(state, most);
            } else if state.leader_taken - taken < FAST {
                break;
            }
        }
        // They are the leader's, if it waits.
        self.call(&state);
        state
    }

    /// Spawns helpers, so many at the most.
    fn spawn_helpers<'a>(
        self: &'a Arc<Self>,
        mut state: MutexGuard<'a, State>,
        most: usize,
    ) -> MutexGuard<'a, State> {
        if state.leader_waits {
            return state;
        }
        let wanted = most.min(self.most_helpers() - state.helpers);
        state.helpers += wanted;
        state.spawned += wanted;
        drop(state);
        for _ in 0..wanted {
            let serving = Arc::clone(self);
            self.pool.spawn(move || serving.help());
        }
        self.state()
    }
}
