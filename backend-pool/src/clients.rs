//! The clients of a pool.

use std::collections::VecDeque;

use serving::{Conversation, Socket};
use slab::Slab;

/// The clients of a pool. A waiting client is parked in its slot. A ready client is in the ready queue, and a client that is
/// being served is owned by its worker; then the slot only records new events until the client is parked again.
#[derive(Default)]
pub(crate) struct Clients {
    slots: Slab<Slot>,
    ready: VecDeque<Box<Client>>,
}

/// A client.
pub(crate) struct Client {
    /// The key of its slot, also in the poller.
    pub(crate) key: usize,
    pub(crate) socket: Socket,
    pub(crate) conversation: Conversation,
}

struct Slot {
    parked: Option<Box<Client>>,
    /// Whether the client was woken or reported since it was taken from the ready queue.
    event_pending: bool,
    /// An event of the poller that was not yet passed to [`Conversation::ready`], with its argument `more_input`.
    ready: Option<bool>,
}

impl Clients {
    /// The key of the next client to be added.
    pub(crate) fn vacant_key(&self) -> usize {
        self.slots.vacant_key()
    }

    /// Adds a client, and parks it.
    pub(crate) fn add(&mut self, socket: Socket, conversation: Conversation) {
        let entry = self.slots.vacant_entry();
        let client = Box::new(Client { key: entry.key(), socket, conversation });
        entry.insert(Slot { parked: Some(client), event_pending: false, ready: None });
    }

    /// Removes a client that was taken from the ready queue.
    pub(crate) fn remove(&mut self, key: usize) {
        self.slots.remove(key);
    }

    /// Queues the client with this key, which was woken, or which the poller has reported, with `more_input` in `ready`. The key
    /// may belong to another client by now, for which a spurious wake-up is harmless.
    pub(crate) fn mark_ready(&mut self, key: usize, ready: Option<bool>) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        slot.ready = slot.ready.max(ready);
        match slot.parked.take() {
            Some(client) => self.ready.push_back(client),
            None => slot.event_pending = true,
        }
    }

    /// Puts back a client that was served: into the ready queue if it has another turn or if there was an event meanwhile, and
    /// otherwise into its slot.
    pub(crate) fn put_back(&mut self, client: Box<Client>, has_turn: bool) {
        let Some(slot) = self.slots.get_mut(client.key) else { return };
        if has_turn || slot.event_pending {
            self.ready.push_back(client);
        } else {
            slot.parked = Some(client);
        }
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

    /// The length of the ready queue.
    pub(crate) fn ready(&self) -> usize {
        self.ready.len()
    }
}
