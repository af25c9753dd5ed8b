//! The clients of a pool, and how one of them is served.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use common::WakeQueue;
use rayon::ThreadPool;
use serving::{Buffers, Conversation, Failure, Notifier, Socket, Wait};

use crate::clients::{Client, Clients};
use crate::monitor::Monitor;
use crate::poller::{Event, Poller};

/// What the workers of a pool and the [monitor](crate::monitor) share.
pub(crate) struct Scheduler<P> {
    pub(crate) pool: ThreadPool,
    pub(crate) poller: P,
    /// Ends a wait at the poller.
    notifier: Arc<Notifier>,
    /// The keys of clients that have marks to look at.
    woken: Arc<WakeQueue>,
    state: Mutex<State>,
    pub(crate) monitor_woken: Condvar,
    /// Notified when the monitor has begun to do something else.
    pub(crate) monitor_arrived: Condvar,
    pub(crate) failure: Failure,
}

/// What is known under the lock.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) clients: Clients,
    pub(crate) leader: Leader,
    pub(crate) monitor: Monitor,
    /// How many helpers there are, and how many of them have not begun.
    pub(crate) helpers: usize,
    pub(crate) helpers_spawned: usize,
    pub(crate) stopped: bool,
}

/// What is known of the leader. An earlier copy tells what it has done since.
#[derive(Clone, Copy, Default)]
pub(crate) struct Leader {
    waiting: bool,
    waits: u64,
    clients: u64,
    /// Whether it was overloaded when last looked at, and has not waited since: those who are ready had better not wait for
    /// it.
    pub(crate) overloaded: bool,
}

impl State {
    /// How many clients are ready beyond those for whom helpers are on their way.
    pub(crate) fn unattended(&self) -> usize {
        self.clients.ready().saturating_sub(self.helpers_spawned)
    }
}

impl Leader {
    /// It goes to the poller to wait, since nobody is ready.
    pub(crate) fn begin_waiting(&mut self) {
        *self = Self { waiting: true, waits: self.waits + 1, overloaded: false, ..*self };
    }

    pub(crate) fn end_waiting(&mut self) {
        self.waiting = false;
    }

    /// It has taken a client from the ready queue.
    pub(crate) fn note_client(&mut self) {
        self.clients += 1;
    }

    pub(crate) fn is_waiting(&self) -> bool {
        self.waiting
    }

    /// Whether it has waited, so that everybody who was ready before was served.
    pub(crate) fn has_waited_since(&self, earlier: &Self) -> bool {
        self.waiting || self.waits != earlier.waits
    }

    /// How many clients it has taken. If it has taken none, and not waited either, it is held up by one.
    pub(crate) fn clients_since(&self, earlier: &Self) -> u64 {
        self.clients - earlier.clients
    }
}

impl<P: Poller> Scheduler<P> {
    pub(crate) fn new(pool: ThreadPool, failure: Failure) -> io::Result<Self> {
        let notifier = Notifier::new()?;
        let poller = P::new(&notifier)?;
        let woken = WakeQueue::new(notifier.waker());
        let (state, monitor_woken, monitor_arrived) = Default::default();
        Ok(Self { pool, poller, notifier, woken, state, monitor_woken, monitor_arrived, failure })
    }

    /// Adds a client, which the poller reports at once.
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

    /// Ends the workers and the monitor, each when it has nobody to serve.
    pub(crate) fn stop(&self) {
        self.state().stopped = true;
        self.notifier.notify();
        self.monitor_woken.notify_all();
    }

    /// Queues those to whom something has happened. An event was reported to the caller alone, so each one counts.
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
                        self.notifier.notify(); // the next one ends as well
                    }
                }
            }
        }
    }

    /// Wakes the leader if it waits, or else the monitor, where clients are left in the queue. Whoever is woken serves
    /// them, or wakes another when it leaves some: so as long as clients are in the queue and a worker is idle, either the
    /// leader is on its way or the monitor looks after them.
    pub(crate) fn wake_waiting(&self, state: &State) {
        if state.clients.ready() > 0 && (state.leader.is_waiting() || state.monitor == Monitor::Waits) {
            self.notifier.notify(); // which does nothing if it was notified and nobody has woken up yet
        }
    }

    /// Serves a client until it would have to wait. A panic that gets here ends that client alone.
    pub(crate) fn serve(&self, mut client: Box<Client>) -> MutexGuard<'_, State> {
        let parks = match contained(|| advance(&mut client)) {
            ended @ (None | Some(Wait::Over)) => {
                self.remove(*client, ended.is_some());
                return self.state();
            }
            Some(Wait::Turn | Wait::Blocking) => false,
            Some(wait) => {
                let rearmed = self.poller.rearm(&client.socket, client.key, wait);
                rearmed.map_err(|_| client.conversation.mark_lost()).is_ok()
            }
        };
        let mut state = self.state();
        if parks {
            state.clients.park(client);
        } else {
            state.clients.queue(client);
        }
        state
    }

    /// Lets a client go whose conversation is over, or was lost by a panic.
    fn remove(&self, Client { key, socket, conversation }: Client, over: bool) {
        // Before the socket is closed: its number may be another's at once.
        self.poller.remove(&socket);
        self.state().clients.remove(key);
        contained(|| if over { conversation.end(socket) } else { drop((conversation, socket)) });
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many helpers there may be beside the leader.
    pub(crate) fn most_helpers(&self) -> usize {
        self.pool.current_num_threads() - 1
    }
}

/// Goes on with a client as far as that goes without waiting, for one turn at most.
fn advance(Client { conversation, socket, .. }: &mut Client) -> Wait {
    Buffers::of_this_thread(|buffers| match conversation.advance(&*socket, buffers) {
        Wait::Blocking => {
            conversation.run(buffers);
            conversation.advance(&*socket, buffers)
        }
        wait => wait,
    })
}

/// Keeps a panic from the loop. A session's own never gets here.
fn contained<T>(work: impl FnOnce() -> T) -> Option<T> {
    let done = catch_unwind(AssertUnwindSafe(work));
    if done.is_err() {
        tracing::error!("serving a client has panicked; its connection is lost");
    }
    done.ok()
}
