//! A worker: one thread, one ring, its own clients.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustix::io::Errno;
use serving::{
    AcceptLoop, Accepting, Buffers, Conversation, Inbox, Item, Listener, Socket, Step, WorkerGroup,
};
use slab::Slab;

use crate::ring::{Completion, Received, Ring, Wait};

/// A worker: one thread, one ring, its own clients.
pub(crate) struct Worker {
    group: Arc<WorkerGroup>,
    number: usize,
    inbox: Arc<Inbox>,
    ring: Ring,
    clients: Slab<Client>,
    /// The ready queue: the slots of clients that have had a turn and want another.
    queue: VecDeque<usize>,
    /// The slots of clients to which something was sent in this round.
    sends: Vec<usize>,
    round: u32,
    buffers: Buffers,
    accept_loop: Option<AcceptLoop>,
    /// Whether the ring waits for the listener, and whether it was told not to.
    is_listener_watched: bool,
    is_listener_cancelled: bool,
}

struct Client {
    /// It is away while a handler of it may block; nothing is received meanwhile.
    conversation: Option<Conversation>,
    socket: Socket,
    /// What is being sent, and since which round.
    sending: Option<(u32, u32)>,
    receiving: Receiving,
    is_queued: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Receiving {
    No,
    Yes,
    /// The kernel was told to stop; what it delivers until it has stopped is taken.
    Ending,
}

impl Worker {
    pub(crate) fn new(
        group: Arc<WorkerGroup>,
        number: usize,
        mut accept_loop: Option<AcceptLoop>,
    ) -> io::Result<Self> {
        let inbox = Arc::clone(group.inbox(number));
        let ring = Ring::new()?;
        if let Some(accept_loop) = &mut accept_loop {
            inbox.register_acceptor(accept_loop.acceptor());
        }
        let (clients, queue, sends, round, buffers) = Default::default();
        let (is_listener_watched, is_listener_cancelled) = (false, false);
        Ok(Self {
            group,
            number,
            inbox,
            ring,
            clients,
            queue,
            sends,
            round,
            buffers,
            accept_loop,
            is_listener_watched,
            is_listener_cancelled,
        })
    }

    /// Works until the server has ended.
    pub(crate) fn work(mut self) -> io::Result<()> {
        self.ring.enable()?;
        self.ring.watch_notifier(self.inbox.notifier());
        self.accept();
        while !self.group.is_stopped() {
            let queued = self.queue.len();
            let wait = match (queued, self.sends.is_empty()) {
                (1.., _) => Wait::No,
                // Should none of it go, nothing else may happen either.
                (0, false) => Wait::Moment,
                (0, true) => Wait::Endless,
            };
            if let Err(error) = self.ring.submit(wait) {
                tracing::error!(%error, "the ring fails; it tries again");
                thread::sleep(Duration::from_millis(100));
            }
            let sent = std::mem::take(&mut self.sends);
            self.round = self.round.wrapping_add(1);
            let notified = self.handle_completions();
            for slot in sent {
                self.check_send(slot);
            }
            for _ in 0..queued {
                // One that has left meanwhile has no turn, and one that has come into its slot has none yet.
                if let Some(slot) = self.queue.pop_front()
                    && self.clients.get_mut(slot).is_some_and(|client| std::mem::take(&mut client.is_queued))
                {
                    self.step(slot);
                }
            }
            if notified {
                self.read_inbox();
            }
        }
        Ok(())
    }

    /// Handles all completions. Returns whether the inbox was notified.
    fn handle_completions(&mut self) -> bool {
        let mut notified = false;
        while let Some(completion) = self.ring.next() {
            match completion {
                Completion::Received { slot, received, more } => self.received(slot, received, more),
                Completion::Sent { slot, output, sent } => {
                    let Some(client) = self.clients.get_mut(slot) else { continue };
                    client.sending = None;
                    let Some(conversation) = &mut client.conversation else { continue };
                    let step = conversation.sent(output, sent, &mut self.buffers);
                    self.follow(slot, step);
                }
                Completion::Listener { result } => {
                    self.is_listener_watched = false;
                    if let (Err(error), false, Some(accept_loop)) =
                        (result, self.is_listener_cancelled, &mut self.accept_loop)
                    {
                        accept_loop.acceptor().fail(error);
                    }
                    self.accept();
                }
                Completion::Notified { more } => {
                    notified = true;
                    if !more {
                        self.ring.watch_notifier(self.inbox.notifier());
                    }
                }
            }
        }
        notified
    }

    fn received(&mut self, slot: usize, received: io::Result<Received>, more: bool) {
        let Some(client) = self.clients.get_mut(slot) else { return };
        if !more {
            client.receiving = Receiving::No;
        }
        let Some(conversation) = &mut client.conversation else { return };
        let step = match received {
            Ok(received) => {
                let step = conversation.received(self.ring.bytes(&received), &mut self.buffers);
                self.ring.provide_again(received);
                step
            }
            Err(error) => {
                // It was told to stop, or there was no buffer; anything else is the end.
                let errno = Errno::from_io_error(&error);
                if !matches!(errno, Some(Errno::CANCELED | Errno::NOBUFS | Errno::INTR)) {
                    conversation.mark_lost();
                }
                conversation.step(&client.socket, &mut self.buffers)
            }
        };
        self.follow(slot, step);
    }

