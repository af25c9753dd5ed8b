//! A chat with rooms: a [`Chat`] pushes each line of a member to the others in the room.
//!
//! ```sh
//! cargo run --release -p anyloop-example-chat -- serve
//! cargo run --release -p anyloop-example-chat -- client 127.0.0.1:8888
//! ```
//!
//! | line | effect |
//! | --- | --- |
//! | `/nick NAME` | changes the name of the member, which is unique in its process |
//! | `/join ROOM` | leaves the room for another, which is opened if necessary |
//! | `/who` | lists the members of the room in this process |
//! | `/quit` | ends the conversation |
//! | any other | is sent to the others in the room as `NAME: text` |
//!
//! Lines that begin with `* ` are notices of the server, and those that begin with `ERR ` report an error. Members can't forge
//! them, since no name contains an asterisk or a blank.
//!
//! # Several processes
//! With `serve --exchange redis://127.0.0.1:6379` the rooms of all processes that use the same Redis are connected: who joins, leaves
//! or speaks is heard by all members of the room, whichever process they are in.
//!
//! - Names are unique in each process, and not across them. A guest has the tag of its process in its name, as in `guest-3f9a-1`.
//! - `/who` lists the members in the same process, and `--max-members` counts these.
//! - A line reaches the members in other processes at most once. If it is not sent to them the member who said it gets `ERR
//!   not-exchanged`, once for each line; those in the same process have heard it. A server whose Redis is not there serves its own
//!   members, warns in its log, and looks for it again.
//! - The first member of a room in a process may miss what others say until Redis has confirmed that the process listens.

#![forbid(unsafe_code)]

mod directory;
mod member;
mod name;
#[cfg(test)]
mod tests;

use std::hash::{BuildHasher, Hasher, RandomState};
use std::num::NonZeroUsize;
use std::sync::Arc;

use anyloop::{Client, Exchange, Handler, LocalExchange, Replies, Session};

use directory::Directory;
use member::Member;

/// A chat. Its clients begin in the room `lobby`, or in none if it is full, each with a name such as `guest-1`.
///
/// ```
/// use std::sync::Arc;
///
/// use anyloop::testing::TestClient;
/// use anyloop::{Address, Client, Framing, Service};
/// use chat::Chat;
///
/// let service = Arc::new(Service::framed(Arc::new(Chat::default()), Framing::Line));
/// let connect = || TestClient::connect_as(Client::new(Address::Unknown), Arc::clone(&service));
/// let (mut ann, mut bob) = (connect(), connect());
/// bob.heard();
/// ann.say("/nick ann\nhello\n");
/// assert_eq!(bob.heard(), "* guest-1 is now ann\nann: hello\n");
/// ```
#[derive(Debug)]
pub struct Chat(Arc<Directory>);

impl Chat {
    /// The default of the maximum number of members of a room.
    pub const MAX_MEMBERS: NonZeroUsize = NonZeroUsize::new(1000).expect("it is not zero");

    /// A chat in one process, whose rooms have at most this number of members each.
    pub fn new(max_members: NonZeroUsize) -> Self {
        Self(Arc::new(Directory::new(max_members, Arc::new(LocalExchange::new()), None)))
    }

    /// A chat with those in other processes, by an exchange whose channels are the rooms. In this process a room has at most this
    /// number of members.
    pub fn across_processes(max_members: NonZeroUsize, exchange: Arc<dyn Exchange>) -> Self {
        let random = RandomState::new().build_hasher().finish(); // of the system
        let process = format!("{:04x}", random & 0xffff);
        Self(Arc::new(Directory::new(max_members, exchange, Some(process))))
    }
}

impl Default for Chat {
    fn default() -> Self {
        Self::new(Self::MAX_MEMBERS)
    }
}

impl Handler for Chat {
    fn open(&self, client: &Client, out: &mut Replies<'_>) -> Box<dyn Session> {
        Box::new(Member::welcome(Arc::clone(&self.0), client, out))
    }
}
