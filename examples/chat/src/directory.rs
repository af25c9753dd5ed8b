//! The directory of a chat: who has which name, and who is in which room.
//!
//! A change takes three steps: first the directory changes, then the others in the room are told, then a name becomes free. So
//! nothing that concerns a name is told after another member has taken that name.
//!
//! The lock is not held while members are told, since that wakes them, which may run foreign code.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::Write;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyloop::{Exchange, Group, Handle, PublishError, Subscription};

use crate::name::Name;

/// The directory of this process.
#[derive(Debug)]
pub(crate) struct Directory {
    max_members: NonZeroUsize,
    exchange: Arc<dyn Exchange>,
    /// Tells the guests of this process from those of others, if there are any.
    process: Option<String>,
    entries: Mutex<Entries>,
}

/// Trees, since they free what they do not need any more.
#[derive(Debug, Default)]
struct Entries {
    /// The names of all members.
    names: BTreeSet<Name>,
    rooms: BTreeMap<Name, Entry>,
    /// The number of guests so far.
    guests: u64,
}

/// A room that is open, and the names of its members.
#[derive(Debug)]
struct Entry {
    room: Arc<Room>,
    members: BTreeSet<Name>,
}

/// A room that is open in this process, until its last member here has left. In other processes it is a room of the same name,
/// and the channel of this name connects them.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) name: Name,
    exchange: Arc<dyn Exchange>,
    /// The members in this process.
    group: Arc<Group>,
    _subscription: Subscription, // of the group, until it is dropped
}

/// Some of the members of a room in this process, and how many there are.
#[derive(Debug)]
pub(crate) struct Members {
    pub(crate) count: usize,
    listed: Vec<Name>,
}

/// How many members are listed at most, so that a reply and the time to make it are bounded.
pub(crate) const MAX_LISTED: usize = 100;

/// The error if a room has as many members as it may have.
#[derive(Debug)]
pub(crate) struct Full {
    pub(crate) max_members: NonZeroUsize,
}

impl Directory {
    pub(crate) fn new(
        max_members: NonZeroUsize,
        exchange: Arc<dyn Exchange>,
        process: Option<String>,
    ) -> Self {
        Self { max_members, exchange, process, entries: Mutex::default() }
    }

    /// Where the members are of whom a list tells.
    pub(crate) fn here(&self) -> &'static str {
        if self.process.is_some() { " on this server" } else { "" }
    }

    /// Takes a name for a new member.
    pub(crate) fn take_guest_name(&self) -> Name {
        let mut entries = self.entries();
        entries.guests += 1;
        let name = Name::guest(self.process.as_deref(), entries.guests);
        entries.names.insert(name.clone());
        name
    }

    /// Gives a member of `room` another name. Returns `false` if somebody else has it. The old name must be
    /// [freed](Self::free_name) afterwards, unless it is equal.
    pub(crate) fn rename(&self, room: Option<&Room>, old: &Name, new: &Name) -> bool {
        let mut entries = self.entries();
        if new != old && !entries.names.insert(new.clone()) {
            return false;
        }
        if let Some(entry) = room.and_then(|room| entries.rooms.get_mut(&room.name)) {
            entry.members.remove(old);
            entry.members.insert(new.clone());
        }
        true
    }

    /// Frees a name that nobody uses any more.
    pub(crate) fn free_name(&self, name: &Name) {
        self.entries().names.remove(name);
    }

    /// Adds a member to a room, which is opened if necessary. Returns the room and the other members.
    pub(crate) fn enter(
        &self,
        room: &Name,
        member: &Name,
        client: &Handle,
    ) -> Result<(Arc<Room>, Members), Full> {
        let mut entries = self.entries();
        let entry = entries.rooms.entry(room.clone()).or_insert_with(|| {
            let room = Room::new(room.clone(), Arc::clone(&self.exchange));
            Entry { room: Arc::new(room), members: BTreeSet::new() }
        });
        if entry.members.len() >= self.max_members.get() {
            return Err(Full { max_members: self.max_members });
        }
        let others = Members::of(&entry.members);
        entry.members.insert(member.clone());
        // Under the lock, so that the member misses nothing that happens to the others.
        entry.room.group.join(client);
        Ok((Arc::clone(&entry.room), others))
    }

    /// Removes a member from a room, which is closed if it was the last one.
    pub(crate) fn leave(&self, room: &Room, member: &Name, client: &Handle) {
        let mut entries = self.entries();
        if let Some(entry) = entries.rooms.get_mut(&room.name) {
            entry.members.remove(member);
            room.group.leave(client);
            if entry.members.is_empty() {
                entries.rooms.remove(&room.name);
            }
        }
    }

    /// The members of a room in this process.
    pub(crate) fn members(&self, room: &Room) -> Members {
        let entries = self.entries();
        entries
            .rooms
            .get(&room.name)
            .map_or_else(|| Members::of(&BTreeSet::new()), |entry| Members::of(&entry.members))
    }

    /// The number of names and of rooms.
    #[cfg(test)]
    pub(crate) fn size(&self) -> (usize, usize) {
        let entries = self.entries();
        (entries.names.len(), entries.rooms.len())
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Room {
    fn new(name: Name, exchange: Arc<dyn Exchange>) -> Self {
        let group = Arc::new(Group::new());
        let _subscription = exchange.subscribe(name.key(), Arc::clone(&group) as _);
        Self { name, exchange, group, _subscription }
    }

    /// Pushes a line to all members except `sender`, also in other processes. In case of an error those in this process have
    /// received it.
    pub(crate) fn tell_others(&self, sender: &Handle, line: fmt::Arguments<'_>) -> Result<(), PublishError> {
        let mut message = format!("{}{END}", self.name.key()).into_bytes();
        let _ = message.write_fmt(line); // a vector never fails
        self.exchange.publish_to_others(sender, self.name.key(), message.into())
    }

    /// The line in a message that was pushed; `None` if another room has sent it. A member who has just left a room may still
    /// have messages of it in the mailbox.
    pub(crate) fn line<'a>(&self, message: &'a [u8]) -> Option<&'a [u8]> {
        message.strip_prefix(self.name.key().as_bytes())?.strip_prefix(END.as_bytes())
    }
}

/// What ends the name of the room at the beginning of a message.
const END: &str = "\n";

impl Members {
    fn of(members: &BTreeSet<Name>) -> Self {
        Self { count: members.len(), listed: members.iter().take(MAX_LISTED).cloned().collect() }
    }
}

/// `ann, bob and 3 more`.
impl fmt::Display for Members {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, name) in self.listed.iter().enumerate() {
            let between = if number == 0 { "" } else { ", " };
            write!(f, "{between}{name}")?;
        }
        match self.count - self.listed.len() {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use anyloop::{Address, Client, LocalExchange};

    use super::*;

    #[test]
    fn a_million_joins_and_leaves_do_not_make_it_grow() {
        let exchange = LocalExchange::new();
        let directory = Directory::new(NonZeroUsize::MIN, Arc::new(exchange.clone()), None);
        let client = Client::new(Address::Unknown).handle();
        for number in 0..1_000_000 {
            let (member, room) = (directory.take_guest_name(), Name::guest(None, number % 1000));
            let (room, others) = directory.enter(&room, &member, &client).unwrap();
            assert_eq!((others.count, room.group.len()), (0, 1));
            directory.leave(&room, &member, &client);
            directory.free_name(&member);
        }
        assert_eq!((directory.size(), exchange.subscribed_channels().len()), ((0, 0), 0));
    }
}
