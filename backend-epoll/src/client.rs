//! A client, at its worker.

use serving::epoll::{Epoll, Interest};
use serving::{Buffers, Conversation, Member, Socket, Wait};
use slab::Slab;

/// A client. Its place among the clients of its worker is its key at the poller.
pub(crate) struct Client {
    /// It is away while a handler of it may block.
    pub(crate) conversation: Option<Conversation>,
    pub(crate) socket: Socket,
    /// Whether there is more to be read than the conversation was told.
    pub(crate) more_behind: bool,
    /// Whether it is in the ready queue.
    pub(crate) queued: bool,
}

impl Client {
    /// Takes a client in, which the poller reports at once. Where the system has no memory left for it, it is refused.
    pub(crate) fn admit(
        clients: &mut Slab<Self>,
        poller: &Epoll,
        worker: &Member,
        socket: Socket,
        conversation: Conversation,
    ) {
        conversation.register(&worker.waker());
        let entry = clients.vacant_entry();
        if let Err(error) = poller.add(&socket, entry.key(), Interest::Socket) {
            worker.left();
            return conversation.refuse(socket, &error);
        }
        let conversation = Some(conversation);
        entry.insert(Self { conversation, socket, more_behind: false, queued: false });
    }

    /// Advances, unless the conversation is away.
    pub(crate) fn advance(&mut self, buffers: &mut Buffers) -> Option<Wait> {
        let conversation = self.conversation.as_mut()?;
        if std::mem::take(&mut self.more_behind) {
            conversation.more_behind();
        }
        Some(conversation.advance(&self.socket, buffers))
    }

    /// Whether the watchman has marked it.
    pub(crate) fn is_marked(&self) -> bool {
        self.conversation.as_ref().is_some_and(Conversation::is_marked)
    }
}
