//! A worker with its clients, driven in one of three ways. It has the loop of a backend, over the simulated kernel.

mod accept;
mod events;
mod ring;
mod tasks;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};
use std::time::Duration;

use common::WakeQueue;
use serving::{Acceptor, Buffers, Conversation, Wait};
use slab::Slab;

pub(crate) use self::accept::Attempts;
use self::ring::Operations;
use self::tasks::Task;
use crate::clock::VirtualClock;
use crate::kernel::{SharedKernel, locked};
use crate::options::Driving;
use crate::session::Shared;
use crate::socket::SimSocket;

/// A worker with its clients.
pub(crate) struct Worker {
    driving: Driving,
    shared: Arc<Shared>,
    kernel: SharedKernel,
    clock: VirtualClock,
    buffers: Buffers,
    pub(crate) peers: Slab<Peer>,
    /// The ready queue: the slots of clients that need another turn.
    queue: Vec<usize>,
    /// The slots of clients that were woken.
    woken: Arc<WakeQueue>,
    notified: Arc<Flag>,
    /// Conversations whose handler is to run where it may block, and those whose handler has run.
    jobs: Vec<(usize, Conversation)>,
    returned: Vec<(usize, Conversation)>,
    acceptor: Option<Acceptor>,
    pub(crate) attempts: Attempts,
    /// Whether the listener has failed.
    pub(crate) is_broken: bool,
    /// Whether the listener is watched.
    is_listening: bool,
    /// Whether accepting has ended although clients were in the backlog.
    has_left_clients: bool,
    /// The tasks that were woken.
    scheduled: Arc<tasks::Scheduled>,
    /// The slots of clients to which an output was sent in this round of the ring.
    sent: Vec<usize>,
    round: u32,
}

/// A client of the worker.
pub(crate) struct Peer {
    /// `None` while it is offloaded.
    pub(crate) conversation: Option<Conversation>,
    pub(crate) socket: SimSocket,
    /// An event that was not yet passed to [`Conversation::ready`], with its argument.
    ready: Option<bool>,
    is_queued: bool,
    /// What it waits for.
    pub(crate) wait: Option<Wait>,
    /// When it was served last.
    pub(crate) served_at: Duration,
    task: Option<Task>,
    operations: Operations,
}

/// A waker that sets a flag.
#[derive(Debug, Default)]
pub(crate) struct Flag(AtomicBool);

impl Flag {
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    pub(crate) fn take(&self) -> bool {
        self.0.swap(false, Ordering::SeqCst)
    }

    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.set();
    }
}

/// The slot that stands for the acceptor.
const ACCEPTOR: usize = u32::MAX as usize;
impl Worker {
    pub(crate) fn new(shared: &Arc<Shared>, acceptor: Acceptor) -> Self {
        let notified = Arc::new(Flag::default());
        let woken = WakeQueue::new(Waker::from(Arc::clone(&notified)));
        acceptor.register_slot(&woken, ACCEPTOR);
        let (peers, queue, jobs, returned, attempts, scheduled, sent, round) = Default::default();
        notified.set();
        Self {
            driving: shared.options.driving,
            shared: Arc::clone(shared),
            kernel: Arc::clone(&shared.kernel),
            clock: shared.clock.clone(),
            buffers: Buffers::new(),
            peers,
            queue,
            woken,
            notified,
            jobs,
            returned,
            acceptor: Some(acceptor),
            attempts,
            is_broken: false,
            is_listening: true,
            has_left_clients: false,
            scheduled,
            sent,
            round,
        }
    }

    /// Whether the worker would not block.
    pub(crate) fn is_runnable(&self) -> bool {
        let is_woken = self.notified.is_set() || !self.queue.is_empty() || !self.returned.is_empty();
        is_woken
            || self.can_accept()
            || match self.driving {
                Driving::Events => self.has_events(),
                Driving::Tasks => self.has_tasks(),
                _ => self.has_completions(),
            }
    }

