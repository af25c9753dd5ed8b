//! Determines whether a conversation has succeeded.
//!
//! A client can't know how many replies a message gets. So a conversation has failed if the server ends it without any
//! reply, with an error as its last reply, before it has received every message, or with more than one message after
//! its last reply. One such message is allowed, since some servers end the conversation without a reply to the message
//! that requests it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use load::transform::is_failure;

use crate::escape::escaped;
use crate::failure::{Failure, warn};

/// Counters that the sender and the receiver share.
#[derive(Default)]
pub(super) struct Tally {
    messages: AtomicU64,
    replies: AtomicU64,
    /// Whether the last message was `exit`.
    exit: AtomicBool,
    /// Whether a message could not be sent.
    lost: AtomicBool,
}

impl Tally {
    /// Counts a message. Must be called before it is sent, since its reply may be received at any time after that.
    pub(super) fn message(&self, message: &[u8]) {
        self.exit.store(message == b"exit", Ordering::SeqCst);
        self.messages.fetch_add(1, Ordering::SeqCst);
    }

    /// Records that a message could not be sent.
    pub(super) fn lost(&self) {
        self.lost.store(true, Ordering::SeqCst);
    }

    /// The number of messages.
    pub(super) fn messages(&self) -> u64 {
        self.messages.load(Ordering::SeqCst)
    }

    /// The number of replies.
    pub(super) fn replies(&self) -> u64 {
        self.replies.load(Ordering::SeqCst)
    }
}

/// The replies of the server.
pub(super) struct Heard {
    tally: Arc<Tally>,
    /// The number of messages that had been sent when the last reply was received.
    behind: u64,
    /// The last reply, if it is an error.
    error: Option<Vec<u8>>,
}

impl Heard {
    pub(super) fn new(tally: &Arc<Tally>) -> Self {
        Self { tally: Arc::clone(tally), behind: 0, error: None }
    }

    pub(super) fn reply(&mut self, reply: &[u8]) {
        self.tally.replies.fetch_add(1, Ordering::SeqCst);
        self.behind = self.tally.messages();
        let shown = &reply[..reply.len().min(MAX_ERROR)];
        self.error = (reply == b"ERR" || reply.starts_with(b"ERR ")).then(|| shown.to_vec());
    }

    /// An interactive user leaves. An error reply before that is not why the conversation ends.
    pub(super) fn leave(&mut self) {
        self.error = None;
    }

    /// Returns the result after the server has ended the conversation.
    pub(super) fn end(&self) -> Result<(), Failure> {
        if let Some(failure) = self.error() {
            return Err(failure);
        }
        let how = match self.tally.messages() - self.behind {
            _ if self.tally.replies() == 0 => "without any reply".into(),
            _ if self.tally.lost.load(Ordering::SeqCst) => "before it took every message".into(),
            0 => return Ok(()),
            1 if self.tally.exit.load(Ordering::SeqCst) => return Ok(()),
            1 => {
                warn("the server has ended the conversation without a reply to the last message");
                return Ok(());
            }
            count => format!("without a reply to the last {count} messages"),
        };
        Err(Failure::Failed(format!("the server has ended the conversation {how}")))
    }

    /// Returns the result after an interactive user has left and the server has ended the conversation. Without messages
    /// and replies it has not failed, and neither if messages had no reply: the user has seen that, and a chat answers none.
    pub(super) fn end_of_person(&self) -> Result<(), Failure> {
        let lost = self.tally.lost.load(Ordering::SeqCst);
        match (self.tally.messages(), self.tally.replies()) {
            (0, 0) => Ok(()),
            (_, 1..) if self.error.is_none() && !lost => Ok(()),
            _ => self.end(),
        }
    }

    /// The error if the connection is broken: the last error reply of the server, if there is one.
    pub(super) fn broken(&self, error: &io::Error) -> Failure {
        self.error().unwrap_or_else(|| match is_failure(error) {
            true => Failure::Failed(error.to_string()),
            false => Failure::Failed(format!("the server has vanished: {error}")),
        })
    }

    fn error(&self) -> Option<Failure> {
        let error = escaped(self.error.as_deref()?).to_string();
        Some(Failure::Failed(format!("the server has ended the conversation: {error}")))
    }
}

/// The maximum length of an error reply that is shown, in bytes.
const MAX_ERROR: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    /// What was heard in a conversation, in which `>` precedes a message and `<` a reply, and the user may
    /// leave.
    fn heard(conversation: &[&str]) -> Heard {
        let tally = Arc::new(Tally::default());
        let mut heard = Heard::new(&tally);
        for said in conversation {
            match said.split_at(1) {
                (">", message) => tally.message(message.as_bytes()),
                ("<", reply) => heard.reply(reply.as_bytes()),
                ("l", "eaves") => heard.leave(),
                _ => tally.lost(),
            }
        }
        heard
    }

    fn result(end: Result<(), Failure>) -> String {
        end.map_or_else(|failure| failure.to_string(), |()| "well".into())
    }

    #[test]
    fn the_end_of_a_conversation_is_well_or_says_what_is_missing() {
        for (conversation, expected) in [
            (&["<hello"][..], "well"),
            (&["<hello", ">a", "<A", ">exit"], "well"),
            (&["<hello", ">a", "<A", ">bye"], "well"),
            (&["<hello", ">exit", "<bye"], "well"),
            (&[">a", ">b", "<a", "<b"], "well"),
            (&["<ERR not-utf8", ">a", "<A"], "well"),
            (&["<ERRATIC"], "well"),
            (&[], "without any reply"),
            (&[">exit"], "without any reply"),
            (&["<hello", ">a", ">b"], "without a reply to the last 2 messages"),
            (&["<hello", ">a", ">exit"], "without a reply to the last 2 messages"),
            (&["<hello", ">a", "<A", ">b", "lost"], "before it took every message"),
            (&["<ERR busy"], ": ERR busy"),
            (&["<hello", ">a", "<ERR", ">b", ">c", "lost"], ": ERR"),
        ] {
            let said = result(heard(conversation).end());
            assert!(said.ends_with(expected), "{conversation:?}: {said}");
        }
    }

    #[test]
    fn a_person_who_leaves_has_seen_which_messages_were_answered() {
        for (conversation, expected) in [
            (&[][..], "well"),
            (&["<hello", ">a", ">b"], "well"),
            (&[">a", "<A", ">b", ">c", ">exit"], "well"),
            (&[">a", ">b"], "without any reply"),
            (&["<hello", ">a", "lost"], "before it took every message"),
            (&["<hello", ">a", "<ERR unknown", "leaves"], "well"),
            (&["<hello", ">a", ">b", "leaves", "<ERR busy"], ": ERR busy"),
        ] {
            let said = result(heard(conversation).end_of_person());
            assert!(said.ends_with(expected), "{conversation:?}: {said}");
        }
    }

    #[test]
    fn a_broken_connection_is_explained_by_the_last_error() {
        let mut heard = Heard::new(&Arc::default());
        let broken = |heard: &Heard| heard.broken(&io::ErrorKind::ConnectionReset.into()).to_string();
        assert_eq!(broken(&heard), "the server has vanished: connection reset");
        heard.reply(b"ERR busy");
        assert_eq!(broken(&heard), "the server has ended the conversation: ERR busy");
    }
}
