//! A worker: a thread with a poller and its own clients.

use std::io;
use std::time::Duration;

use serving::epoll::{Epoll, Events, Interest, Ready};
use serving::{AcceptLoop, Accepting, Buffers, Conversation, Item, Listener, Socket, Wait, WorkerContext};
use slab::Slab;

/// A worker: a thread with a poller and its own clients.
pub(crate) struct Worker {
    context: WorkerContext,
    poller: Epoll,
    /// The slot of a client is also its key in the poller.
    clients: Slab<Client>,
    /// The ready queue: the slots of clients that need another turn.
    queue: Vec<usize>,
    buffers: Buffers,
    /// Whether the poller watches the listener.
    is_listener_watched: bool,
}

struct Client {
    /// `None` while it is offloaded.
    conversation: Option<Conversation>,
    socket: Socket,
    /// An event that was not yet passed to [`Conversation::ready`], with its argument `more_input`.
    ready: Option<bool>,
    is_queued: bool,
}

/// Keys in the poller that belong to no client.
const NOTIFIER: usize = usize::MAX;
const LISTENER: usize = usize::MAX - 1;

/// The most events that one wait returns.
const EVENTS: usize = 256;

impl Worker {
    pub(crate) fn new(context: WorkerContext) -> io::Result<Self> {
        let poller = Epoll::new()?;
        poller.add(context.notifier(), NOTIFIER, Interest::Input)?;
        let (clients, queue, buffers, is_listener_watched) = Default::default();
        Ok(Self { context, poller, clients, queue, buffers, is_listener_watched })
    }

    /// Works until the server has ended.
    pub(crate) fn work(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS);
        self.accept();
        while !self.context.is_stopped() {
            let queued = std::mem::take(&mut self.queue);
            let may_block = self.context.notifier().begin_wait() && queued.is_empty();
            let ready = self.poller.wait(&mut events, (!may_block).then_some(Duration::ZERO))?;
            let is_notified = self.context.notifier().end_wait();
            self.serve_all(ready, queued, is_notified);
        }
        Ok(())
    }

    /// Serves the clients that are ready and those that were queued, reads the inbox, and accepts. In this order: a new client
    /// may reuse the slot of one that has left, whose events must be handled before.
    fn serve_all(&mut self, ready: impl Iterator<Item = Ready>, queued: Vec<usize>, mut is_notified: bool) {
        let mut accept = false;
        for ready in ready {
            match ready.key {
                NOTIFIER => {
                    self.context.notifier().drain();
                    is_notified = true;
                }
                LISTENER => accept = true,
                slot => {
                    let Some(client) = self.clients.get_mut(slot) else { continue };
                    client.ready = Some(ready.more_input || client.ready == Some(true));
                    if !client.is_queued {
                        self.serve(slot);
                    }
                }
            }
        }
        for slot in queued {
            // The slot may be free or belong to a new client by now, which is not queued.
            if self.clients.get_mut(slot).is_some_and(|client| std::mem::take(&mut client.is_queued)) {
                self.serve(slot);
            }
        }
        if is_notified {
            self.read_inbox();
        }
        if accept {
            self.accept();
        }
    }

    fn read_inbox(&mut self) {
        for item in self.context.receive() {
            match item {
                Item::Client(socket, conversation) => self.add(socket, conversation),
                Item::Returned(slot, conversation) => {
                    self.clients[slot].conversation = Some(conversation);
                    self.serve(slot);
                }
                Item::Woken(slot) => self.serve(slot),
                Item::Accept => self.accept(),
            }
        }
    }

    /// Accepts clients and assigns them to the workers.
    fn accept(&mut self) {
        let (clients, accepting) = self.context.accept(Listener::accept);
        clients.into_iter().for_each(|(socket, conversation)| self.add(socket, conversation));
        let Some(accept_loop) = &mut self.context.accept_loop else { return };
        match watch(&self.poller, accept_loop, accepting, self.is_listener_watched) {
            Some(is_watched) => self.is_listener_watched = is_watched,
            None => self.context.accept_loop = None,
        }
    }

    /// Adds a client, which the poller reports immediately. If the system has no memory left for it, refuses it.
    fn add(&mut self, socket: Socket, conversation: Conversation) {
        let entry = self.clients.vacant_entry();
        if let Err(error) = self.poller.add(&socket, entry.key(), Interest::Socket) {
            self.context.client_left();
            return conversation.refuse(socket, &error);
        }
        self.context.register(&conversation, entry.key());
        let conversation = Some(conversation);
        entry.insert(Client { conversation, socket, ready: None, is_queued: false });
    }

    /// Serves a client for one turn.
    fn serve(&mut self, slot: usize) {
        let Some(client) = self.clients.get_mut(slot) else { return };
        let Some(conversation) = &mut client.conversation else { return };
        if let Some(more_input) = client.ready.take() {
            conversation.ready(more_input);
        }
        match conversation.advance(&client.socket, &mut self.buffers) {
            Wait::Readable | Wait::Writable | Wait::Wakeup => {}
            Wait::Turn => {
                if !std::mem::replace(&mut client.is_queued, true) {
                    self.queue.push(slot);
                }
            }
            Wait::Blocking => {
                // The handler runs on another thread, which then returns the conversation.
                let Some(conversation) = client.conversation.take() else { return };
                self.context.offload(conversation, slot);
            }
            Wait::Over => {
                let Client { conversation, socket, .. } = self.clients.remove(slot);
                self.poller.remove(&socket);
                self.context.client_left();
                if let Some(conversation) = conversation {
                    conversation.end(socket);
                }
            }
        }
    }
}

