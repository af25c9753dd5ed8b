//! The loops of the workers of a pool.
//!
//! One worker, the leader, loops as long as the server runs. When no client is ready it waits in the poller, and serves
//! clients that become ready without handing them to another thread. The other workers are idle in rayon, and take the halves
//! of a `rayon::join`. When the leader is overloaded, a job makes one of them a helper, which serves the same ready queue
//! until it is empty.
//!
//! Permanent loops on all workers (`ThreadPool::spawn_broadcast`) would leave no worker to rayon, and would wake each other in
//! vain. The leader's loop must be the first job of the pool: rayon runs other jobs on the stack of a worker that waits in a
//! `join`, and a loop that began there would delay that `join` until it ends.

use std::cell::Cell;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::sync::{MutexGuard, thread_local};

use crate::poller::Poller;
use crate::scheduler::{Scheduler, State};

/// The longest time that a helper runs. If clients are still ready, another is spawned. This lets a `join` continue on whose
/// stack the helper may run, and gives a turn to jobs that handlers have spawned.
const HELPER_TIME: Duration = Duration::from_millis(10);

thread_local! {
    /// Whether this thread runs a loop.
    static IN_LOOP: Cell<bool> = const { Cell::new(false) };
}

impl<P: Poller> Scheduler<P> {
    /// Starts the leader, as the first job of the pool.
    pub(crate) fn start_leader(self: &Arc<Self>) {
        let scheduler = Arc::clone(self);
        self.pool.spawn(move || {
            IN_LOOP.with(|in_loop| in_loop.set(true));
            scheduler.failure.watch(|| scheduler.lead());
        });
    }

    /// The loop of the leader, until the server has ended.
    fn lead(&self) -> io::Result<()> {
        let mut events = P::events();
        let is_alone = self.max_helpers() == 0;
        loop {
            let state = self.serve_queue(|state| state.leader.clients += 1);
            if state.stopped {
                return Ok(());
            }
            // Runs a job that a handler has spawned on this worker, since handlers may occupy all other workers. If there
            // are other workers, clients come first.
            let may_run_job = is_alone || state.clients.ready() == 0;
            drop(state);
            let ran_job = may_run_job && self.pool.yield_local() == Some(rayon::Yield::Executed);
            let mut state = self.state();
            let mut timeout = Some(Duration::ZERO);
            if state.clients.ready() == 0 && !ran_job {
                state = self.await_monitor(state);
                if state.clients.ready() == 0 {
                    timeout = None;
                    (state.leader.waiting, state.leader.has_waited) = (true, true);
                    state.leader.overloaded = false;
                }
            }
            drop(state);
            let reported = self.poller.wait(&mut events, timeout)?;
            state = self.state();
            state.leader.waiting = false;
            self.mark_ready(reported, &mut state);
            self.wake_monitor(&mut state);
        }
    }

    /// The job of a helper: serves until no client is ready.
    pub(crate) fn help(&self) {
        self.state().helpers_spawned -= 1;
        // If this worker runs a loop already, a handler in it waits in a `join`, which must not wait for another loop.
        let nested = IN_LOOP.with(|in_loop| in_loop.replace(true));
        if !nested {
            self.failure.watch(|| self.serve_for_a_while());
            IN_LOOP.with(|in_loop| in_loop.set(false));
        }
        let mut state = self.state();
        state.helpers -= 1;
        // If clients are left, the next helper is spawned immediately, unless it would end up in the same `join`.
        if nested || state.clients.ready() > 0 {
            state.leader.overloaded = !nested;
        }
        self.wake_monitor(&mut state);
        self.wake_waiting(&state);
    }

    fn serve_for_a_while(&self) -> io::Result<()> {
        let mut events = P::events();
        let begun = Instant::now();
        loop {
            let mut state = self.serve_queue(|_| {});
            if !state.leader.waiting {
                // It is possible that no other thread polls now.
                drop(state);
                let reported = self.poller.wait(&mut events, Some(Duration::ZERO))?;
                state = self.state();
                self.mark_ready(reported, &mut state);
            }
            if state.clients.ready() == 0 || begun.elapsed() > HELPER_TIME {
                return Ok(());
            }
        }
    }

    /// Serves each client once that is in the ready queue now. Calls `note` for each.
    fn serve_queue(&self, note: fn(&mut State)) -> MutexGuard<'_, State> {
        let mut state = self.state();
        for _ in 0..state.clients.ready() {
            let Some(client) = state.clients.next() else { break };
            note(&mut state);
            self.wake_waiting(&state);
            drop(state);
            state = self.serve(client);
        }
        state
    }
}
