//! A group of clients that get the same messages.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::cell::Wakeup;
use crate::{Handle, SendError};

/// A set of clients that get the same messages, for any thread. Clients leave it by themselves when their conversation ends.
///
/// Messages of one thread are delivered to all members in the order in which it has sent them. If several threads send, all
/// members get their messages in the same order.
///
/// ```
/// use std::sync::Arc;
///
/// use anyloop::testing::TestClient;
/// use anyloop::{Client, Flow, Framing, Group, Handle, Handler, Replies, Service, Session};
///
/// /// Sends each message to all other clients.
/// #[derive(Default)]
/// struct Chat(Arc<Group>);
///
/// struct Member {
///     room: Arc<Group>,
///     client: Handle,
/// }
///
/// impl Handler for Chat {
///     fn open(&self, client: &Client, _out: &mut Replies<'_>) -> Box<dyn Session> {
///         self.0.join(&client.handle());
///         Box::new(Member { room: Arc::clone(&self.0), client: client.handle() })
///     }
/// }
///
/// impl Session for Member {
///     fn message(&mut self, message: &[u8], _out: &mut Replies<'_>) -> Flow {
///         self.room.send_to_others(&self.client, message);
///         Flow::Continue
///     }
/// }
///
/// let service = Arc::new(Service::framed(Arc::new(Chat::default()), Framing::Line));
/// let connect = || TestClient::connect_as(Client::new(anyloop::Address::Unknown), Arc::clone(&service));
/// let (mut ann, mut bob) = (connect(), connect());
/// ann.say("hello\n");
/// assert_eq!((ann.heard(), bob.heard()), (String::new(), "hello\n".to_owned()));
/// ```
#[derive(Default)]
pub struct Group(Mutex<Members>);

#[derive(Default)]
struct Members {
    handles: HashSet<Handle>,
    /// The number of members at which those that are gone are removed.
    check_at: usize,
}

/// The smallest number of members at which those that are gone are removed.
const MIN_CHECK: usize = 16;

impl Group {
    /// An empty group.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a client. Returns whether it was not a member before.
    pub fn join(&self, client: &Handle) -> bool {
        let mut members = self.members();
        if members.handles.len() >= members.check_at {
            members.handles.retain(|member| !member.is_gone());
            members.check_at = (2 * members.handles.len()).max(MIN_CHECK);
        }
        members.handles.insert(client.clone())
    }

    /// Removes a client. Returns whether it was a member.
    pub fn leave(&self, client: &Handle) -> bool {
        let mut members = self.members();
        let left = members.handles.remove(client);
        let most = MIN_CHECK.max(2 * members.handles.len());
        if members.handles.capacity() > 2 * most {
            members.handles.shrink_to(most);
        }
        left
    }

    /// The number of members. It may include clients whose conversation has just ended.
    pub fn len(&self) -> usize {
        self.members().handles.len()
    }

    /// Whether the group has no members.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// [Pushes](Handle::send) a message, which is allocated once, to all members. Returns how many have accepted it.
    pub fn send(&self, message: impl Into<Arc<[u8]>>) -> usize {
        self.send_if(|_| true, message.into())
    }

    /// Like [`send`](Self::send), to all members except `client`.
    pub fn send_to_others(&self, client: &Handle, message: impl Into<Arc<[u8]>>) -> usize {
        self.send_if(|member| member != client, message.into())
    }

    fn send_if(&self, is_addressed: impl Fn(&Handle) -> bool, message: Arc<[u8]>) -> usize {
        let mut wakeups = Vec::new();
        let mut accepted = 0;
        let mut members = self.members();
        let first = canary!("pushes to another member of the group")
            .then(|| members.handles.iter().min_by_key(|member| member.id()).cloned());
        members.handles.retain(|member| {
            if !is_addressed(member) {
                return true;
            }
            let member = first.iter().flatten().next().unwrap_or(member);
            let (pushed, wakeup) = member.push(Arc::clone(&message));
            if !matches!(wakeup, Wakeup::None) {
                wakeups.push(wakeup);
            }
            accepted += usize::from(pushed.is_ok());
            pushed != Err(SendError::Gone)
        });
        drop(members);
        wakeups.into_iter().for_each(Wakeup::wake); // outside the lock, since wakers run foreign code
        accepted
    }

    fn members(&self) -> MutexGuard<'_, Members> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group").field("len", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Limits, MailboxFull, Record};

    fn client(limits: &Limits) -> (Arc<Record>, Handle) {
        let record = Arc::new(Record::new(limits, 0));
        (Arc::clone(&record), Handle::new(record, 0))
    }

    #[test]
    fn members_that_are_gone_leave_by_themselves() {
        let group = Group::new();
        let (record, ann) = client(&Limits::default());
        let (_, bob) = client(&Limits::default());
        assert!(group.join(&ann) && group.join(&bob) && !group.join(&bob));
        assert_eq!(group.send(*b"1"), 2);
        assert_eq!(group.send_to_others(&ann, *b"2"), 1);
        record.cell.leave();
        assert_eq!((group.send(*b"3"), group.len()), (1, 1));
        assert!(group.leave(&bob) && !group.leave(&bob) && group.is_empty());
    }

    #[test]
    fn a_million_joins_and_ends_do_not_make_it_grow() {
        let group = Group::new();
        let (_, stays) = client(&Limits::default());
        group.join(&stays);
        for _ in 0..1_000_000 {
            let (record, handle) = client(&Limits::default());
            group.join(&handle);
            record.cell.leave();
        }
        assert!(group.len() <= MIN_CHECK, "{}", group.len());
    }

    #[test]
    fn a_member_whose_mailbox_is_full_stays() {
        let limits = Limits::default().with_mailbox(65).with_mailbox_full(MailboxFull::Refuse);
        let (group, (_, full)) = (Group::new(), client(&limits));
        group.join(&full);
        assert_eq!((group.send(*b"1"), group.send(*b"2"), group.len()), (1, 0, 1));
    }
}
