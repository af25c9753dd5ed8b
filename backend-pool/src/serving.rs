//! Serving the clients of a pool.

use std::io;
use std::net::TcpStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use ::serving::{Buffers, Conversation, Failure, Wait};
use rayon::ThreadPool;

use crate::monitor::Monitor;
use crate::notifier::Notifier;
use crate::pace::Pace;
use crate::places::{Client, Places};
use crate::poller::{Event, Interest, Poller, Until};

/// The clients of a pool, and what its loops and its monitor share.
pub(crate) struct Serving<P> {
    pub(crate) pool: ThreadPool,
    poller: P,
    notifier: Arc<Notifier>,
    state: Mutex<State>,
    /// Told when the [monitor](crate::monitor) is sent for.
    pub(crate) sent_for: Condvar,
    /// Told when it has come.
    pub(crate) has_come: Condvar,
    pub(crate) failure: Failure,
}

/// What is known under the lock.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) places: Places,
    /// Whether the leader waits at the poller.
    pub(crate) leader_waits: bool,
    /// How many clients the leader has taken from the queue. While that stays the same, it is with one of them.
    pub(crate) leader_taken: u64,
    /// How often the leader has found nobody ready.
    pub(crate) leader_idle: u64,
    /// How many helpers there are, and how many of them have not begun.
    pub(crate) helpers: usize,
    pub(crate) spawned: usize,
    /// Whether a job that was to be a helper could not be one.
    pub(crate) declined: bool,
    pub(crate) pace: Pace,
    pub(crate) monitor: Monitor,
    /// What the leader had taken when it was last seen to be with one client for long.
    pub(crate) held_up: Option<u64>,
    pub(crate) dismissed: bool,
}

/// What is to become of a client that was served.
enum Then {
    Rest(Interest),
    Queue,
    End,
}

impl State {
    /// How many are in the queue beyond those for whom helpers are on their way.
    pub(crate) fn unattended(&self) -> usize {
        self.places.ready().saturating_sub(self.spawned)
    }
}

impl<P: Poller> Serving<P> {
    pub(crate) fn new(pool: ThreadPool, failure: Failure) -> io::Result<Self> {
        let notifier = Notifier::new()?;
        let poller = P::new(&notifier.bell)?;
        let (state, sent_for, has_come) = Default::default();
        Ok(Self { pool, poller, notifier, state, sent_for, has_come, failure })
    }

    /// Takes a new client in, of whom the poller tells at once.
    pub(crate) fn add(&self, socket: TcpStream, conversation: Conversation) {
        conversation.register(&self.notifier.waker());
        let mut state = self.state();
        let Client { place, socket, .. } = state.places.add(socket, conversation);
        let place = *place;
        if let Err(error) = self.poller.add(socket, place) {
            let client = state.places.remove(place);
            drop(state);
            if let Some(client) = client {
                client.conversation.refuse(client.socket, &error);
            }
        }
    }

    /// Ends the loops and the monitor, each when it has nobody to serve.
    pub(crate) fn dismiss(&self) {
        self.state().dismissed = true;
        self.notifier.notify();
        self.sent_for.notify_all();
    }

    /// Waits at the poller, or looks what has happened so far.
    pub(crate) fn poll(&self, events: &mut P::Events, until: Until) {
        if let Err(error) = self.poller.wait(events, until) {
            tracing::error!(%error, "the poller fails; it tries again");
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// Queues those to whom something has happened. An event was told to the caller alone, so each one counts.
    pub(crate) fn rouse(&self, events: &P::Events, state: &mut State) {
        for event in P::told(events) {
            match event {
                Event::Client { place, more_behind } => state.places.rouse(place, more_behind),
                Event::Bell => {
                    if self.notifier.answer() {
                        state.places.rouse_marked();
                    }
                    if state.dismissed {
                        self.notifier.notify(); // the next one ends as well
                    }
                }
            }
        }
    }

    /// Wakes the leader if it waits, or else the monitor, where clients are left in the queue: once until somebody
    /// has answered. Whoever answers serves them, or calls again when it leaves some: so as long as clients are in the
    /// queue and a worker is idle, either the leader is on its way or the monitor looks after them.
    pub(crate) fn call(&self, state: &State) {
        if state.places.ready() > 0 && (state.leader_waits || state.monitor == Monitor::Waits) {
            self.notifier.notify(); // one that was not answered yet is not told again
        }
    }

    /// Serves a client until it would have to wait. A panic that gets here ends that client alone.
    pub(crate) fn serve(&self, mut client: Box<Client>) -> MutexGuard<'_, State> {
        let then = contained(|| advance(&mut client));
        match then {
            Some(Then::Rest(interest)) => self.rest(client, interest),
            Some(Then::Queue) => {
                let mut state = self.state();
                state.places.queue(client);
                state
            }
            Some(Then::End) | None => {
                // Before the socket is closed: its number may be another's at once.
                self.poller.remove(&client.socket);
                self.state().places.remove(client.place);
                let Client { conversation, socket, .. } = *client;
                contained(|| {
                    if then.is_some() {
                        conversation.end(socket)
                    }
                });
                self.state()
            }
        }
    }

    /// Has a client wait.
    fn rest(&self, mut client: Box<Client>, interest: Interest) -> MutexGuard<'_, State> {
        let renewed = self.poller.renew(&client.socket, client.place, interest);
        let mut state = self.state();
        if renewed.is_ok() {
            state.places.rest(client);
        } else {
            client.conversation.lose();
            state.places.queue(client);
        }
        state
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
fn advance(Client { conversation, socket, .. }: &mut Client) -> Then {
    let mut ran = false;
    loop {
        match Buffers::of_this_thread(|buffers| conversation.advance(socket, buffers)) {
            Wait::Readable => return Then::Rest(Interest::Input),
            Wait::Writable => return Then::Rest(Interest::Output),
            Wait::Wakeup => return Then::Rest(Interest::None),
            Wait::Blocking if !ran => {
                ran = true;
                Buffers::of_this_thread(|buffers| conversation.run(buffers));
            }
            Wait::Turn | Wait::Blocking => return Then::Queue,
            Wait::Over => return Then::End,
        }
    }
}

/// Keeps a panic from the loop. A session's own never gets here.
fn contained<T>(work: impl FnOnce() -> T) -> Option<T> {
    let done = catch_unwind(AssertUnwindSafe(work));
    if done.is_err() {
        tracing::error!("serving a client has panicked; its connection is lost");
    }
    done.ok()
}
