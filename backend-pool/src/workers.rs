//! What the workers of a pool do.
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
use std::io;
use std::sync::{Arc, MutexGuard};
use std::time::{Duration, Instant};

use rayon::ThreadPoolBuilder;
use serving::{Failure, STACK_SIZE};

use crate::poller::Poller;
use crate::scheduler::{Scheduler, State};

/// After this time a helper ends even if clients are ready, and another is spawned. It may have begun on top of something
/// that waits in a `join`, and what handlers have spawned gets its turn.
const HELP: Duration = Duration::from_millis(10);

thread_local! {
    /// Whether this thread is in a loop.
    static IN_LOOP: Cell<bool> = const { Cell::new(false) };
}

impl<P: Poller> Scheduler<P> {
    /// Starts the monitor and the leader.
    pub(crate) fn start(workers: usize, failure: Failure) -> io::Result<Arc<Self>> {
        // A pool of this server's own: rayon's global one belongs to everybody.
        let pool = ThreadPoolBuilder::new()
            .num_threads(workers)
            .stack_size(STACK_SIZE)
            .thread_name(|number| format!("pool-{}", number + 1))
            // Without a handler, rayon ends the process when a job panics. A session's panic never gets here.
            .panic_handler(|_| tracing::error!("a job that a handler has spawned on the pool has panicked"));
        let scheduler = Arc::new(Self::new(pool.build().map_err(io::Error::other)?, failure)?);
        scheduler.start_monitor()?;
        let leading = Arc::clone(&scheduler);
        scheduler.pool.spawn(move || {
            IN_LOOP.set(true);
            leading.failure.watch(|| leading.lead());
        });
        Ok(scheduler)
    }

    /// The leader's loop, until the server has ended.
    fn lead(&self) -> io::Result<()> {
        let mut events = P::events();
        let alone = self.most_helpers() == 0;
        loop {
            let state = self.serve_queue(|state| state.leader.note_client());
            if state.stopped {
                return Ok(());
            }
            // What handlers have spawned here may find all other workers held. So while nobody is ready, this one does it,
            // a job for each round; without another worker also while somebody is.
            let may_do_job = alone || state.clients.ready() == 0;
            drop(state);
            let did_job = may_do_job && self.pool.yield_local() == Some(rayon::Yield::Executed);
            let mut state = self.state();
            let mut timeout = Some(Duration::ZERO);
            if state.clients.ready() == 0 && !did_job {
                state = self.await_monitor(state);
                if state.clients.ready() == 0 {
                    timeout = None;
                    state.leader.begin_waiting();
                }
            }
            drop(state);
            let reported = self.poller.wait(&mut events, timeout)?;
            state = self.state();
            state.leader.end_waiting();
            self.mark_ready(reported, &mut state);
            self.wake_monitor(&mut state);
        }
    }

    /// A helper: a job that serves until nobody is ready.
    pub(crate) fn help(&self) {
        self.state().helpers_spawned -= 1;
        // In a loop already: this worker waits in a `join` of a handler's, which should not wait for a loop.
        let nested = IN_LOOP.replace(true);
        if !nested {
            self.failure.watch(|| self.serve_for_a_while());
            IN_LOOP.set(false);
        }
        let mut state = self.state();
        state.helpers -= 1;
        // With clients left, the next helper follows at once, unless it would only find the same `join`.
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
            if !state.leader.is_waiting() {
                // Nobody else may be there to see who has become ready.
                drop(state);
                let reported = self.poller.wait(&mut events, Some(Duration::ZERO))?;
                state = self.state();
                self.mark_ready(reported, &mut state);
            }
            if state.clients.ready() == 0 || begun.elapsed() > HELP {
                return Ok(());
            }
        }
    }

    /// Serves those who are ready by now, each once. Each time one is taken, `note` is called.
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
