//! Where the clients of a pool are.

use std::collections::VecDeque;
use std::net::TcpStream;

use ::serving::Conversation;
use slab::Slab;

/// Where the clients of a pool are. One that waits is in its place. One that is ready is in the ready queue, and
/// one that is being served belongs to the loop that serves it, and to no other; their places are empty, and what
/// happens to them meanwhile is noted there, and looked at when they go back to wait.
#[derive(Default)]
pub(crate) struct Places {
    places: Slab<Place>,
    ready: VecDeque<Box<Client>>,
    /// How many are to be served before a loop asks the poller who else is ready.
    round: usize,
    /// How many were taken from the queue since the beginning.
    taken: u64,
}

/// One client.
pub(crate) struct Client {
    pub(crate) place: usize,
    pub(crate) socket: TcpStream,
    pub(crate) conversation: Conversation,
}

struct Place {
    client: Option<Box<Client>>,
    /// Whether something has happened since the client was taken from the queue.
    news: bool,
    /// Whether the end of its input or urgent data have come, which make no further event, and the conversation has not
    /// been told.
    more_behind: bool,
}

impl Places {
    /// Takes a new client in, to wait.
    pub(crate) fn add(&mut self, socket: TcpStream, conversation: Conversation) -> &Client {
        let entry = self.places.vacant_entry();
        let client = Box::new(Client { place: entry.key(), socket, conversation });
        entry.insert(Place { client: None, news: false, more_behind: false }).client.insert(client)
    }

    /// Lets a client go, who may be in its place.
    pub(crate) fn remove(&mut self, place: usize) -> Option<Box<Client>> {
        self.places.try_remove(place).and_then(|place| place.client)
    }

    /// Something has happened to the client in this place. That one may have left in the meantime, and another
    /// may have come, whom it does no harm.
    pub(crate) fn rouse(&mut self, place: usize, more_behind: bool) {
        let Some(place) = self.places.get_mut(place) else { return };
        place.more_behind |= more_behind;
        match place.client.take() {
            Some(client) => self.ready.push_back(client),
            None => place.news = true,
        }
    }

    /// Queues those of whom the watchman has marked something. Who is being served looks when it goes back to wait.
    pub(crate) fn rouse_marked(&mut self) {
        for (_, place) in &mut self.places {
            self.ready.extend(place.client.take_if(|client| client.conversation.is_marked()));
        }
    }

    /// Has a client wait until what it waits for has happened, if that has not happened already.
    pub(crate) fn rest(&mut self, client: Box<Client>) {
        let Some(place) = self.places.get_mut(client.place) else { return };
        if place.news || client.conversation.is_marked() {
            self.ready.push_back(client);
        } else {
            place.client = Some(client);
        }
    }

    /// Puts a client into the queue, for another turn.
    pub(crate) fn queue(&mut self, client: Box<Client>) {
        self.ready.push_back(client);
    }

    /// Begins a round: all who are ready by now have a turn.
    pub(crate) fn begin_round(&mut self) {
        self.round = self.ready.len();
    }

    /// The next to be served, as long as the round lasts.
    pub(crate) fn next(&mut self) -> Option<Box<Client>> {
        self.round = self.round.checked_sub(1)?;
        let mut next = self.ready.pop_front()?;
        self.taken += 1;
        if let Some(place) = self.places.get_mut(next.place) {
            place.news = false;
            if std::mem::take(&mut place.more_behind) {
                next.conversation.more_behind();
            }
        }
        Some(next)
    }

    /// How many are ready.
    pub(crate) fn ready(&self) -> usize {
        self.ready.len()
    }

    /// How many were taken from the queue since the beginning.
    pub(crate) fn taken(&self) -> u64 {
        self.taken
    }
}
