//! The messages of a connection that have no reply yet.

use std::collections::VecDeque;

/// A message that was sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    /// Its number within its connection.
    pub(super) number: u64,
    pub(super) scheduled: u64,
    pub(super) sent: u64,
    /// How long its payload is.
    pub(super) length: u32,
    /// Whether its reply has a head alone.
    pub(super) asks_for_head: bool,
}

impl Sent {
    /// Its number and the length of its payload.
    #[inline]
    pub(super) fn id(&self) -> (u64, usize) {
        (self.number, self.length as usize)
    }
}

/// The messages of a connection that have no reply yet.
pub(super) struct InFlight {
    /// Those whose replies are expected next, oldest first, in ascending order of their numbers.
    due: VecDeque<Sent>,
    /// Those that were skipped by a later reply, oldest first; at most [`MAX_MISSING`].
    missing: VecDeque<Sent>,
    /// The payloads of those that are expected, if a function wrote them and they may be sent again.
    kept: Option<Kept>,
}

impl InFlight {
    /// An empty list with capacity for `depth` messages; `keep` says whether it stores their payloads.
    pub(super) fn new(depth: usize, keeps: bool) -> Self {
        let due = VecDeque::with_capacity(depth.min(MAX_CAPACITY));
        Self { due, missing: VecDeque::new(), kept: keeps.then(Kept::default) }
    }

    /// How many replies are expected.
    pub(super) fn len(&self) -> usize {
        self.due.len()
    }

    /// The number of all unanswered messages.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Sent> {
        self.missing.iter().chain(&self.due)
    }

    /// Adds a sent message. `payload` is copied if payloads are stored.
    #[inline]
    pub(super) fn push(&mut self, sent: Sent, payload: &[u8]) {
        self.due.push_back(sent);
        if let Some(kept) = &mut self.kept {
            kept.push(payload);
        }
    }

    /// The last `count` that were added.
    #[inline]
    pub(super) fn last(&mut self, count: usize) -> impl Iterator<Item = &mut Sent> {
        self.due.range_mut(self.due.len().saturating_sub(count)..)
    }

    /// The oldest whose reply is expected.
    #[inline]
    pub(super) fn front(&self) -> Option<Sent> {
        self.due.front().copied()
    }

    /// The payload of that one, if it is stored.
    #[inline]
    pub(super) fn front_payload(&self) -> &[u8] {
        let Some(kept) = &self.kept else { return &[] };
        kept.at(0, self.due.front().map_or(0, |front| front.id().1))
    }

    /// Takes that one.
    #[inline]
    pub(super) fn take_front(&mut self) -> Option<Sent> {
        let front = self.due.pop_front()?;
        if let Some(kept) = &mut self.kept {
            kept.release(front.id().1);
        }
        Some(front)
    }

    /// Skips those before this one, which may be answered later. Returns their number. If too many are missing, the
    /// oldest are passed to `lost`.
    pub(super) fn pass_over(&mut self, number: u64, mut lost: impl FnMut(Sent)) -> u64 {
        let mut count = 0;
        while self.due.front().is_some_and(|sent| sent.number != number) {
            if self.missing.len() >= MAX_MISSING {
                self.missing.pop_front().into_iter().for_each(&mut lost);
            }
            let front = self.take_front();
            self.missing.extend(front);
            count += 1;
        }
        count
    }

    /// Whether the reply to this one is expected after the reply to an older one.
    pub(super) fn is_behind_front(&self, number: u64) -> bool {
        self.due.binary_search_by_key(&number, |sent| sent.number).is_ok_and(|at| at > 0)
    }

    /// Removes and returns this one if it was skipped.
    pub(super) fn take_missing(&mut self, number: u64) -> Option<Sent> {
        let at = self.missing.iter().position(|sent| sent.number == number)?;
        self.missing.remove(at)
    }

    /// Expects replies to all of them again, in the order of their first sending.
    pub(super) fn begin_again(&mut self) {
        self.due.extend(self.missing.drain(..));
        self.due.make_contiguous().sort_unstable_by_key(|sent| sent.number);
    }

    /// Calls a function with all expected messages and their stored payloads, to send them again.
    pub(super) fn for_each_again(&mut self, mut send: impl FnMut(&mut Sent, &[u8])) {
        let mut begin = 0;
        for sent in &mut self.due {
            let length = sent.id().1;
            let payload = self.kept.as_ref().map_or(&[][..], |kept| kept.at(begin, length));
            send(sent, payload);
            begin += length;
        }
    }
}

/// The payloads of the messages in flight, concatenated.
#[derive(Default)]
struct Kept {
    bytes: Vec<u8>,
    /// How many of these are released.
    released: usize,
}

impl Kept {
    fn push(&mut self, payload: &[u8]) {
        // Released bytes are removed when they are half of all, so that each byte is moved about once.
        if self.released > self.bytes.len() / 2 {
            self.bytes.drain(..self.released);
            self.released = 0;
        }
        self.bytes.extend_from_slice(payload);
    }

    #[inline]
    fn at(&self, begin: usize, length: usize) -> &[u8] {
        &self.bytes[self.released + begin..][..length]
    }

    #[inline]
    fn release(&mut self, length: usize) {
        self.released += length;
    }
}

/// The maximal initial capacity, in messages.
const MAX_CAPACITY: usize = 1024;

/// How many skipped messages are remembered. Each unexpected reply is searched among them.
const MAX_MISSING: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_that_are_missing_the_oldest_are_lost() {
        let mut messages = InFlight::new(1, false);
        let mut lost = Vec::new();
        for number in 0..2000 {
            messages.push(Sent { number, scheduled: 0, sent: 0, length: 0, asks_for_head: false }, &[]);
        }
        assert!(
            messages.is_behind_front(1999) && !messages.is_behind_front(0) && !messages.is_behind_front(2000)
        );
        assert_eq!(messages.pass_over(1999, |sent| lost.push(sent.number)), 1999);
        assert_eq!(lost, (0..1999 - 1024).collect::<Vec<_>>());
        assert_eq!(messages.iter().count(), 1025);
        assert!(messages.take_missing(0).is_none() && messages.take_missing(1998).is_some());
    }
}
