//! The listener, at the worker that accepts.

use serving::epoll::{Epoll, Interest};
use serving::{Accepting, Acceptor, Conversation, Listener, Member, Socket};

/// The listener, at the worker that accepts. When it is dropped it is closed, and then the server told.
pub(crate) struct Accepts {
    listener: Listener,
    acceptor: Acceptor,
    /// Whether the poller watches it.
    watched: bool,
}

/// Its key at the poller, which is no client's.
pub(crate) const LISTENER: usize = usize::MAX - 1;

impl Accepts {
    pub(crate) fn new(listener: Listener, acceptor: Acceptor) -> Self {
        Self { listener, acceptor, watched: false }
    }

    /// Has the watchman wake this worker when it is to accept again.
    pub(crate) fn register(&self, worker: &Member) {
        self.acceptor.register(&worker.waker());
    }

    /// Accepts clients, not so many that others have to wait, and has the poller report when there are more. Returns
    /// whether the server goes on.
    pub(crate) fn accept(&mut self, poller: &Epoll, admit: impl FnMut(Socket, Conversation)) -> bool {
        let watch = match self.acceptor.accept_turn(|| self.listener.accept(), admit) {
            Accepting::Accept => true,
            Accepting::Wait => false,
            Accepting::Stopped => return false,
        };
        if watch && !self.watched {
            if let Err(error) = poller.add(&self.listener, LISTENER, Interest::Input) {
                self.acceptor.fail(error);
                return false;
            }
        } else if !watch && self.watched {
            // The poller would report a hang-up all the same, whatever the interest.
            poller.remove(&self.listener);
        }
        self.watched = watch;
        true
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use common::{Client, Framing, Handler, Replies, Service, Session};
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
        let listener = Listener::from(std::net::TcpListener::bind("127.0.0.1:0").unwrap());
        let poller = Epoll::new().unwrap();
        poller.add(&listener, 0, Interest::Input).expect("the first registration");
        let service = Arc::new(Service::framed(Arc::new(Nothing), Framing::Line));
        let (server, acceptor) =
            Server::open(&crate::Epoll, &listener, service, &Stop::new()).expect("a server");
        let mut listener = Accepts::new(listener, acceptor);
        // The second registration of a descriptor fails.
        assert!(!listener.accept(&poller, |_, _| unreachable!("nobody comes")));
        drop(listener);
        assert!(server.close(Ok(())).is_err());
    }
}
