//! A worker: a thread with a ring and its own clients.

use std::io;
use std::time::Duration;

use rustix::io::Errno;
use serving::epoll::{Epoll, Interest};
use serving::{Accepting, Buffers, Conversation, Item, Listener, Socket, Step, WorkerContext};
use slab::Slab;

use crate::ring::{Completion, Event, Operation, Ring, Token};

pub(crate) struct Worker {
    context: WorkerContext,
    ring: Ring,
    clients: Slab<Client>,
    /// The ready queue: the slots of clients that need another turn.
    queue: Vec<usize>,
    /// The slots of clients to which an output was sent in this round.
    sent: Vec<usize>,
    round: u32,
    buffers: Buffers,
    /// Watches the listener of the worker that accepts, and is polled by its ring. A ring keeps what it polls open until the kernel
    /// has taken it down, which is some time after the process was killed, and the port would not be free meanwhile.
    listening: Option<Epoll>,
    is_polling: bool,
}

struct Client {
    /// `None` while it is offloaded, which is only while nothing is being received or sent.
    conversation: Option<Conversation>,
    socket: Socket,
    receiving: Operation,
    sending: Operation,
    /// The key of the output that is being sent, and the round in which it was submitted.
    output: u32,
    sent_in: u32,
    is_queued: bool,
}

/// How long a worker waits for outputs to be sent before it treats their clients as stalled, so that an output that its
/// client doesn't take is noticed even if nothing else happens.
const SEND_TIMEOUT: Duration = Duration::from_millis(10);

impl Worker {
    pub(crate) fn new(context: WorkerContext) -> io::Result<Self> {
        let watch = |listener: &Listener| {
            let epoll = Epoll::new()?;
            epoll.add(listener, 0, Interest::Input).map(|()| epoll)
        };
        let listening =
            context.accept_loop.as_ref().map(|accept_loop| watch(accept_loop.listener())).transpose()?;
        let (clients, queue, sent, round, buffers, is_polling) = Default::default();
        Ok(Self { context, ring: Ring::new()?, clients, queue, sent, round, buffers, listening, is_polling })
    }

    /// Works until the server has ended.
    pub(crate) fn work(mut self) -> io::Result<()> {
        self.ring.enable()?;
        self.ring.poll(self.context.notifier(), Token::NOTIFIER);
        self.accept();
        while !self.context.is_stopped() {
            let (queued, sent) = (std::mem::take(&mut self.queue), std::mem::take(&mut self.sent));
            let send_timeout = (!sent.is_empty()).then_some(SEND_TIMEOUT);
            let may_block = self.context.notifier().begin_wait() && queued.is_empty();
            self.ring.submit(if may_block { send_timeout } else { Some(Duration::ZERO) });
            self.round = self.round.wrapping_add(1);
            let is_notified = self.context.notifier().end_wait() | self.handle_completions();
            for slot in sent {
                // A client that has not taken an output for a round is not received from.
                if let Some(client) = self.clients.get_mut(slot)
                    && client.sending != Operation::None
                    && client.sent_in != self.round
                    && let Some(conversation) = &mut client.conversation
                {
                    conversation.stalled(&client.socket, &mut self.buffers);
                    self.ring.cancel(&mut client.receiving, Token::receive(slot));
                }
            }
            for slot in queued {
                // The slot may be free or belong to a new client by now, which is not queued.
                if self.clients.get_mut(slot).is_some_and(|client| std::mem::take(&mut client.is_queued)) {
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
                Completion::Client(slot, event) => self.serve(slot, event),
                Completion::Notifier => {
                    self.context.notifier().drain();
                    self.ring.poll(self.context.notifier(), Token::NOTIFIER);
                    is_notified = true;
                }
                Completion::Listener(result) => {
                    self.is_polling = false;
                    if let Err(error) = result
                        && let Some(accept_loop) = &mut self.context.accept_loop
                    {
                        accept_loop.acceptor().fail(error);
                    }
                    self.accept();
                }
                Completion::Cancel => {}
            }
        }
        is_notified
    }

    fn read_inbox(&mut self) {
        for item in self.context.receive() {
            match item {
                Item::Client(socket, conversation) => self.add(socket, conversation),
                Item::Returned(slot, conversation) => {
                    self.clients[slot].conversation = Some(conversation);
                    self.serve(slot, Event::Woken);
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
        let (clients, accepting) = self.context.accept(Listener::accept_blocking);
        clients.into_iter().for_each(|(socket, conversation)| self.add(socket, conversation));
        let Some(listening) = &self.listening else { return };
        match accepting {
            Accepting::Accept if !self.is_polling => {
                self.ring.poll(listening, Token::LISTENER);
                self.is_polling = true;
            }
            // A poll that is still running completes once, and is not renewed.
            Accepting::Accept | Accepting::Wait => {}
            Accepting::Stopped => self.context.accept_loop = None,
        }
    }

    fn add(&mut self, socket: Socket, conversation: Conversation) {
        let entry = self.clients.vacant_entry();
        let slot = entry.key();
        self.context.register(&conversation, slot);
        let conversation = Some(conversation);
        let (receiving, sending, output, sent_in, is_queued) = Default::default();
        entry.insert(Client { conversation, socket, receiving, sending, output, sent_in, is_queued });
        self.serve(slot, Event::Woken);
    }

    /// Reports an event to the conversation of a client, and does the next step.
    fn serve(&mut self, slot: usize, event: Event) {
        let Some(client) = self.clients.get_mut(slot) else { return };
        let Some(conversation) = &mut client.conversation else { return };
        match event {
            Event::Received { more: false, .. } => client.receiving = Operation::None,
            Event::Sent(..) => client.sending = Operation::None,
            Event::Received { .. } | Event::Woken => {}
        }
        let step = match event {
            Event::Received { buffer, count: Ok(count), .. } => {
                self.ring.read(buffer, count, |bytes| conversation.received(bytes, &mut self.buffers))
            }
            Event::Received { count: Err(error), .. } => {
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
        if conversation.is_behind() || matches!(step, Step::Blocking | Step::Over) {
            self.ring.cancel(&mut client.receiving, Token::receive(slot));
        }
        match step {
            Step::Send(output) => {
                client.output = self.ring.send(&client.socket, slot, output);
                client.sending = Operation::Running;
                client.sent_in = self.round;
                self.sent.push(slot);
            }
            Step::Receive | Step::Wakeup
                if client.receiving == Operation::None && !conversation.is_behind() =>
            {
                self.ring.receive(&client.socket, slot);
                client.receiving = Operation::Running;
            }
            // An output has mostly been sent by the next round, so receiving continues meanwhile.
            Step::Receive | Step::Sending | Step::Wakeup => {}
            Step::Turn => {
                if !std::mem::replace(&mut client.is_queued, true) {
                    self.queue.push(slot);
                }
            }
            Step::Blocking => {
                // An output is still being sent only if it was given up. While the conversation is offloaded, nothing could
                // take the completion.
                self.ring.cancel(&mut client.sending, Token::send(client.output, slot));
                if (client.receiving, client.sending) == (Operation::None, Operation::None)
                    && let Some(conversation) = client.conversation.take()
                {
                    self.context.offload(conversation, slot);
                }
            }
            Step::Over => {
                self.ring.cancel(&mut client.sending, Token::send(client.output, slot));
                // It ends when the kernel carries out no operation of its client any more.
                if (client.receiving, client.sending) == (Operation::None, Operation::None)
                    && let Some(conversation) = client.conversation.take()
                {
                    self.context.client_left();
                    conversation.end(self.clients.remove(slot).socket);
                }
            }
        }
    }
}
