//! The messages that wait to be sent.

use std::collections::VecDeque;
use std::sync::Arc;

/// A message to be published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) channel: String,
    pub(crate) content: Arc<[u8]>,
}

/// A queue that is bounded in bytes. Messages that were taken are charged until they are [released](Self::release).
#[derive(Debug)]
pub(crate) struct Outgoing {
    queue: VecDeque<Message>,
    /// What all messages are charged, and those among them that were taken.
    bytes: usize,
    taken: usize,
    max: usize,
}

/// Each message is charged its length, that of its channel and this many bytes for its place in the queue.
const OVERHEAD: usize = 64;
/// How many messages and bytes are taken at once.
const BATCH_MESSAGES: usize = 256;
const BATCH_BYTES: usize = 64 * 1024;

impl Outgoing {
    /// A queue of at most `max` bytes.
    pub(crate) fn new(max: usize) -> Self {
        Self { queue: VecDeque::new(), bytes: 0, taken: 0, max }
    }

    /// Adds a message. Returns whether there was room.
    pub(crate) fn push(&mut self, channel: &str, content: &Arc<[u8]>) -> bool {
        let charge = charge(channel, content);
        let has_room = charge <= self.max - self.bytes;
        if has_room {
            self.bytes += charge;
            self.queue.push_back(Message { channel: channel.to_owned(), content: Arc::clone(content) });
        }
        has_room
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Takes the next messages: those that are sent at once.
    pub(crate) fn take(&mut self) -> Vec<Message> {
        let mut batch = Vec::new();
        let mut bytes = 0;
        while batch.len() < BATCH_MESSAGES && bytes < BATCH_BYTES {
            let Some(message) = self.queue.pop_front() else { break };
            bytes += charge(&message.channel, &message.content);
            batch.push(message);
        }
        if self.queue.is_empty() {
            self.queue = VecDeque::new(); // an empty queue has no memory
        }
        self.taken += bytes;
        batch
    }

    /// No longer charges what was taken.
    pub(crate) fn release(&mut self) {
        self.bytes -= std::mem::take(&mut self.taken);
    }

    /// Drops all messages. Returns how many were not taken.
    pub(crate) fn clear(&mut self) -> usize {
        let dropped = std::mem::take(&mut self.queue).len();
        (self.bytes, self.taken) = (0, 0);
        dropped
    }
}

fn charge(channel: &str, content: &[u8]) -> usize {
    OVERHEAD.saturating_add(channel.len()).saturating_add(content.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(length: usize) -> Arc<[u8]> {
        vec![b'm'; length].into()
    }

    #[test]
    fn the_bound_is_exact() {
        for (length, has_room) in [(34, true), (35, true), (36, false)] {
            let mut outgoing = Outgoing::new(2 * 100);
            assert!(outgoing.push("a", &content(35)));
            assert_eq!(outgoing.push("a", &content(length)), has_room, "{length}");
        }
        let mut outgoing = Outgoing::new(0);
        assert!(!outgoing.push("", &content(0)) && outgoing.is_empty());
    }

    #[test]
    fn what_was_taken_is_charged_until_it_is_released() {
        let mut outgoing = Outgoing::new(2 * 100);
        assert!(outgoing.push("a", &content(35)));
        assert_eq!(outgoing.take().len(), 1);
        assert!(outgoing.push("b", &content(35)) && !outgoing.push("c", &content(0)));
        outgoing.release();
        assert!(outgoing.push("c", &content(35)) && !outgoing.push("d", &content(0)));
        assert_eq!(outgoing.take().into_iter().map(|message| message.channel).collect::<String>(), "bc");
        assert_eq!(outgoing.clear(), 0);
        assert!(outgoing.push("a", &content(135)), "there is room for all");
        assert_eq!((outgoing.clear(), outgoing.is_empty()), (1, true));
    }

    #[test]
    fn a_batch_is_bounded_and_has_one_message_at_least() {
        let mut outgoing = Outgoing::new(usize::MAX);
        (0..BATCH_MESSAGES + 1).for_each(|_| assert!(outgoing.push("a", &content(1))));
        assert_eq!(
            (outgoing.take().len(), outgoing.take().len(), outgoing.take().len()),
            (BATCH_MESSAGES, 1, 0)
        );
        (0..2).for_each(|_| assert!(outgoing.push("a", &content(BATCH_BYTES))));
        assert_eq!((outgoing.take().len(), outgoing.take().len(), outgoing.queue.capacity()), (1, 1, 0));
    }
}