    fn read_inbox(&mut self) {
        for item in self.inbox.receive() {
            match item {
                Item::Client(socket, conversation) => self.add(socket, conversation),
                Item::Returned(slot, conversation) => {
                    if let Some(client) = self.clients.get_mut(slot) {
                        client.conversation = Some(conversation);
                        self.step(slot);
                    }
                }
                Item::Woken(slot) => self.step(slot),
                Item::Accept => self.accept(),
            }
        }
    }

    /// Accepts clients, assigns them to the workers, and has the ring wait for more as long as they are to be accepted.
    ///
    /// The ring only waits for the listener. The clients are accepted by calls that don't block, as by the other backends:
    /// what the kernel would accept by itself depends on whether the listener blocks, which another process that shares it
    /// may change, and it would not tell the addresses.
    fn accept(&mut self) {
        let Some(accept_loop) = &mut self.accept_loop else { return };
        let mut own = Vec::new();
        let accepting = accept_loop.turn(Listener::accept_blocking, |socket, conversation| {
            own.extend(self.group.assign(self.number, socket, conversation));
        });
        match accepting {
            Accepting::Accept if !self.is_listener_watched => {
                self.is_listener_watched = true;
                self.ring.watch_listener(accept_loop.listener());
            }
            // A wait that is left while no client may be accepted completes once, and is not renewed.
            Accepting::Accept | Accepting::Wait => {}
            // As long as the ring waits for the listener, that is not closed.
            Accepting::Stopped if self.is_listener_watched => {
                if !std::mem::replace(&mut self.is_listener_cancelled, true) {
                    self.ring.cancel_listener();
                }
            }
            Accepting::Stopped => self.accept_loop = None,
        }
        for (socket, conversation) in own {
            self.add(socket, conversation);
        }
    }

    fn add(&mut self, socket: Socket, conversation: Conversation) {
        let entry = self.clients.vacant_entry();
        let slot = entry.key();
        self.inbox.register(&conversation, slot);
        let conversation = Some(conversation);
        let receiving = Receiving::No;
        entry.insert(Client { conversation, socket, sending: None, receiving, is_queued: false });
        self.step(slot);
    }

    fn step(&mut self, slot: usize) {
        let Some(Client { conversation: Some(conversation), socket, .. }) = self.clients.get_mut(slot) else {
            return;
        };
        let step = conversation.step(&*socket, &mut self.buffers);
        self.follow(slot, step);
    }

    /// Does what a conversation needs next.
    fn follow(&mut self, slot: usize, step: Step) {
        let Some(client) = self.clients.get_mut(slot) else { return };
        let is_behind = client.conversation.as_ref().is_some_and(Conversation::is_behind);
        match step {
            Step::Send(output) => {
                let key = self.ring.send(&client.socket, slot, output);
                client.sending = Some((key as u32, self.round));
                self.sends.push(slot);
            }
            Step::Receive if client.receiving == Receiving::No => {
                client.receiving = Receiving::Yes;
                self.ring.receive(&client.socket, slot);
            }
            // What is sent has mostly gone by the next round.
            Step::Receive | Step::Sending => {}
            Step::Turn => {
                if !std::mem::replace(&mut client.is_queued, true) {
                    self.queue.push_back(slot);
                }
            }
            Step::Blocking if client.receiving == Receiving::No => {
                // The handler is called where it may block, and the conversation sent back.
                if let Some(conversation) = client.conversation.take() {
                    let inbox = Arc::clone(&self.inbox);
                    conversation.offload(move |conversation| inbox.send(Item::Returned(slot, conversation)));
                }
            }
            Step::Blocking => self.stop_receiving(slot),
            Step::Over => return self.end(slot),
        }
        if is_behind {
            self.stop_receiving(slot);
        }
    }

    /// Ends a conversation, as soon as the kernel has no operation of its client any more.
    fn end(&mut self, slot: usize) {
        self.stop_receiving(slot);
        let Some(client) = self.clients.get(slot) else { return };
        if let Some((key, _)) = client.sending {
            return self.ring.cancel_send(key as usize, slot);
        }
        if client.receiving == Receiving::No {
            let client = self.clients.remove(slot);
            self.inbox.client_left();
            if let Some(conversation) = client.conversation {
                conversation.end(client.socket);
            }
        }
    }

    fn stop_receiving(&mut self, slot: usize) {
        if let Some(client) = self.clients.get_mut(slot)
            && client.receiving == Receiving::Yes
        {
            client.receiving = Receiving::Ending;
            self.ring.cancel_receive(slot);
        }
    }

    /// An output that was sent a round ago and has not gone waits for the client, from which nothing more is received.
    fn check_send(&mut self, slot: usize) {
        if let Some(client) = self.clients.get_mut(slot)
            && client.sending.is_some_and(|(_, round)| round != self.round)
            && let Some(conversation) = &mut client.conversation
        {
            conversation.stalled(&client.socket, &mut self.buffers);
            self.stop_receiving(slot);
        }
    }
}