    /// Runs the loop once.
    pub(crate) fn turn(&mut self) {
        let is_notified = self.notified.take();
        let accepts = self.can_accept() && !self.is_late();
        match self.driving {
            Driving::Events => self.turn_of_events(),
            Driving::Tasks => self.turn_of_tasks(),
            _ => self.turn_of_ring(),
        }
        for (slot, conversation) in std::mem::take(&mut self.returned) {
            self.peers[slot].conversation = Some(conversation);
            self.continue_with(slot);
        }
        if is_notified {
            // A group is a set of handles in no order, in which its members are woken.
            let mut woken: Vec<_> = self.woken.take().collect();
            woken.sort_unstable();
            for slot in woken {
                match slot {
                    ACCEPTOR => self.accept(),
                    slot => self.continue_with(slot),
                }
            }
        }
        if accepts {
            self.accept();
        }
    }

    /// Serves a client that was woken.
    fn continue_with(&mut self, slot: usize) {
        match self.driving {
            Driving::Events => self.serve(slot),
            Driving::Tasks => self.schedule(slot),
            _ => self.step(slot, ring::Event::Woken),
        }
    }

    /// Whether an event is reported later than others.
    fn is_late(&self) -> bool {
        let kernel = &mut *locked(&self.kernel);
        kernel.tape.chance(kernel.faults.late)
    }

    /// Whether handlers are to run where they may block.
    pub(crate) fn jobs(&self) -> usize {
        self.jobs.len()
    }

    /// Runs a handler on a thread that may block.
    pub(crate) fn run_job(&mut self, index: usize) {
        let (slot, mut conversation) = self.jobs.swap_remove(index);
        let client = self.peers[slot].socket.wire;
        if self.shared.chance(self.shared.options.faults.dropped_jobs) {
            self.shared.book().clients[client].was_lost = true;
            self.shared.where_it_may_block(client, || drop(conversation));
            self.peers.remove(slot);
            return;
        }
        self.shared.book().begin_turn(client);
        self.shared.where_it_may_block(client, || conversation.run(&mut self.buffers));
        self.returned.push((slot, conversation));
    }

    /// The socket of a client fails, if the tape says so.
    fn may_lose(&mut self, slot: usize) {
        let peer = &mut self.peers[slot];
        if let Some(conversation) = &mut peer.conversation
            && self.shared.chance(self.shared.options.faults.lost)
        {
            self.shared.book().clients[peer.socket.wire].was_lost = true;
            conversation.mark_lost();
        }
    }

    /// Whether there is a listener.
    pub(crate) fn is_accepting(&self) -> bool {
        self.acceptor.is_some()
    }

    /// Whether accepting has ended and no client is left.
    pub(crate) fn has_ended(&self) -> bool {
        self.acceptor.is_none() && self.peers.is_empty()
    }

    /// A wake-up without a reason.
    pub(crate) fn wake_for_nothing(&mut self, choice: usize) {
        self.notified.set();
        let slots: Vec<_> = self.peers.iter().map(|(slot, _)| slot).collect();
        if let Some(&slot) = slots.get(choice) {
            let wire = self.peers[slot].socket.wire;
            locked(&self.kernel).wires[wire].has_event = true;
            if self.driving != Driving::Events {
                self.continue_with(slot);
            }
        }
    }

    /// A client for which nothing more would ever happen although it has work, and why: a lost wake-up.
    pub(crate) fn forgotten(&self) -> Option<String> {
        if self.is_listening && self.acceptor.is_some() && !locked(&self.kernel).backlog.is_empty() {
            return Some("clients wait in the backlog".into());
        }
        if self.has_left_clients {
            return Some("clients were left in the backlog".into());
        }
        self.peers.iter().find_map(|(_, peer)| {
            let conversation = peer.conversation.as_ref()?;
            let wire = &locked(&self.kernel).wires[peer.socket.wire];
            let why = match peer.wait {
                _ if conversation.is_marked() => "it is marked",
                Some(Wait::Readable) if wire.is_readable() => "its socket is readable",
                Some(Wait::Writable) if wire.is_writable() => "its socket is writable",
                Some(Wait::Turn) => "it needs a turn",
                Some(Wait::Over) => "it is over",
                _ => return None,
            };
            Some(format!("client {}: {why}, and nothing wakes it", peer.socket.wire))
        })
    }
}
