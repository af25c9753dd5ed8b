//! The loops: what the workers of a pool do.
//!
//! One worker, the leader, is in its loop as long as the server lives. While nobody is ready it waits at the poller
//! itself, and whoever becomes ready is served by it, without a way from thread to thread. The other workers are rayon's:
//! they sleep there, and find the halves of what a handler splits with `rayon::join`. One of them becomes a helper, by a
//! job, when the leader can't cope: it serves the same queue, and ends when nobody is ready.
//!
//! So loops for good on all workers (`ThreadPool::spawn_broadcast`) are not what is wanted: no worker would be left to
//! rayon, and more loops than can be busy only wake each other. And the leader has to be the first job of its pool. rayon
//! has a worker that waits in a `join` begin other jobs on top of its stack; a loop that began there would hold up
//! that `join` until it ends. The first job is begun by a worker that waits for nothing.

use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::monitor::Monitor;
use crate::poller::{Poller, Until};
use crate::serving::Serving;

/// After this time a helper ends at the end of its round even if clients are ready, and another is spawned. It may have
/// begun on top of something that waits in a `join`, and what handlers have spawned gets its turn.
const HELP: Duration = Duration::from_millis(10);

thread_local! {
    /// Whether this thread is in a loop.
    static IN_LOOP: Cell<bool> = const { Cell::new(false) };
}

impl<P: Poller> Serving<P> {
    /// Begins to serve. This is the first job of the pool.
    pub(crate) fn start(self: &Arc<Self>) {
        let serving = Arc::clone(self);
        self.pool.spawn(move || {
            IN_LOOP.set(true);
            serving.failure.watch(|| {
                serving.lead();
                Ok(())
            });
        });
    }

    /// The leader's loop, until the server has ended.
    fn lead(&self) {
        let mut events = P::events();
        let alone = self.most_helpers() == 0;
        let mut since = Instant::now();
        loop {
            let served = self.serve_round(true);
            // What handlers have spawned here may find all other workers held. So while nobody is ready, this one does it,
            // a job for each round; without another worker also while somebody is.
            let may_do_job = alone || self.state().places.ready() == 0;
            let did_job = may_do_job && self.pool.yield_local() == Some(rayon::Yield::Executed);
            let mut state = self.state();
            state.pace.note(served, since);
            if state.dismissed {
                return;
            }
            if state.monitor == Monitor::Comes && state.places.ready() == 0 && !did_job {
                state = self.let_monitor_come(state);
            }
            let until = if state.places.ready() == 0 && !did_job { Until::Event } else { Until::Now };
            if until == Until::Event {
                state.leader_waits = true;
                state.leader_idle += 1;
                state.held_up = None;
            }
            drop(state);
            self.poll(&mut events, until);
            since = Instant::now();
            let mut state = self.state();
            state.leader_waits = false;
            self.rouse(&events, &mut state);
            state.places.begin_round();
            self.send_for_monitor(&mut state);
        }
    }

    /// A helper: a job that serves until nobody is ready.
    pub(crate) fn help(&self) {
        self.state().spawned -= 1;
        // In a loop already: this worker waits in a `join` of a handler's, which should not wait for a loop.
        let nested = IN_LOOP.replace(true);
        if !nested {
            self.failure.watch(|| {
                self.help_out();
                Ok(())
            });
            IN_LOOP.set(false);
        }
        let mut state = self.state();
        state.helpers -= 1;
        state.declined |= nested;
        self.send_for_monitor(&mut state);
        self.call(&state);
    }

    fn help_out(&self) {
        let mut events = P::events();
        let begun = Instant::now();
        let mut since = begun;
        loop {
            let served = self.serve_round(false);
            let mut state = self.state();
            state.pace.note(served, since);
            if !state.leader_waits {
                // Nobody else may be there to see who has become ready.
                drop(state);
                self.poll(&mut events, Until::Now);
                state = self.state();
                self.rouse(&events, &mut state);
            }
            since = Instant::now();
            if state.places.ready() == 0 || since - begun > HELP {
                return;
            }
            state.places.begin_round();
        }
    }

    /// Serves until the round is over. Returns how many clients were served.
    fn serve_round(&self, leader: bool) -> u32 {
        let mut served = 0;
        let mut state = self.state();
        while let Some(client) = state.places.next() {
            state.leader_taken += u64::from(leader);
            self.call(&state);
            drop(state);
            state = self.serve(client);
            served += 1;
        }
        served
    }
}
