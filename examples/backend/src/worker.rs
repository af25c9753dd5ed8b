//! The thread that serves: it waits for everybody at once, and gives a turn to whoever is ready.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use anyloop::Listener;
use anyloop::backend::{Accepting, Acceptor, Bell, Buffers, Conversation, Socket, Wait};
use rustix::event::PollFlags;

/// A client, with what its conversation waits for.
struct Client {
    socket: Socket,
    conversation: Conversation,
    wait: Wait,
}

impl Client {
    /// What its socket is watched for.
    fn interest(&self) -> PollFlags {
        match self.wait {
            Wait::Readable => PollFlags::IN,
            Wait::Writable => PollFlags::OUT,
            Wait::Wakeup | Wait::Turn | Wait::Blocking | Wait::Over => PollFlags::empty(),
        }
    }

    fn is_due(&self, ready: bool) -> bool {
        ready || self.wait == Wait::Turn || self.conversation.is_marked()
    }
}

/// The thread that serves.
pub(crate) struct Worker {
    door: Option<Door>,
    /// Those who are here: a client whose handler may block is away meanwhile.
    clients: Vec<Client>,
    away: usize,
    /// By which those who were away come back.
    back: (Sender<Client>, Receiver<Client>),
    bell: Arc<Bell>,
    buffers: Buffers,
}

/// The listener, and who is let in. When it is dropped the listener is closed, and then the server told.
struct Door {
    listener: Listener,
    acceptor: Acceptor,
}

impl Worker {
    /// One that waits with `bell`, with which `acceptor` is registered.
    pub(crate) fn new(listener: Listener, acceptor: Acceptor, bell: Arc<Bell>) -> Self {
        let door = Some(Door { listener, acceptor });
        Self { door, clients: Vec::new(), away: 0, back: channel(), bell, buffers: Buffers::new() }
    }

    /// Serves until the server stops and everybody has left.
    pub(crate) fn work(mut self) -> io::Result<()> {
        while self.door.is_some() || !self.clients.is_empty() || self.away > 0 {
            let watches_door = self.open_door();
            let ready = self.wait(watches_door)?;
            self.take_turns(&ready);
        }
        Ok(())
    }

    /// Lets in who is there, not too many at once. Tells whether the door is to be watched.
    fn open_door(&mut self) -> bool {
        let Some(Door { listener, acceptor }) = &mut self.door else { return false };
        let accepting = acceptor.accept_turn(
            || listener.accept(),
            |socket, conversation| {
                conversation.register(&self.bell.waker());
                self.clients.push(Client { socket, conversation, wait: Wait::Turn });
            },
        );
        if accepting == Accepting::Stopped {
            self.door = None;
        }
        accepting == Accepting::Accept
    }

    /// Waits until somebody is ready or the bell rings, unless somebody waits for a turn. Tells which of the clients
    /// are ready.
    fn wait(&self, watches_door: bool) -> io::Result<Vec<bool>> {
        let clients = self.clients.iter().map(|client| (client.socket.as_fd(), client.interest()));
        let door = self.door.iter().filter(|_| watches_door);
        let watched: Vec<_> =
            clients.chain(door.map(|door| (door.listener.as_fd(), PollFlags::IN))).collect();
        let has_turn = self.clients.iter().any(|client| client.wait == Wait::Turn);
        self.bell.wait_any(&watched, has_turn.then_some(Duration::ZERO))
    }

    /// Gives a turn to everybody who is due, and lets go of those who leave.
    fn take_turns(&mut self, ready: &[bool]) {
        let mut ready = ready.iter();
        let leaving = self.clients.extract_if(.., |client| {
            if client.is_due(ready.next() == Some(&true)) {
                client.wait = client.conversation.advance(&client.socket, &mut self.buffers);
            }
            matches!(client.wait, Wait::Blocking | Wait::Over)
        });
        for Client { socket, conversation, wait } in leaving {
            if wait == Wait::Over {
                conversation.end(socket);
                continue;
            }
            // Its handler is called on another thread.
            self.away += 1;
            let (back, bell) = (self.back.0.clone(), Arc::clone(&self.bell));
            conversation.offload(move |conversation| {
                let _ = back.send(Client { socket, conversation, wait: Wait::Turn });
                bell.ring();
            });
        }
        let back = self.back.1.try_iter();
        let here = self.clients.len();
        self.clients.extend(back);
        self.away -= self.clients.len() - here;
    }
}
