//! The scheduler: the state of a pool, and how a client is served.

use std::io;
use std::sync::{Arc, PoisonError};

use common::sync::{Condvar, Mutex, MutexGuard};
use common::{WakeQueue, guarded};
#[cfg(not(all(test, shuttle)))]
use rayon::{ThreadPool, ThreadPoolBuilder};
#[cfg(not(all(test, shuttle)))]
use serving::STACK_SIZE;
use serving::{Buffers, Conversation, Failure, Notifier, Socket, Wait};

use crate::clients::{Client, Clients};
#[cfg(all(test, shuttle))]
use crate::models::ThreadPool;
use crate::monitor::Monitor;
use crate::poller::{Event, Poller};

/// The state that the workers of a pool and the [monitor](crate::monitor) share.
pub(crate) struct Scheduler<P> {
    pub(crate) pool: ThreadPool,
    pub(crate) poller: P,
    /// Ends a wait in the poller.
    notifier: Arc<Notifier>,
    /// The keys of clients that were woken by marks.
    woken: Arc<WakeQueue>,
    state: Mutex<State>,
    /// Notified when the monitor enters or leaves the state [`Monitor::Woken`], and at the stop. Only the monitor waits to enter
    /// it, and only the leader waits until it has left it.
    pub(crate) monitor_changed: Condvar,
    pub(crate) failure: Failure,
}

/// The state under the lock.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) clients: Clients,
    pub(crate) leader: Leader,
    pub(crate) monitor: Monitor,
    /// The number of helpers, including those that have not begun.
    pub(crate) helpers: usize,
    /// The number of helpers that have not begun.
    pub(crate) helpers_spawned: usize,
    pub(crate) stopped: bool,
}

/// What the leader does, and what it has done since the monitor looked last. If it has neither waited nor taken a client, a
/// handler occupies it.
#[derive(Default)]
pub(crate) struct Leader {
    /// Whether it waits in the poller, since no client is ready.
    pub(crate) waiting: bool,
    /// Whether it began to wait since then, so that all clients that were ready before were served.
    pub(crate) has_waited: bool,
    /// How many clients it has taken from the ready queue since then.
    pub(crate) clients: u64,
    /// Whether the monitor found the leader overloaded, and it has not waited since. Then helpers are spawned immediately.
    pub(crate) overloaded: bool,
}

impl State {
    /// How many clients are ready beyond those for which helpers were spawned.
    pub(crate) fn unattended(&self) -> usize {
        self.clients.ready().saturating_sub(self.helpers_spawned)
    }
}

impl<P: Poller> Scheduler<P> {
    /// Builds a pool, and starts its monitor and its leader.
    pub(crate) fn start(workers: usize, failure: Failure) -> io::Result<Arc<Self>> {
        let pool = pool(workers)?;
        let notifier = Notifier::new()?;
        let poller = P::new(&notifier)?;
        let woken = WakeQueue::new(notifier.waker());
        let (state, monitor_changed) = Default::default();
        let scheduler = Arc::new(Self { pool, poller, notifier, woken, state, monitor_changed, failure });
        scheduler.start_monitor()?;
        scheduler.start_leader();
        Ok(scheduler)
    }

    /// Adds a client, which the poller reports immediately.
    pub(crate) fn add(&self, socket: Socket, conversation: Conversation) {
        let mut state = self.state();
        let key = state.clients.vacant_key();
        if let Err(error) = self.poller.add(&socket, key) {
            drop(state);
            return conversation.refuse(socket, &error);
        }
        conversation.register_slot(&self.woken, key);
        state.clients.add(socket, conversation);
    }

    /// Ends the workers and the monitor as soon as they are idle.
    pub(crate) fn stop(&self) {
        self.state().stopped = true;
        self.notifier.notify();
        self.monitor_changed.notify_all();
    }

    /// Queues the clients of these events. Each event was reported to this thread only, so none may be ignored.
    pub(crate) fn mark_ready(&self, events: impl Iterator<Item = Event>, state: &mut State) {
        for event in events {
            match event {
                Event::Client { key, more_input } => state.clients.mark_ready(key, Some(more_input)),
                Event::Wakeup => {
                    self.notifier.clear();
                    for key in self.woken.take() {
                        state.clients.mark_ready(key, None);
                    }
                    if state.stopped {
                        self.notifier.notify(); // so that the next waiting thread ends too
                    }
                }
            }
        }
    }

    /// If clients are in the ready queue, wakes the leader or the monitor, whichever waits in the poller. The woken thread
    /// calls this too if it leaves clients in the queue. So while clients are queued and a worker is idle, the leader or the
    /// monitor is awake.
    pub(crate) fn wake_waiting(&self, state: &State) {
        if state.clients.ready() > 0 && (state.leader.waiting || state.monitor == Monitor::Polls) {
            self.notifier.notify();
        }
    }

    /// Serves a client for one turn, and then parks, queues or removes it. A panic ends only this client.
    pub(crate) fn serve(&self, mut client: Box<Client>) -> MutexGuard<'_, State> {
        let wait = contained(|| advance(&mut client));
        if matches!(wait, None | Some(Wait::Over)) {
            self.remove(*client, wait.is_some());
            return self.state();
        }
        let mut state = self.state();
        state.clients.put_back(client, matches!(wait, Some(Wait::Turn | Wait::Blocking)));
        state
    }

    /// Removes a client whose conversation is over, or was lost by a panic.
    fn remove(&self, Client { key, socket, conversation }: Client, over: bool) {
        // Before the socket is closed, since its descriptor may be reused immediately.
        self.poller.remove(&socket);
        self.state().clients.remove(key);
        contained(|| if over { conversation.end(socket) } else { drop((conversation, socket)) });
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The limit of helpers: all workers except the leader.
    pub(crate) fn max_helpers(&self) -> usize {
        self.pool.current_num_threads() - 1
    }
}

/// The threads of the workers.
#[cfg(not(all(test, shuttle)))]
fn pool(workers: usize) -> io::Result<ThreadPool> {
    // Not rayon's global pool, which other parts of the program may use.
    ThreadPoolBuilder::new()
        .num_threads(workers)
        .stack_size(STACK_SIZE)
        .thread_name(|number| format!("pool-{}", number + 1))
        // Without a panic handler, rayon aborts the process when a spawned job panics.
        .panic_handler(|panic| {
            let _ = guarded(|| drop(panic));
            let _ = guarded(|| tracing::error!("a job that a handler spawned on the pool panicked"));
        })
        .build()
        .map_err(io::Error::other)
}

#[cfg(all(test, shuttle))]
fn pool(workers: usize) -> io::Result<ThreadPool> {
    Ok(ThreadPool::new(workers))
}

/// Advances a client for one turn, including its handler.
fn advance(Client { conversation, socket, .. }: &mut Client) -> Wait {
    Buffers::of_this_thread(|buffers| match conversation.advance(&*socket, buffers) {
        Wait::Blocking => {
            conversation.run(buffers);
            conversation.advance(&*socket, buffers)
        }
        wait => wait,
    })
}

/// Catches a panic, so that the loop continues. Panics of sessions are caught before.
fn contained<T>(work: impl FnOnce() -> T) -> Option<T> {
    let done = guarded(work);
    if done.is_none() {
        tracing::error!("serving a client panicked; its connection is lost");
    }
    done
}
