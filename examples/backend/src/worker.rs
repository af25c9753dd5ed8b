//! The thread that serves all clients.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use anyloop::Listener;
use anyloop::backend::{AcceptLoop, Accepting, Buffers, Conversation, Notifier, Socket, Wait};
use rustix::event::PollFlags;

/// A client, and what its conversation waits for.
struct Client {
    socket: Socket,
    conversation: Conversation,
    wait: Wait,
}

impl Client {
    /// The events that its socket is polled for.
    fn interest(&self) -> PollFlags {
        match self.wait {
            Wait::Readable => PollFlags::IN,
            Wait::Writable => PollFlags::OUT,
            Wait::Wakeup => PollFlags::HUP, // a failure
            Wait::Turn | Wait::Blocking | Wait::Over => PollFlags::empty(),
        }
    }

    /// Advances the conversation, if it is ready, has a turn or was woken.
    fn advance(&mut self, is_ready: bool, buffers: &mut Buffers) {
        if is_ready {
            self.conversation.ready(false);
        } else if self.wait != Wait::Turn && !self.conversation.is_marked() {
            return;
        }
        self.wait = self.conversation.advance(&self.socket, buffers);
    }
}

/// The thread that serves.
pub(crate) struct Worker {
    accept_loop: Option<AcceptLoop>,
    /// The clients, except those whose handlers run on another thread.
    clients: Vec<Client>,
    /// The number of handlers that run on other threads.
    running: usize,
    /// Returns these clients.
    returned: (Sender<Client>, Receiver<Client>),
    notifier: Arc<Notifier>,
    buffers: Buffers,
}

impl Worker {
    /// A worker that waits with `notifier`, which is registered with the acceptor.
    pub(crate) fn new(accept_loop: AcceptLoop, notifier: Arc<Notifier>) -> Self {
        let (clients, running, buffers) = Default::default();
        Self { accept_loop: Some(accept_loop), clients, running, returned: channel(), notifier, buffers }
    }

    /// Serves until the server stops and all clients have left.
    pub(crate) fn work(mut self) -> io::Result<()> {
        let mut is_listener_polled = self.accept();
        while self.accept_loop.is_some() || !self.clients.is_empty() || self.running > 0 {
            let ready = self.wait(is_listener_polled)?;
            self.serve(&ready);
            is_listener_polled = self.accept();
        }
        Ok(())
    }

    /// Accepts a limited number of clients. Returns whether the listener must be polled for more.
    fn accept(&mut self) -> bool {
        let Some(accept_loop) = &mut self.accept_loop else { return false };
        let accepting = accept_loop.turn(Listener::accept, |socket, conversation| {
            conversation.register(&self.notifier.waker());
            self.clients.push(Client { socket, conversation, wait: Wait::Turn });
        });
        if accepting == Accepting::Stopped {
            self.accept_loop = None;
        }
        accepting == Accepting::Accept
    }

    /// Waits until a client is ready or the notifier is notified, unless a client waits for its turn. Returns which of the
    /// clients are ready.
    fn wait(&self, is_listener_polled: bool) -> io::Result<Vec<bool>> {
        let clients = self.clients.iter().map(|client| (client.socket.as_fd(), client.interest()));
        let listener = self.accept_loop.iter().filter(|_| is_listener_polled);
        let listener = listener.map(|accept_loop| (accept_loop.listener().as_fd(), PollFlags::IN));
        let polled: Vec<_> = clients.chain(listener).collect();
        let has_turn = self.clients.iter().any(|client| client.wait == Wait::Turn);
        self.notifier.wait_any(&polled, has_turn.then_some(Duration::ZERO))
    }

    /// Advances the clients, and removes those that have ended or block.
    fn serve(&mut self, ready: &[bool]) {
        let mut ready = ready.iter();
        let leaving = self.clients.extract_if(.., |client| {
            client.advance(ready.next() == Some(&true), &mut self.buffers);
            matches!(client.wait, Wait::Blocking | Wait::Over)
        });
        for Client { socket, conversation, wait } in leaving {
            if wait == Wait::Over {
                conversation.end(socket);
                continue;
            }
            // Its handler is called on another thread.
            self.running += 1;
            let (returned, notifier) = (self.returned.0.clone(), Arc::clone(&self.notifier));
            conversation.offload(move |conversation| {
                let _ = returned.send(Client { socket, conversation, wait: Wait::Turn });
                notifier.notify();
            });
        }
        let before = self.clients.len();
        self.clients.extend(self.returned.1.try_iter());
        self.running -= self.clients.len() - before;
    }
}
