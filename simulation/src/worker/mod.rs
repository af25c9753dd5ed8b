//! A worker with its clients, driven in one of three ways. It has the loop of a backend, over the simulated kernel.

mod events;
mod ring;
mod tasks;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};
use std::time::Duration;

use common::{Address, WakeQueue};
use serving::{Accepting, Acceptor, Admission, Buffers, Conversation, Wait};
use slab::Slab;

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
    /// How many clients were accepted, and whether the listener has failed.
    pub(crate) accepted: u64,
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
/// The most clients that one turn accepts, unless the server is stopping.
const ACCEPT_TURN: usize = 16;

impl Worker {
    pub(crate) fn new(shared: &Arc<Shared>, acceptor: Acceptor) -> Self {
        let notified = Arc::new(Flag::default());
        let woken = WakeQueue::new(Waker::from(Arc::clone(&notified)));
        acceptor.register_slot(&woken, ACCEPTOR);
        let (peers, queue, jobs, returned, scheduled, sent, round) = Default::default();
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
            accepted: 0,
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

    fn can_accept(&self) -> bool {
        self.is_listening && self.acceptor.is_some() && !locked(&self.kernel).backlog.is_empty()
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

    fn accept(&mut self) {
        for attempts in 0.. {
            let Some(acceptor) = &mut self.acceptor else { return };
            self.is_listening = true;
            match acceptor.what_now() {
                Accepting::Accept if attempts >= ACCEPT_TURN && !acceptor.is_stopping() => return,
                Accepting::Accept => {
                    let accepted = accept(&self.kernel);
                    match &accepted {
                        Ok((socket, _)) => {
                            self.accepted += 1;
                            self.shared.book().current = socket.wire;
                        }
                        Err(error) => self.is_broken |= error.raw_os_error() == Some(EBADF),
                    }
                    match acceptor.admit(accepted) {
                        Admission::Client(socket, conversation) => self.admit(socket, conversation),
                        Admission::None => {}
                        Admission::WouldBlock => return,
                    }
                }
                Accepting::Wait => {
                    self.is_listening = false;
                    return;
                }
                Accepting::Stopped => return self.stop_accepting(),
            }
        }
    }

    /// Closes the listener, which resets the clients in its backlog.
    fn stop_accepting(&mut self) {
        self.acceptor = None;
        {
            let kernel = &mut *locked(&self.kernel);
            // After an error they may be left, if no connection is open whose descriptor could become free.
            let has_failed = self.is_broken || kernel.faults.accept_errors > 0;
            self.has_left_clients = !has_failed && !kernel.backlog.is_empty();
            for wire in std::mem::take(&mut kernel.backlog) {
                kernel.wires[wire].aborted = true;
            }
        }
        // If it was not requested, the server drains.
        let until = self.clock.elapsed() + self.shared.options.limits.drain_timeout;
        self.shared.begin_stop();
        self.shared.book().cut_at.get_or_insert(until);
    }

    fn admit(&mut self, socket: SimSocket, conversation: Conversation) {
        let is_unserved = {
            let kernel = &mut *locked(&self.kernel);
            kernel.wires[socket.wire].has_event = true; // a poller reports a new socket
            kernel.tape.chance(kernel.faults.unserved)
        };
        {
            let account = &mut self.shared.book().clients[socket.wire];
            account.is_connected = !is_unserved;
            account.timing.accepted = self.clock.elapsed();
        }
        if is_unserved {
            return conversation.refuse(socket, &io::Error::from_raw_os_error(ENOMEM));
        }
        let entry = self.peers.vacant_entry();
        let slot = entry.key();
        let task = (self.driving == Driving::Tasks).then(|| Task::new(slot, &self.scheduled));
        if task.is_none() {
            conversation.register_slot(&self.woken, slot);
        }
        let (ready, is_queued, wait, served_at, operations) = Default::default();
        let conversation = Some(conversation);
        entry.insert(Peer { conversation, socket, ready, is_queued, wait, served_at, task, operations });
        if self.driving != Driving::Events {
            self.continue_with(slot);
        }
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

const ENOMEM: i32 = 12;
const EBADF: i32 = 9;
/// Errors of `accept`: those of the process, the system, the client, and an interrupt.
const ACCEPT_ERRORS: [i32; 6] = [24, 23, 105, 103, 71, 4];

/// The system call.
fn accept(kernel: &SharedKernel) -> io::Result<(SimSocket, Address)> {
    let shared = Arc::clone(kernel);
    let kernel = &mut *locked(kernel);
    if kernel.tape.chance(kernel.faults.accept_errors) {
        return Err(io::Error::from_raw_os_error(kernel.tape.pick(&ACCEPT_ERRORS)));
    }
    if kernel.tape.chance(kernel.faults.broken_listener) {
        return Err(io::Error::from_raw_os_error(EBADF));
    }
    let wire = kernel.backlog.pop_front().ok_or_else(|| io::Error::from_raw_os_error(11))?;
    let port = u16::try_from(wire).unwrap_or(u16::MAX);
    Ok((SimSocket { kernel: shared, wire }, Address::Ip(SocketAddr::from(([127, 0, 0, 1], port)))))
}
