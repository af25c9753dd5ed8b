//! A worker: one thread, one poller, its own clients.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use serving::epoll::{Epoll, Events, Interest, Ready};
use serving::{Buffers, Member, Post, Team, Wait};
use slab::Slab;

use crate::client::Client;
use crate::listener::{Accepts, LISTENER};

/// A worker: one thread, one poller, its own clients.
pub(crate) struct Worker {
    team: Arc<Team>,
    member: Arc<Member>,
    number: usize,
    poller: Epoll,
    clients: Slab<Client>,
    /// The ready queue: the keys of those who have had a turn and want another.
    queue: VecDeque<usize>,
    buffers: Buffers,
    listener: Option<Accepts>,
}

/// The key of the wake-up descriptor, which is no client's.
const WAKEUP: usize = usize::MAX;

/// How many events are fetched at once.
const EVENTS: usize = 256;

impl Worker {
    pub(crate) fn new(team: Arc<Team>, number: usize, listener: Option<Accepts>) -> io::Result<Self> {
        let member = Arc::clone(team.member(number));
        let poller = Epoll::new()?;
        poller.add(member.bell(), WAKEUP, Interest::Input)?;
        if let Some(listener) = &listener {
            listener.register(&member);
        }
        let (clients, queue, buffers) = Default::default();
        Ok(Self { team, member, number, poller, clients, queue, buffers, listener })
    }

    /// Works until the team is dismissed.
    pub(crate) fn work(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS);
        self.accept();
        while !self.team.is_dismissed() {
            let queued = self.queue.len();
            let timeout = (queued > 0).then_some(Duration::ZERO);
            let ready = self.poller.wait(&mut events, timeout)?;
            self.serve_all(ready, queued);
        }
        Ok(())
    }

    /// Gives a turn to everybody: those who are ready, so many of the queue, and clients at the listener. What was sent to
    /// this worker comes last: a client that it takes in may get the key of one that has left, whose event is done by then.
    fn serve_all(&mut self, ready: impl Iterator<Item = Ready>, queued: usize) {
        let (mut woken, mut accept) = (false, false);
        for ready in ready {
            match ready.key {
                WAKEUP => woken = true,
                LISTENER => accept = true,
                key => {
                    let Some(client) = self.clients.get_mut(key) else { continue };
                    client.more_behind |= ready.more_behind;
                    if !client.queued {
                        self.serve(key);
                    }
                }
            }
        }
        for _ in 0..queued {
            // One who has left meanwhile has no turn, and who has come with its key has none yet.
            if let Some(key) = self.queue.pop_front()
                && self.clients.get_mut(key).is_some_and(|client| std::mem::take(&mut client.queued))
            {
                self.serve(key);
            }
        }
        if woken {
            self.take_posts();
        }
        if accept {
            self.accept();
        }
    }

    /// Sees to what was sent to this worker.
    fn take_posts(&mut self) {
        for post in self.member.fetch() {
            match post {
                Post::Client(socket, conversation) => {
                    Client::admit(&mut self.clients, &self.poller, &self.member, socket, conversation);
                }
                Post::Back(key, conversation) => {
                    if let Some(client) = self.clients.get_mut(key) {
                        client.conversation = Some(conversation);
                    }
                    self.serve(key);
                }
                Post::Marks => {
                    let marked = self.clients.iter().filter(|(_, client)| client.is_marked());
                    for key in marked.map(|(key, _)| key).collect::<Vec<_>>() {
                        self.serve(key);
                    }
                    self.accept();
                }
            }
        }
    }

    /// Accepts clients, and hands out those who are for other workers.
    fn accept(&mut self) {
        let Some(listener) = &mut self.listener else { return };
        let goes_on = listener.accept(&self.poller, |socket, conversation| {
            if let Some((socket, conversation)) = self.team.hand_out(self.number, socket, conversation) {
                Client::admit(&mut self.clients, &self.poller, &self.member, socket, conversation);
            }
        });
        if !goes_on {
            self.listener = None;
        }
    }

    /// Serves a client until it has to wait.
    fn serve(&mut self, key: usize) {
        let Some(client) = self.clients.get_mut(key) else { return };
        match client.advance(&mut self.buffers) {
            None | Some(Wait::Readable | Wait::Writable | Wait::Wakeup) => {}
            Some(Wait::Turn) => {
                if !std::mem::replace(&mut client.queued, true) {
                    self.queue.push_back(key);
                }
            }
            Some(Wait::Blocking) => {
                // The handler is called where it may block, and the conversation sent back.
                let Some(conversation) = client.conversation.take() else { return };
                let member = Arc::clone(&self.member);
                conversation.offload(move |conversation| member.send(Post::Back(key, conversation)));
            }
            Some(Wait::Over) => {
                let Client { conversation, socket, .. } = self.clients.remove(key);
                self.poller.remove(&socket);
                self.member.left();
                if let Some(conversation) = conversation {
                    conversation.end(socket);
                }
            }
        }
    }
}
