//! The clients of one worker, each in its place.

use std::net::TcpStream;
use std::os::fd::AsFd;

use rustix::event::epoll::{self, EventData, EventFlags};
use serving::{Buffers, Conversation, Wait};
use slab::Slab;

/// The clients of one worker, each in its place, whose number is its key at the poller.
#[derive(Default)]
pub(crate) struct Clients(Slab<Place>);

/// A client. Its conversation is away while a handler of it may block.
pub(crate) struct Place {
    pub(crate) conversation: Option<Conversation>,
    pub(crate) socket: TcpStream,
    /// Whether the end of its input or urgent data have come, which make no further event, and the conversation has not
    /// been told.
    more_behind: bool,
    /// Whether it waits for its turn.
    pub(crate) waits: bool,
}

/// Events are told once, when they happen: so the poller need not be called for each message.
const INTEREST: EventFlags = EventFlags::IN
    .union(EventFlags::OUT)
    .union(EventFlags::PRI)
    .union(EventFlags::RDHUP)
    .union(EventFlags::ET);

/// After one of these, a short read is not the last.
const MORE_BEHIND: EventFlags =
    EventFlags::RDHUP.union(EventFlags::HUP).union(EventFlags::ERR).union(EventFlags::PRI);

impl Clients {
    /// Takes a client in, of whom `poller` tells at once, since it can be written to. Where the system has no
    /// memory left for it, it is refused. Tells whether it is in.
    pub(crate) fn add(&mut self, poller: impl AsFd, socket: TcpStream, conversation: Conversation) -> bool {
        let entry = self.0.vacant_entry();
        match epoll::add(poller, &socket, EventData::new_u64(entry.key() as u64), INTEREST) {
            Ok(()) => {
                let conversation = Some(conversation);
                entry.insert(Place { conversation, socket, more_behind: false, waits: false });
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

    /// Lets a client go. Its socket leaves the poller before it is closed, which may be long after: an event of its own
    /// would be taken for one of the next client in its place.
    pub(crate) fn remove(&mut self, poller: impl AsFd, key: usize) -> Place {
        let place = self.0.remove(key);
        let _ = epoll::delete(poller, &place.socket); // it is there
        place
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
        self.more_behind |= event.intersects(MORE_BEHIND);
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
