//! A worker: a thread with a ring and its own clients.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use common::Output;
use rustix::io::Errno;
use serving::{
    AcceptLoop, Accepting, Buffers, Conversation, Inbox, Item, Listener, Socket, Step, WorkerGroup,
};
use slab::Slab;

use crate::ring::{Completion, Received, Ring, Token};

/// A worker: a thread with a ring and its own clients.
pub(crate) struct Worker {
    group: Arc<WorkerGroup>,
    number: usize,
    inbox: Arc<Inbox>,
    ring: Ring,
    clients: Slab<Client>,
    /// The ready queue: the slots of clients that need another turn.
    queue: VecDeque<usize>,
    /// The slots of clients to which an output was sent in this round.
    sent: Vec<usize>,
    round: u32,
    buffers: Buffers,
    accept_loop: Option<AcceptLoop>,
    /// The poll of the listener.
    polling: Operation,
}

struct Client {
    /// `None` while it is offloaded, which is only while nothing is being received.
    conversation: Option<Conversation>,
    socket: Socket,
    receiving: Operation,
    sending: Operation,
    /// The key of the output that is being sent, and the round in which it was submitted.
    output: u32,
    sent_in: u32,
    is_queued: bool,
}

/// How long a worker waits for outputs to be sent before it treats their clients as stalled.
const SEND_TIMEOUT: Duration = Duration::from_millis(10);

/// An operation that the kernel may be carrying out.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Operation {
    #[default]
    None,
    Running,
    /// The operation is being cancelled. It may still produce results.
    Cancelled,
}

/// An event of a client.
enum Event {
    Received(io::Result<Received>),
    Sent(Output, io::Result<usize>),
    /// The client has marks, gets another turn, or its conversation was returned.
    Woken,
}

