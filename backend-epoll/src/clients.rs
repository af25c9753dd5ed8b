//! The clients of one worker, each in its place.

use std::net::TcpStream;
use std::os::fd::AsFd;

use common::Conversation;
use rustix::event::epoll::{self, EventData, EventFlags};
use slab::Slab;

/// The clients of one worker, each in its place, whose number is its key at the poller.
#[derive(Default)]
pub(crate) struct Clients(Slab<Place>);

/// A client. Its conversation is away while a handler of it may block.
pub(crate) struct Place {
    pub(crate) conversation: Option<Conversation>,
    pub(crate) socket: TcpStream,
    /// Whether its end of input has come, which makes no further event.
    pub(crate) hung_up: bool,
    /// Whether it waits for its turn.
    pub(crate) waits: bool,
}

/// Events are told once, when they happen: so the poller need not be called for each message.
const INTEREST: EventFlags =
    EventFlags::IN.union(EventFlags::OUT).union(EventFlags::RDHUP).union(EventFlags::ET);

/// After one of these, a read finds the end.
const HUNG_UP: EventFlags = EventFlags::RDHUP.union(EventFlags::HUP).union(EventFlags::ERR);

impl Clients {
    /// Takes a client in, of whom `poller` tells at once, since it can be written to. Where the system has no
    /// memory left for it, it is refused. Tells whether it is in.
    pub(crate) fn add(&mut self, poller: impl AsFd, socket: TcpStream, conversation: Conversation) -> bool {
        let entry = self.0.vacant_entry();
        match epoll::add(poller, &socket, EventData::new_u64(entry.key() as u64), INTEREST) {
            Ok(()) => {
                let conversation = Some(conversation);
                entry.insert(Place { conversation, socket, hung_up: false, waits: false });
                true
            }
            Err(error) => {
                conversation.refuse(socket, &error.into());
                false
            }
        }
    }

    /// The client in this place, if there is one. An event may be told of one that has left.
    pub(crate) fn get(&mut self, key: usize) -> Option<&mut Place> {
        self.0.get_mut(key)
    }

    /// Lets a client go. Its socket leaves the poller when it is closed.
    pub(crate) fn remove(&mut self, key: usize) -> Place {
        self.0.remove(key)
    }

    /// Those of whom the watchman has marked something.
    pub(crate) fn marked(&self) -> Vec<usize> {
        let is_marked =
            |place: &Place| place.conversation.as_ref().is_some_and(|conversation| conversation.is_marked());
        self.0.iter().filter(|(_, place)| is_marked(place)).map(|(key, _)| key).collect()
    }
}

impl Place {
    /// Takes note of an event.
    pub(crate) fn note(&mut self, event: EventFlags) {
        self.hung_up |= event.intersects(HUNG_UP);
    }
}
