//! How a conversation went: what was said by either side, and so what its end means.
//!
//! A client can't know how many replies a message gets. So a conversation has failed if the server ends it without any
//! reply, with an error for its last reply, before it has taken every message, or with more than one message behind
//! its last reply. One there may be, since there are servers that end without a reply to the message that asks for it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::escape::escaped;
use crate::failure::{Failure, warn};

/// What was said so far, counted by who says it and by who hears it.
#[derive(Default)]
pub(super) struct Tally {
    messages: AtomicU64,
    replies: AtomicU64,
    /// Whether the last message was `exit`.
    exit: AtomicBool,
    /// Whether the server has not taken all messages.
    lost: AtomicBool,
}

impl Tally {
    /// Told of a message before it is sent, since its reply may be heard at any time after that.
    pub(super) fn message(&self, message: &[u8]) {
        self.exit.store(message == b"exit", Ordering::SeqCst);
        self.messages.fetch_add(1, Ordering::SeqCst);
    }

    /// Told that a message could not be sent.
    pub(super) fn lost(&self) {
        self.lost.store(true, Ordering::SeqCst);
    }

    /// How many messages there were.
    pub(super) fn messages(&self) -> u64 {
        self.messages.load(Ordering::SeqCst)
    }

    /// How many replies there were.
    pub(super) fn replies(&self) -> u64 {
        self.replies.load(Ordering::SeqCst)
    }
}

/// What the server has said.
pub(super) struct Heard {
    tally: Arc<Tally>,
    /// How many messages had been sent when the last reply was heard.
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
        let shown = &reply[..reply.len().min(LONGEST_ERROR)];
        self.error = (reply == b"ERR" || reply.starts_with(b"ERR ")).then(|| shown.to_vec());
    }

    /// The server has ended the conversation.
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

    /// The server has ended the conversation after a person has left. Who has said nothing misses no reply.
    pub(super) fn end_of_person(&self) -> Result<(), Failure> {
        if self.tally.messages() == 0 && self.tally.replies() == 0 { Ok(()) } else { self.end() }
    }

    /// The connection is broken. Where the server has said why it ends, that is why.
    pub(super) fn broken(&self, error: &io::Error) -> Failure {
        self.error().unwrap_or_else(|| Failure::Failed(format!("the server has vanished: {error}")))
    }

    fn error(&self) -> Option<Failure> {
        let error = escaped(self.error.as_deref()?).to_string();
        Some(Failure::Failed(format!("the server has ended the conversation: {error}")))
    }
}

/// How much of an error is said again, in bytes.
const LONGEST_ERROR: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    /// What a conversation comes to: `>` stands in front of a message, `<` in front of a reply.
    fn end(conversation: &[&str]) -> String {
        let tally = Arc::new(Tally::default());
        let mut heard = Heard::new(&tally);
        for said in conversation {
            match said.split_at(1) {
                (">", message) => tally.message(message.as_bytes()),
                ("<", reply) => heard.reply(reply.as_bytes()),
                _ => tally.lost(),
            }
        }
        heard.end().map_or_else(|failure| failure.to_string(), |()| "well".into())
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
            let said = end(conversation);
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
