//! An edge-triggered epoll loop that does the wrong thing after a turn, in two ways: [`FORGETFUL`] and [`GREEDY`].

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use anyloop::backend::epoll::{Epoll, Events, Interest};
use anyloop::backend::{
    AcceptLoop, Accepting, BlockingHandlers, Buffers, Capabilities, Conversation, Notifier, Server, Socket,
    Wait, Workers,
};
use anyloop::{Backend, Listener, Report, Service, Stop};

/// A backend of one thread, which waits for all clients with edge-triggered epoll.
#[derive(Clone, Copy, Debug)]
pub struct Edges {
    name: &'static str,
    /// What it does with a client that has had its turn.
    after_a_turn: AfterATurn,
}

#[derive(Clone, Copy, Debug)]
enum AfterATurn {
    Forget,
    Repeat,
}

/// Fault: it forgets a client that has had its turn. The rest of the client's input has arrived already, so no further
/// event announces it, and the client waits for ever.
pub static FORGETFUL: Edges = Edges { name: "forgetful", after_a_turn: AfterATurn::Forget };

/// Fault: it serves a client until no input is left. Meanwhile all others wait.
pub static GREEDY: Edges = Edges { name: "greedy", after_a_turn: AfterATurn::Repeat };

impl Backend for Edges {
    fn name(&self) -> &'static str {
        self.name
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new("a lesson's epoll loop, with a fault", Workers::Caller, BlockingHandlers::OnWorker)
    }

    fn serve(&self, listener: Listener, service: Arc<Service>, stop: &Stop) -> io::Result<Report> {
        let (server, acceptor) = Server::open(self, &listener, service, stop)?;
        let worker = Worker::new(AcceptLoop::new(listener, acceptor), self.after_a_turn);
        server.close(worker.and_then(Worker::work))
    }
}

/// The thread that serves all clients. The number of a client is its key in the poller.
struct Worker {
    accept_loop: AcceptLoop,
    after_a_turn: AfterATurn,
    notifier: Arc<Notifier>,
    poller: Epoll,
    clients: HashMap<usize, (Socket, Conversation)>,
    accepted: usize,
    buffers: Buffers,
}

/// Keys in the poller that belong to no client.
const NOTIFIER: usize = usize::MAX;
const LISTENER: usize = usize::MAX - 1;

impl Worker {
    fn new(mut accept_loop: AcceptLoop, after_a_turn: AfterATurn) -> io::Result<Self> {
        let (notifier, poller) = (Notifier::new()?, Epoll::new()?);
        accept_loop.acceptor().register(&notifier.waker());
        poller.add(&notifier, NOTIFIER, Interest::Input)?;
        poller.add(accept_loop.listener(), LISTENER, Interest::Input)?;
        let (clients, accepted, buffers) = Default::default();
        Ok(Self { accept_loop, after_a_turn, notifier, poller, clients, accepted, buffers })
    }

    fn work(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(256);
        while self.accept()? != Accepting::Stopped || !self.clients.is_empty() {
            let ready: Vec<_> = self.poller.wait(&mut events, None)?.collect();
            for event in ready {
                if event.key == NOTIFIER {
                    self.notifier.clear();
                } else if let Some((_, conversation)) = self.clients.get_mut(&event.key) {
                    conversation.ready(event.more_input);
                    self.advance(event.key)?;
                }
            }
            let is_marked =
                |(&key, (_, client)): (&usize, &(Socket, Conversation))| client.is_marked().then_some(key);
            for key in self.clients.iter().filter_map(is_marked).collect::<Vec<_>>() {
                self.advance(key)?;
            }
        }
        Ok(())
    }

    fn accept(&mut self) -> io::Result<Accepting> {
        let mut admitted = Vec::new();
        let accepting =
            self.accept_loop.turn(Listener::accept, |socket, client| admitted.push((socket, client)));
        for (socket, conversation) in admitted {
            conversation.register(&self.notifier.waker());
            self.poller.add(&socket, self.accepted, Interest::Socket)?; // reports an event at once
            self.clients.insert(self.accepted, (socket, conversation));
            self.accepted += 1;
        }
        Ok(accepting)
    }

    /// Serves a client until it waits.
    fn advance(&mut self, key: usize) -> io::Result<()> {
        let Some((socket, conversation)) = self.clients.get_mut(&key) else { return Ok(()) };
        loop {
            match conversation.advance(&*socket, &mut self.buffers) {
                Wait::Readable | Wait::Writable | Wait::Wakeup => return Ok(()),
                Wait::Turn => match self.after_a_turn {
                    AfterATurn::Forget => return Ok(()),
                    AfterATurn::Repeat => {}
                },
                Wait::Blocking => conversation.run(&mut self.buffers),
                Wait::Over => break,
            }
        }
        if let Some((socket, conversation)) = self.clients.remove(&key) {
            self.poller.remove(&socket);
            conversation.end(socket);
        }
        Ok(())
    }
}
