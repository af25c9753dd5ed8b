//! A chat with rooms: a [`Chat`] pushes each line of a member to the others in the room.
//!
//! ```sh
//! cargo run --release -p anyloop-example-chat -- serve
//! cargo run --release -p anyloop-example-chat -- client 127.0.0.1:8888
//! ```
//!
//! | line | effect |
//! | --- | --- |
//! | `/nick NAME` | changes the name of the member, which is unique |
//! | `/join ROOM` | leaves the room for another, which is opened if necessary |
//! | `/who` | lists the members of the room |
//! | `/quit` | ends the conversation |
//! | any other | is sent to the others in the room as `NAME: text` |
//!
//! Lines that begin with `* ` are notices of the server, and those that begin with `ERR ` report an error. Members can't forge
//! them, since no name contains an asterisk or a blank.

mod directory;
mod member;
mod name;
#[cfg(test)]
mod tests;

use std::num::NonZeroUsize;
use std::sync::Arc;

use anyloop::{Client, Handler, Replies, Session};

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

    /// A chat whose rooms have at most this number of members each.
    pub fn new(max_members: NonZeroUsize) -> Self {
        Self(Arc::new(Directory::new(max_members)))
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
