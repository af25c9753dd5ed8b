//! The clients of a pool.

use std::collections::VecDeque;

use ::serving::{Conversation, Socket};
use slab::Slab;

/// The clients of a pool. One that waits is parked in its slot. One that is ready is in the ready queue, and one that is
/// being served belongs to the worker that serves it alone; their slots are empty, and keep what happens to them
/// meanwhile until they are parked again.
#[derive(Default)]
pub(crate) struct Clients {
    slots: Slab<Slot>,
    ready: VecDeque<Box<Client>>,
}

/// A client.
pub(crate) struct Client {
    /// That of its slot, and at the poller.
    pub(crate) key: usize,
    pub(crate) socket: Socket,
    pub(crate) conversation: Conversation,
}

struct Slot {
    parked: Option<Box<Client>>,
    /// Whether something has happened since the client was taken from the ready queue.
    event_pending: bool,
    /// Whether the end of its input or urgent data have come, which are not reported again, and the conversation has not
    /// been told.
    more_behind: bool,
}

impl Clients {
    /// The key of the client that is added next.
    pub(crate) fn vacant_key(&self) -> usize {
        self.slots.vacant_key()
    }

    /// Parks a new client.
    pub(crate) fn add(&mut self, socket: Socket, conversation: Conversation) {
        let entry = self.slots.vacant_entry();
        let client = Box::new(Client { key: entry.key(), socket, conversation });
        entry.insert(Slot { parked: Some(client), event_pending: false, more_behind: false });
    }

    /// Forgets a client that was taken from the ready queue.
    pub(crate) fn remove(&mut self, key: usize) {
        self.slots.remove(key);
    }

    /// Something has happened to the client with this key. That one may have left in the meantime, and another may have got
    /// the key, to which it does no harm.
    pub(crate) fn mark_ready(&mut self, key: usize, more_behind: bool) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        slot.more_behind |= more_behind;
        match slot.parked.take() {
            Some(client) => self.ready.push_back(client),
            None => slot.event_pending = true,
        }
    }

    /// Queues the parked clients that the watchman has marked. The others look for marks when they are parked.
    pub(crate) fn queue_marked(&mut self) {
        for (_, slot) in &mut self.slots {
            self.ready.extend(slot.parked.take_if(|client| client.conversation.is_marked()));
        }
    }

    /// Has a client wait, unless what it waits for may have happened already.
    pub(crate) fn park(&mut self, client: Box<Client>) {
        let Some(slot) = self.slots.get_mut(client.key) else { return };
        if slot.event_pending || client.conversation.is_marked() {
            self.ready.push_back(client);
        } else {
            slot.parked = Some(client);
        }
    }

    /// Puts a client into the ready queue, for another turn.
    pub(crate) fn queue(&mut self, client: Box<Client>) {
        self.ready.push_back(client);
    }

    /// Takes the next client from the ready queue.
    pub(crate) fn next(&mut self) -> Option<Box<Client>> {
        let mut client = self.ready.pop_front()?;
        if let Some(slot) = self.slots.get_mut(client.key) {
            slot.event_pending = false;
            if std::mem::take(&mut slot.more_behind) {
                client.conversation.more_behind();
            }
        }
        Some(client)
    }

    /// How many clients are in the ready queue.
    pub(crate) fn ready(&self) -> usize {
        self.ready.len()
    }
}
