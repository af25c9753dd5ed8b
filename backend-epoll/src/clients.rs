//! The clients of one worker.

use std::net::TcpStream;

use common::epoll::{Epoll, Interest, Ready};
use common::{Buffers, Conversation, Member, Wait};
use slab::Slab;

/// The clients of one worker, each under its key at the poller.
#[derive(Default)]
pub(crate) struct Clients(Slab<Client>);

/// A client.
pub(crate) struct Client {
    /// It is away while a handler of it may block.
    pub(crate) conversation: Option<Conversation>,
    pub(crate) socket: TcpStream,
    /// Whether there is more to be read than the conversation may have been told.
    more_behind: bool,
    /// Whether it is in the ready queue.
    pub(crate) queued: bool,
}

impl Clients {
    /// Takes a client in, which the poller reports at once. Where the system has no memory left for it, it is refused.
    pub(crate) fn add(
        &mut self,
        poller: &Epoll,
        worker: &Member,
        socket: TcpStream,
        conversation: Conversation,
    ) {
        conversation.register(&worker.waker());
        let entry = self.0.vacant_entry();
        if let Err(error) = poller.add(&socket, entry.key(), Interest::Socket) {
            worker.left();
            return conversation.refuse(socket, &error);
        }
        let conversation = Some(conversation);
        entry.insert(Client { conversation, socket, more_behind: false, queued: false });
    }

    /// The client with this key, if there is one. It may have left since its key was reported or queued.
    pub(crate) fn get(&mut self, key: usize) -> Option<&mut Client> {
        self.0.get_mut(key)
    }

    /// Lets a client go.
    pub(crate) fn remove(&mut self, poller: &Epoll, worker: &Member, key: usize) {
        let Client { conversation, socket, .. } = self.0.remove(key);
        poller.remove(&socket);
        worker.left();
        if let Some(conversation) = conversation {
            conversation.end(socket);
        }
    }

    /// The keys of those whom the watchman has marked.
    pub(crate) fn marked(&self) -> Vec<usize> {
        let is_marked = |client: &Client| client.conversation.as_ref().is_some_and(Conversation::is_marked);
        self.0.iter().filter(|(_, client)| is_marked(client)).map(|(key, _)| key).collect()
    }
}

impl Client {
    /// Takes note of what the poller has reported.
    pub(crate) fn note(&mut self, ready: Ready) {
        self.more_behind |= ready.more_behind;
    }

    /// Advances, unless the conversation is away.
    pub(crate) fn advance(&mut self, buffers: &mut Buffers) -> Option<Wait> {
        let conversation = self.conversation.as_mut()?;
        if std::mem::take(&mut self.more_behind) {
            conversation.more_behind();
        }
        Some(conversation.advance(&mut self.socket, buffers))
    }
}
