//! The door: the listener, with the worker that accepts.

use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::Arc;

use rustix::event::epoll::{self, EventData, EventFlags};
use serving::{Accepting, Acceptor, Conversation, Member, accept_nonblocking};

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

    /// Has `worker` woken when there is news of the door.
    pub(crate) fn register(&self, worker: &Arc<Member>) {
        self.acceptor.register(&worker.waker());
    }

    /// Lets in who stands before it, up to so many that others have their turn as well, and has the poller tell of
    /// more as long as there may be more, with `key`. Tells whether the server goes on.
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
            // While nobody may be accepted it is not in the poller at all, which would tell of a hang-up all the same.
            let watched = if watch {
                epoll::add(poller, &self.listener, EventData::new_u64(key), EventFlags::IN)
            } else {
                epoll::delete(poller, &self.listener)
            };
            if let Err(error) = watched {
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
    use common::{Client, Handler, Replies, Service, Session};
    use serving::{Server, Stop};

    use super::*;

    struct Nothing;

    impl Handler for Nothing {
        fn open(&self, _: &Client, _: &mut Replies<'_>) -> Box<dyn Session> {
            unreachable!("nobody comes")
        }
    }

    #[test]
    fn a_listener_that_can_not_be_watched_is_an_error() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let service = Arc::new(Service::framed(Arc::new(Nothing), common::Framing::Line));
        let (server, acceptor) =
            Server::open(&crate::Epoll, &listener, service, &Stop::new()).expect("a server");
        let no_poller = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut door = Door::new(listener, acceptor);
        assert!(!door.accept(&no_poller, 1, |_, _| unreachable!("nobody comes")));
        drop(door);
        assert!(server.close(Ok(())).is_err());
    }
}
