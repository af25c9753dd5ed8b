//! The door: the listener, with the worker that accepts.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::Arc;

use common::{Accepting, Acceptor, Conversation, Member, accept_nonblocking};
use rustix::event::epoll::{self, EventData, EventFlags};

/// The listener, with the worker that accepts. When it is dropped the listener is closed, and then the server told.
pub(crate) struct Door {
    listener: TcpListener,
    acceptor: Acceptor,
    /// Whether the poller tells of clients before it.
    watched: bool,
}

impl Door {
    pub(crate) fn new(listener: TcpListener, acceptor: Acceptor) -> Self {
        Self { listener, acceptor, watched: false }
    }

    /// Has `poller` tell of clients before the door, with `key`; and the worker woken when there is other news.
    pub(crate) fn add(&self, poller: impl AsFd, key: u64, worker: &Arc<Member>) -> io::Result<()> {
        self.acceptor.register(&worker.waker());
        Ok(epoll::add(poller, &self.listener, EventData::new_u64(key), EventFlags::empty())?)
    }

    /// Lets in who stands before it, up to so many that others have their turn as well, and has the poller tell of
    /// more as long as there may be more. Tells whether the server goes on.
    pub(crate) fn accept(
        &mut self,
        poller: impl AsFd,
        key: u64,
        mut admit: impl FnMut(TcpStream, Conversation),
    ) -> bool {
        let wanted = self.acceptor.accept_turn(|| accept_nonblocking(&self.listener), &mut admit);
        let watch = match wanted {
            Accepting::Accept => true,
            Accepting::Wait => false,
            Accepting::Stopped => return false,
        };
        if self.watched != watch {
            let interest = if watch { EventFlags::IN } else { EventFlags::empty() };
            if let Err(error) = epoll::modify(poller, &self.listener, EventData::new_u64(key), interest) {
                self.acceptor.fail(error.into());
                return false;
            }
            self.watched = watch;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use common::{Handler, Peer, Replies, Server, Service, Session, Stop};

    use super::*;

    struct Nothing;

    impl Handler for Nothing {
        fn open(&self, _: &Peer, _: &mut Replies<'_>) -> Box<dyn Session> {
            unreachable!("nobody comes")
        }
    }

    #[test]
    fn a_listener_that_can_not_be_watched_is_an_error() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let service = Arc::new(Service::framed(Arc::new(Nothing), common::Framing::Line));
        let (server, acceptor) =
            Server::open(&crate::Epoll, &listener, service, &Stop::new()).expect("a server");
        let poller = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
        // It was never added to the poller, so that its interest can't be changed.
        let mut door = Door::new(listener, acceptor);
        assert!(!door.accept(&poller, 1, |_, _| unreachable!("nobody comes")));
        drop(door);
        assert!(server.close(Ok(())).is_err());
    }
}
