//! The last requests of a history.

use crate::record::Digest;

/// How many requests are remembered, over all connections: 32 MiB.
const RECENT: usize = 1 << 20;

/// The number of places in the index, a power of two: 4 MiB.
const PLACES: usize = 1 << 20;

/// The bits of a number below [`RECENT`].
const PLACE: u32 = RECENT as u32 - 1;

/// A request, and the reply that answers it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    pub(crate) answer: Digest,
    pub(crate) connection: u32,
    pub(crate) request: u64,
    /// Whether the same reply answers an earlier request of another connection.
    is_shared: bool,
}

/// The last requests of all connections.
#[derive(Debug)]
pub(crate) struct Recent {
    /// The requests. Behind the next place are the oldest ones, if there are so many.
    ring: Vec<Origin>,
    next: usize,
    /// By the lowest bits of the hash of a reply, the place in the ring of the last request that it answers, in the lowest
    /// bits, and above them the highest ones of the hash, so that other replies are hardly ever looked up in the ring. A
    /// later request may have taken either place, so the reply there has to be compared.
    index: Vec<u32>,
}

impl Recent {
    pub(crate) fn new() -> Self {
        Self { ring: Vec::new(), next: 0, index: vec![0; PLACES] }
    }

    /// Adds a request. Returns whether the same reply answers an earlier one of another connection; not every such
    /// request is found.
    #[inline]
    pub(crate) fn add(&mut self, answer: Digest, connection: u32, request: u64) -> bool {
        let indexed = &mut self.index[answer.hash as usize % PLACES];
        let begin = (answer.hash >> 32) as u32 & !PLACE;
        let is_shared = *indexed & !PLACE == begin
            && self.ring.get((*indexed & PLACE) as usize).is_some_and(|earlier| {
                earlier.answer == answer && (earlier.is_shared || earlier.connection != connection)
            });
        *indexed = begin | self.next as u32; // which is below 2^20
        let origin = Origin { answer, connection, request, is_shared };
        match self.ring.get_mut(self.next) {
            Some(oldest) => *oldest = origin,
            None => self.ring.push(origin),
        }
        self.next = (self.next + 1) % RECENT;
        is_shared
    }

    /// The requests that a reply answers, the last one first.
    pub(crate) fn answered_by(&self, reply: Digest) -> impl Iterator<Item = &Origin> {
        let (newer, older) = self.ring.split_at(self.next);
        newer.iter().rev().chain(older.iter().rev()).filter(move |origin| origin.answer == reply)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The digest of a reply that differs for each number.
    fn reply(number: usize) -> Digest {
        Digest::of(&number.to_le_bytes())
    }

    #[test]
    fn the_last_million_requests_are_found_the_last_one_first() {
        let mut recent = Recent::new();
        for number in 0..RECENT + 10 {
            assert!(!recent.add(reply(number), 7, number as u64), "{number}: no other reply is like it");
        }
        let found = |number| recent.answered_by(reply(number)).map(|origin| origin.request).next();
        assert_eq!([found(9), found(10)], [None, Some(10)]);
        assert_eq!(found(RECENT + 9), Some(RECENT as u64 + 9));
        recent.add(reply(20), 7, 5);
        let again: Vec<_> = recent.answered_by(reply(20)).map(|origin| origin.request).collect();
        assert_eq!(again, [5, 20]);
    }

    #[test]
    fn a_reply_that_answers_several_connections_is_found() {
        let mut recent = Recent::new();
        let shared: Vec<_> = [(5, 1), (5, 1), (6, 2), (5, 2), (5, 2), (6, 2)]
            .into_iter()
            .map(|(number, connection)| recent.add(reply(number), connection, 0))
            .collect();
        assert_eq!(shared, [false, false, false, true, true, false]);
    }
}