impl Operation {
    fn cancel(&mut self, ring: &mut Ring, token: Token) {
        if *self == Self::Running {
            ring.cancel(token);
            *self = Self::Cancelled;
        }
    }
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
        let (clients, queue, sent, round, buffers, polling) = Default::default();
        Ok(Self { group, number, inbox, ring, clients, queue, sent, round, buffers, accept_loop, polling })
    }

    /// Works until the server has ended.
    pub(crate) fn work(mut self) -> io::Result<()> {
        self.ring.enable()?;
        self.ring.poll_notifier(self.inbox.notifier());
        self.accept();
        while !self.group.is_stopped() {
            let queued = self.queue.len();
            let timeout = match (queued, self.sent.is_empty()) {
                (1.., _) => Some(Duration::ZERO),
                // So that an output that its client doesn't take is noticed even if nothing else happens.
                (0, false) => Some(SEND_TIMEOUT),
                (0, true) => None,
            };
            if let Err(error) = self.ring.submit(timeout) {
                tracing::error!(%error, "submitting to the ring failed; retrying");
                thread::sleep(Duration::from_millis(100));
            }
            let sent = std::mem::take(&mut self.sent);
            self.round = self.round.wrapping_add(1);
            let is_notified = self.handle_completions();
            for slot in sent {
                // A client that has not taken an output for a round is not received from.
                if let Some(client) = self.clients.get_mut(slot)
                    && client.sending != Operation::None
                    && client.sent_in != self.round
                    && let Some(conversation) = &mut client.conversation
                {
                    conversation.stalled(&client.socket, &mut self.buffers);
                    client.receiving.cancel(&mut self.ring, Token::receive(slot));
                }
            }
            for _ in 0..queued {
                // The slot may be free or belong to a new client by now, which is not queued.
                if let Some(slot) = self.queue.pop_front()
                    && self.clients.get_mut(slot).is_some_and(|client| std::mem::take(&mut client.is_queued))
                {
                    self.serve(slot, Event::Woken);
                }
            }
            if is_notified {
                self.read_inbox();
            }
        }
        Ok(())
    }

    /// Handles all fetched completions. Returns whether the inbox was notified.
    fn handle_completions(&mut self) -> bool {
        let mut is_notified = false;
        while let Some(completion) = self.ring.next() {
            match completion {
                Completion::Received { slot, received, more } => {
                    if let Some(client) = self.clients.get_mut(slot)
                        && !more
                    {
                        client.receiving = Operation::None;
                    }
                    self.serve(slot, Event::Received(received));
                }
                Completion::Sent { slot, output, sent } => {
                    if let Some(client) = self.clients.get_mut(slot) {
                        client.sending = Operation::None;
                    }
                    self.serve(slot, Event::Sent(output, sent));
                }
                Completion::Listener { result } => {
                    let was_cancelled = std::mem::take(&mut self.polling) == Operation::Cancelled;
                    if let (Err(error), false, Some(accept_loop)) =
                        (result, was_cancelled, &mut self.accept_loop)
                    {
                        accept_loop.acceptor().fail(error);
                    }
                    self.accept();
                }
                Completion::Notifier { more } => {
                    is_notified = true;
                    if !more {
                        self.ring.poll_notifier(self.inbox.notifier());
                    }
                }
            }
        }
        is_notified
    }

    fn read_inbox(&mut self) {
        for item in self.inbox.receive() {
            match item {
                Item::Client(socket, conversation) => self.add(socket, conversation),
                Item::Returned(slot, conversation) => {
                    if let Some(client) = self.clients.get_mut(slot) {
                        client.conversation = Some(conversation);
                        self.serve(slot, Event::Woken);
                    }
                }
                Item::Woken(slot) => self.serve(slot, Event::Woken),
                Item::Accept => self.accept(),
            }
        }
    }

    /// Accepts clients, assigns them to the workers, and polls the listener while clients may be accepted.
    ///
    /// The ring only polls, and system calls accept. An accept by the ring would depend on whether the listener is
    /// non-blocking, which another process that shares it may change, and would not return the addresses.
    fn accept(&mut self) {
        let Some(mut accept_loop) = self.accept_loop.take() else { return };
        let accepting = accept_loop.turn(Listener::accept_blocking, |socket, conversation| {
            if let Some((socket, conversation)) = self.group.assign(self.number, socket, conversation) {
                self.add(socket, conversation);
            }
        });
        match accepting {
            Accepting::Accept if self.polling == Operation::None => {
                self.polling = Operation::Running;
                self.ring.poll_listener(accept_loop.listener());
            }
            // A poll that is still running completes once, and is not renewed.
            Accepting::Accept | Accepting::Wait => {}
            // The kernel closes the listener only after the poll has ended, so the accept loop is kept until then.
            Accepting::Stopped => {
                self.polling.cancel(&mut self.ring, Token::LISTENER);
                if self.polling == Operation::None {
                    return;
                }
            }
        }
        self.accept_loop = Some(accept_loop);
    }

    fn add(&mut self, socket: Socket, conversation: Conversation) {
        let entry = self.clients.vacant_entry();
        let slot = entry.key();
        self.inbox.register(&conversation, slot);
        let conversation = Some(conversation);
        let (receiving, sending, output, sent_in, is_queued) = Default::default();
        entry.insert(Client { conversation, socket, receiving, sending, output, sent_in, is_queued });
        self.serve(slot, Event::Woken);
    }

    /// Reports an event to the conversation of a client, and does the next step.
    fn serve(&mut self, slot: usize, event: Event) {
        let Some(client) = self.clients.get_mut(slot) else { return };
        let Some(conversation) = &mut client.conversation else { return };
        let step = match event {
            Event::Received(Ok(received)) => {
                let step = conversation.received(self.ring.bytes(&received), &mut self.buffers);
                self.ring.release(received);
                step
            }
            Event::Received(Err(error)) => {
                // The operation was cancelled, or found no free buffer. Any other error ends the connection.
                let errno = Errno::from_io_error(&error);
                if !matches!(errno, Some(Errno::CANCELED | Errno::NOBUFS | Errno::INTR)) {
                    conversation.mark_lost();
                }
                conversation.step(&client.socket, &mut self.buffers)
            }
            Event::Sent(output, sent) => conversation.sent(output, sent, &mut self.buffers),
            Event::Woken => conversation.step(&client.socket, &mut self.buffers),
        };
        let is_behind = conversation.is_behind();
        match step {
            Step::Send(output) => {
                client.output = self.ring.send(&client.socket, slot, output);
                client.sending = Operation::Running;
                client.sent_in = self.round;
                self.sent.push(slot);
            }
            Step::Receive if client.receiving == Operation::None => {
                self.ring.receive(&client.socket, slot);
                client.receiving = Operation::Running;
            }
            // An output has mostly been sent by the next round, so receiving continues meanwhile.
            Step::Receive | Step::Sending | Step::Wakeup => {}
            Step::Turn => {
                if !std::mem::replace(&mut client.is_queued, true) {
                    self.queue.push_back(slot);
                }
            }
            Step::Blocking if client.receiving == Operation::None => {
                // The handler runs on another thread, which then returns the conversation.
                if let Some(conversation) = client.conversation.take() {
                    let inbox = Arc::clone(&self.inbox);
                    conversation.offload(move |conversation| inbox.send(Item::Returned(slot, conversation)));
                }
            }
            Step::Blocking => client.receiving.cancel(&mut self.ring, Token::receive(slot)),
            Step::Over => {
                client.receiving.cancel(&mut self.ring, Token::receive(slot));
                client.sending.cancel(&mut self.ring, Token::send(client.output, slot));
                // It ends when the kernel carries out no operation of its client any more.
                if (client.receiving, client.sending) == (Operation::None, Operation::None) {
                    let client = self.clients.remove(slot);
                    self.inbox.client_left();
                    if let Some(conversation) = client.conversation {
                        conversation.end(client.socket);
                    }
                }
                return;
            }
        }
        if is_behind {
            client.receiving.cancel(&mut self.ring, Token::receive(slot));
        }
    }
}
