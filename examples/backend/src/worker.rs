//! The thread that serves: it waits for everybody at once, and gives a turn to whoever is ready.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use common::{
    ACCEPTS_IN_A_TURN, Accepting, Acceptor, Admission, Bell, Buffers, Conversation, Wait, accept_nonblocking,
};
use rustix::event::PollFlags;

use crate::crew::Crew;

/// A client, with what its conversation waits for.
pub(crate) struct Client {
    pub(crate) socket: TcpStream,
    pub(crate) conversation: Conversation,
    pub(crate) wait: Wait,
}

impl Client {
    /// What its socket is watched for.
    fn interest(&self) -> PollFlags {
        match self.wait {
            Wait::Readable => PollFlags::IN,
            Wait::Writable => PollFlags::OUT,
            Wait::Turn | Wait::Blocking | Wait::Over => PollFlags::empty(),
        }
    }

    fn is_due(&self, ready: bool) -> bool {
        ready || self.wait == Wait::Turn || self.conversation.is_marked()
    }
}

/// The thread that serves.
pub(crate) struct Worker {
    door: Option<Door>,
    /// Those who are here: a client whose handler may block is with the crew meanwhile.
    clients: Vec<Client>,
    crew: Crew,
    bell: Arc<Bell>,
    buffers: Buffers,
}

/// The listener, and who is let in. When it is dropped the listener is closed, and then the server told.
struct Door {
    listener: TcpListener,
    acceptor: Acceptor,
}

/// How long it is waited where waiting itself fails, for want of memory.
const PAUSE: Duration = Duration::from_millis(100);

impl Worker {
    /// One that waits with `bell`, with which `acceptor` is registered.
    pub(crate) fn new(listener: TcpListener, acceptor: Acceptor, bell: Arc<Bell>) -> Self {
        let door = Some(Door { listener, acceptor });
        let crew = Crew::new(Arc::clone(&bell));
        Self { door, clients: Vec::new(), crew, bell, buffers: Buffers::new() }
    }

    /// Serves until the server stops and everybody has left.
    pub(crate) fn work(mut self) {
        let mut knocked = true;
        while self.door.is_some() || !self.clients.is_empty() || !self.crew.is_idle() {
            let watches_door = self.open_door(knocked);
            let ready = self.wait(watches_door).unwrap_or_else(|_| {
                thread::sleep(PAUSE);
                Vec::new()
            });
            knocked = ready.get(self.clients.len()) == Some(&true);
            self.take_turns(&ready);
        }
    }

    /// Lets in who has knocked, not too many at once. Tells whether the door is to be watched.
    fn open_door(&mut self, knocked: bool) -> bool {
        let Some(door) = &mut self.door else { return false };
        let mut left = if knocked { ACCEPTS_IN_A_TURN } else { 0 };
        loop {
            match door.acceptor.what_now() {
                Accepting::Accept if left == 0 => return true,
                Accepting::Accept => match door.acceptor.admit(accept_nonblocking(&door.listener)) {
                    Admission::Client(socket, conversation) => {
                        left -= 1;
                        conversation.register(&self.bell.waker());
                        self.clients.push(Client { socket, conversation, wait: Wait::Turn });
                    }
                    Admission::None => left -= 1,
                    Admission::Nobody => left = 0,
                },
                Accepting::Wait => return false,
                Accepting::Stopped => {
                    self.door = None;
                    return false;
                }
            }
        }
    }

    /// Waits until somebody is ready or the bell rings, unless somebody waits for a turn. Tells which of the clients
    /// are ready, and behind them, if the door is watched, whether somebody stands before it.
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
                client.wait = client.conversation.advance(&mut client.socket, &mut self.buffers);
            }
            matches!(client.wait, Wait::Blocking | Wait::Over)
        });
        for client in leaving {
            match client.wait {
                Wait::Blocking => self.crew.run(client),
                _ => client.conversation.end(client.socket),
            }
        }
        self.clients.extend(self.crew.come_back());
    }
}
