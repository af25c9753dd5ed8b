//! The clients of a pool.

use std::collections::VecDeque;

use serving::{Conversation, Socket};
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
    /// What the poller has reported since the conversation was told: whether it is [ready](Conversation::ready), and if so,
    /// whether there is more behind.
    ready: Option<bool>,
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
        entry.insert(Slot { parked: Some(client), event_pending: false, ready: None });
    }

    /// Forgets a client that was taken from the ready queue.
    pub(crate) fn remove(&mut self, key: usize) {
        self.slots.remove(key);
    }

    /// Something has happened to the client with this key: it was woken, or the poller has reported it, `ready` with or
    /// without more behind. It may have left in the meantime, and another may have got the key, to which it does no harm.
    pub(crate) fn mark_ready(&mut self, key: usize, ready: Option<bool>) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        slot.ready = ready.map(|more_input| more_input || slot.ready == Some(true)).or(slot.ready);
        match slot.parked.take() {
            Some(client) => self.ready.push_back(client),
            None => slot.event_pending = true,
        }
    }

    /// Has a client wait, unless what it waits for may have happened already.
    pub(crate) fn park(&mut self, client: Box<Client>) {
        let Some(slot) = self.slots.get_mut(client.key) else { return };
        if slot.event_pending {
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
            if let Some(more_input) = slot.ready.take() {
                client.conversation.ready(more_input);
            }
        }
        Some(client)
    }

    /// How many clients are in the ready queue.
    pub(crate) fn ready(&self) -> usize {
        self.ready.len()
    }
}