/// Watches the listener while clients may be accepted. Returns whether it is watched, or `None` if accepting has ended.
fn watch(
    poller: &Epoll,
    accept_loop: &mut AcceptLoop,
    accepting: Accepting,
    is_watched: bool,
) -> Option<bool> {
    match accepting {
        Accepting::Accept if !is_watched => {
            if let Err(error) = poller.add(accept_loop.listener(), LISTENER, Interest::Input) {
                accept_loop.acceptor().fail(error);
                return None;
            }
        }
        // Also after the stop: closing the listener doesn't remove it if it has duplicates, and the worker would spin.
        Accepting::Wait | Accepting::Stopped if is_watched => poller.remove(accept_loop.listener()),
        Accepting::Accept | Accepting::Wait | Accepting::Stopped => {}
    }
    (accepting != Accepting::Stopped).then_some(accepting == Accepting::Accept)
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::sync::Arc;

    use common::{Client, Framing, Handler, Replies, Service, Session};
    use serving::{Acceptor, Server, Stop};

    use super::*;

    struct Nothing;

    impl Handler for Nothing {
        fn open(&self, _: &Client, _: &mut Replies<'_>) -> Box<dyn Session> {
            unreachable!("no client connects")
        }
    }

    fn open() -> (Listener, Server, Acceptor) {
        let listener = Listener::from(TcpListener::bind("127.0.0.1:0").unwrap());
        let service = Arc::new(Service::framed(Arc::new(Nothing), Framing::Line));
        let opened = Server::open(&crate::Epoll, &listener, service, &Stop::new());
        let (server, acceptor) = opened.expect("a server");
        (listener, server, acceptor)
    }

    #[test]
    fn a_listener_that_can_not_be_watched_is_an_error() {
        let (listener, server, acceptor) = open();
        let poller = Epoll::new().unwrap();
        poller.add(&listener, 0, Interest::Input).expect("the first registration");
        let mut accept_loop = AcceptLoop::new(listener, acceptor);
        let accepting = accept_loop.turn(Listener::accept, |_, _| unreachable!("no client connects"));
        // The second registration of a descriptor fails.
        assert_eq!(watch(&poller, &mut accept_loop, accepting, false), None);
        drop(accept_loop);
        assert!(server.close(Ok(())).is_err());
    }

    #[test]
    fn a_listener_with_a_duplicate_is_not_watched_after_the_stop() {
        let (listener, _server, acceptor) = open();
        let duplicate = listener.try_clone().expect("a descriptor");
        let poller = Epoll::new().unwrap();
        let mut accept_loop = AcceptLoop::new(listener, acceptor);
        assert_eq!(watch(&poller, &mut accept_loop, Accepting::Accept, false), Some(true));
        assert_eq!(watch(&poller, &mut accept_loop, Accepting::Stopped, true), None);
        drop(accept_loop);
        let _client = TcpStream::connect(duplicate.address().unwrap()).expect("a connection");
        let mut events = Events::with_capacity(1);
        let mut reported = poller.wait(&mut events, Some(Duration::ZERO)).expect("a wait");
        assert_eq!(reported.next(), None);
    }
}
