//! A handle to a client, for any thread.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::cell::Wakeup;
use crate::{Record, SendError};

/// A handle to one client, by which any thread or task can push messages to it, on every backend. It is cheap to clone. It may
/// outlive the connection: it holds about a hundred bytes, and no descriptor.
///
/// A push never blocks and never writes to the socket: it puts the message into the client's mailbox, which has a
/// [limit](crate::Limits::mailbox). The worker of the client passes it to [`Session::notified`](crate::Session::notified)
/// between two messages, which by default sends it as a message of its own. Messages are delivered in the order in which they
/// were pushed.
///
/// Two handles are equal if they belong to the same client.
///
/// ```
/// use std::collections::HashSet;
/// use std::sync::{Arc, Mutex};
///
/// use anyloop::handlers::Echo;
/// use anyloop::testing::TestClient;
/// use anyloop::{Framing, Handle, SendError, Service};
///
/// let mut client = TestClient::connect(Service::framed(Arc::new(Echo), Framing::Line));
/// let handle: Handle = client.handle(); // in `Handler::open`: `client.handle()`
/// handle.send(*b"news").expect("a client"); // from any thread
/// assert_eq!(client.heard(), "news\n");
///
/// client.end();
/// assert_eq!(handle.send(*b"more news"), Err(SendError::Gone));
/// ```
#[derive(Clone)]
pub struct Handle {
    record: Arc<Record>,
    id: u64,
}

impl Handle {
    pub(crate) fn new(record: Arc<Record>, id: u64) -> Self {
        Self { record, id }
    }

    /// The client's [number](crate::Client::number).
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Pushes a message to the client. A message that many clients get is allocated once if it is an `Arc`. An accepted
    /// message is delivered, unless the conversation ends before.
    ///
    /// # Errors
    /// [`Full`](SendError::Full) if the mailbox has no room for the message, [`Gone`](SendError::Gone) if the conversation has
    /// ended or the server is stopping.
    pub fn send(&self, message: impl Into<Arc<[u8]>>) -> Result<(), SendError> {
        let (pushed, wakeup) = self.push(message.into());
        wakeup.wake();
        pushed
    }

    /// Ends the conversation after all messages that were pushed before. More messages can't be pushed.
    pub fn close(&self) {
        self.record.cell.push_close().wake();
    }

    /// Whether the client's conversation has ended.
    pub fn is_gone(&self) -> bool {
        self.record.cell.is_gone()
    }

    /// Pushes a message. Wake the client after all locks were released.
    pub(crate) fn push(&self, message: Arc<[u8]>) -> (Result<(), SendError>, Wakeup) {
        self.record.cell.push(message, self.record.mailbox)
    }

    pub(crate) fn record(&self) -> &Arc<Record> {
        &self.record
    }
}

impl PartialEq for Handle {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.record, &other.record)
    }
}

impl Eq for Handle {}

impl Hash for Handle {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.record).hash(state);
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("id", &self.id).field("is_gone", &self.is_gone()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn handles_of_one_client_are_equal() {
        let record = Arc::new(Record::default());
        let one = Handle::new(Arc::clone(&record), 1);
        let other = Handle::new(Arc::default(), 1);
        assert_eq!(one, one.clone());
        assert_ne!(one, other);
        assert_eq!(HashSet::from([one.clone(), one.clone(), other.clone()]).len(), 2);
        record.cell.leave();
        assert_eq!((one.is_gone(), other.is_gone()), (true, false));
        assert_eq!(format!("{one:?}"), "Handle { id: 1, is_gone: true }");
    }
}
