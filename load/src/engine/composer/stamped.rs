//! Messages that carry their send time, so that whoever receives them can verify them and tell their delay.

use super::{ALPHABET, Composer, OFFSETS, digits, number, wrap};
use crate::framing::Parser;
use crate::plan::{SHORTEST_PUSHED, Shard};

/// What the stamps of a worker's messages are made of.
///
/// A stamped payload is the number of the message and that of its connection, each as eight hexadecimal digits, the
/// send time in nanoseconds as eleven, the lowest digits first, and four characters that verify all this; then padding,
/// up to its size. Both the characters and the place of the padding follow from the numbers, the time, the length, and
/// the salt.
pub(super) struct Stamping {
    /// A random number of the run: the messages of an earlier run are wrong.
    salt: u64,
    /// Whether other shards send messages of the run, too. Their clocks may be ahead of this one.
    is_shared: bool,
    /// The send time of the messages that are written next.
    time: u64,
}

/// A message that was received, with what it carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) struct Stamped {
    /// The connection that sent it.
    pub(in crate::engine) connection: u32,
    /// The lowest digits of its number within its connection.
    pub(in crate::engine) number: u32,
    /// When it was sent.
    pub(in crate::engine) sent: u64,
}

/// The digits of a time: it wraps around after almost five hours, within which every message has arrived.
const TIME: u64 = (1 << 44) - 1;

impl Composer<'_> {
    /// Stamps the messages of a run, which is identified by the salt.
    pub(in crate::engine) fn with_stamps(self, salt: u64, shard: Shard) -> Self {
        Self { stamping: Some(Stamping { salt, is_shared: !shard.is_whole(), time: 0 }), ..self }
    }

    /// Sets the send time of the messages that are written next, if they carry it. `now` is called only then.
    pub(in crate::engine) fn stamp(&mut self, now: impl FnOnce() -> u64) {
        if let Some(stamping) = &mut self.stamping {
            stamping.time = now();
        }
    }

    /// Adds a stamped message to `out`, in wire format.
    pub(super) fn write_stamped(
        &mut self,
        connection: u32,
        number: u64,
        length: usize,
        parser: Option<&Parser>,
        out: &mut Vec<u8>,
    ) {
        let Some(Stamping { salt, time, .. }) = self.stamping else { return };
        // A number that is too large for its digits wraps around.
        let stamped = Stamped { connection, number: number as u32, sent: time };
        let (head, padding) = stamped.parts(salt, length, &self.table);
        wrap(&[&head, padding], parser, &mut self.framed, out);
    }

    /// The message of this run that a payload, received now, equals; `None` if it is no message of this run.
    pub(in crate::engine) fn read_stamped(&self, payload: &[u8], now: u64) -> Option<Stamped> {
        let Stamping { salt, is_shared, .. } = self.stamping.as_ref()?;
        let (head, padding) = payload.split_first_chunk::<SHORTEST_PUSHED>()?;
        if padding.len() > self.table.len() - OFFSETS {
            return None;
        }
        let digits = |at: usize, count: usize| {
            let mut digits = *b"00000000";
            digits[..count].copy_from_slice(&head[at..at + count]);
            number(digits)
        };
        let time = u64::from(digits(24, 3)) << 32 | u64::from(digits(16, 8));
        let ago = now.wrapping_sub(time) & TIME;
        let is_ahead = *is_shared && ago > TIME / 2;
        let sent = if is_ahead { now.checked_add(TIME + 1 - ago)? } else { now.checked_sub(ago)? };
        let stamped = Stamped { number: digits(0, 8), connection: digits(8, 8), sent };
        // Characters that are no digits make other numbers, whose payload is a different one.
        (stamped.parts(*salt, payload.len(), &self.table) == (*head, padding)).then_some(stamped)
    }
}

impl Stamped {
    /// The beginning of the payload of this length, and its padding.
    fn parts(self, salt: u64, length: usize, table: &[u8]) -> ([u8; SHORTEST_PUSHED], &[u8]) {
        let time = self.sent & TIME;
        let mut head = [0; SHORTEST_PUSHED];
        head[..8].copy_from_slice(&digits(self.number));
        head[8..16].copy_from_slice(&digits(self.connection));
        head[16..24].copy_from_slice(&digits(time as u32));
        head[24..27].copy_from_slice(&digits((time >> 32) as u32)[..3]);
        let numbers = u64::from(self.connection) << 32 | u64::from(self.number);
        let mixed = [numbers, time, length as u64].into_iter().fold(salt, mix);
        for (index, character) in head[27..].iter_mut().enumerate() {
            *character = ALPHABET[(mixed >> (6 * index)) as usize % ALPHABET.len()];
        }
        let place = (mixed >> (u64::BITS - OFFSETS.ilog2())) as usize;
        (head, &table[place..place + length.saturating_sub(SHORTEST_PUSHED)])
    }
}

/// Mixes a number into a hash.
fn mix(hash: u64, number: u64) -> u64 {
    // Fractional bits of the golden ratio. Both halves of the product are needed: a bit changes only higher ones.
    const RATIO: u64 = 0x9e37_79b9_7f4a_7c15;
    let product = u128::from(hash ^ number ^ RATIO) * u128::from(RATIO.rotate_left(32));
    (product >> 64) as u64 ^ product as u64
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use common::Length;

    use super::*;
    use crate::expect::Expect;
    use crate::framing::Framing;
    use crate::messages::{Messages, Sizes};

    fn stamping(messages: &Messages, framing: Framing, salt: u64) -> Composer<'_> {
        Composer::new(messages, framing, &Expect::Ok, fastrand::Rng::with_seed(1))
            .with_stamps(salt, Shard::WHOLE)
    }

    /// A payload of this length, sent at this time.
    fn payload(composer: &mut Composer<'_>, length: usize, time: u64) -> Vec<u8> {
        let mut out = Vec::new();
        composer.stamp(|| time);
        composer.write_stamped(7, 11, length, None, &mut out);
        assert_eq!((out.len(), out.pop()), (length + 1, Some(b'\n')));
        out
    }

    #[test]
    fn a_message_is_read_as_it_was_sent() {
        let messages = Messages::Made(Sizes::Fixed(100));
        let mut composer = stamping(&messages, Framing::Line, 5);
        for length in [SHORTEST_PUSHED, SHORTEST_PUSHED + 1, 99] {
            for sent in [0, 1, 123_456_789, TIME, TIME + 1, 1 << 50] {
                let payload = payload(&mut composer, length, sent);
                assert!(payload.iter().all(u8::is_ascii_graphic), "it is text");
                let stamped = Stamped { connection: 7, number: 11, sent };
                for delay in [0, 1, TIME] {
                    assert_eq!(composer.read_stamped(&payload, sent + delay), Some(stamped), "{length}");
                }
            }
        }
        let length = Framing::of("length", Length::new);
        let (mut composer, mut out) = (stamping(&messages, length, 5), Vec::new());
        composer.stamp(|| 17);
        assert_eq!(composer.write(7, u64::MAX, Some(&length.parser()), &mut out), 100);
        let stamped = Stamped { connection: 7, number: u32::MAX, sent: 17 };
        assert_eq!(composer.read_stamped(&out[4..], 17), Some(stamped));
    }

    #[test]
    fn the_clock_of_another_shard_may_be_ahead() {
        let messages = Messages::Made(Sizes::Fixed(64));
        let mut composer = stamping(&messages, Framing::Line, 5);
        for (sent, now) in [(1_000, 0), (TIME, TIME - 7), (TIME + 1, TIME), (9, 9), (5, TIME / 2)] {
            let payload = payload(&mut composer, 63, sent);
            let shard = Shard::new(1, 2).unwrap();
            let shared = stamping(&messages, Framing::Line, 5).with_stamps(5, shard);
            let stamped = Stamped { connection: 7, number: 11, sent };
            assert_eq!(shared.read_stamped(&payload, now), Some(stamped), "{sent} at {now}");
        }
    }

    #[test]
    fn an_altered_message_is_none_of_the_run() {
        let messages = Messages::Made(Sizes::Fixed(64));
        let mut composer = stamping(&messages, Framing::Line, 5);
        let sent = 123_456_789;
        for length in [SHORTEST_PUSHED, 63] {
            let payload = payload(&mut composer, length, sent);
            for at in 0..length {
                for byte in (0..=255).filter(|byte| *byte != payload[at]) {
                    let mut altered = payload.clone();
                    altered[at] = byte;
                    assert_eq!(composer.read_stamped(&altered, 1 << 43), None, "{byte} at {at}");
                }
            }
            for shorter in 0..length {
                assert_eq!(composer.read_stamped(&payload[..shorter], sent), None, "{shorter}");
            }
            let longer = [&payload[..], &[b'x'; 64]].concat();
            for length in length + 1..longer.len() {
                assert_eq!(composer.read_stamped(&longer[..length], sent), None, "{length}");
            }
            assert_eq!(composer.read_stamped(&payload, sent - 1), None, "it was sent later");
            let other = stamping(&messages, Framing::Line, 6);
            assert_eq!(other.read_stamped(&payload, sent), None, "it is of another run");
        }
    }

    #[test]
    fn stamps_of_neighbours_differ() {
        let (mut checks, mut places) = (HashSet::new(), HashSet::new());
        let table: Vec<u8> = (0..OFFSETS + 64).map(|at| at as u8).collect();
        for number in 0..1000 {
            for sent in 0..10 {
                let (head, padding) = Stamped { connection: 0, number, sent }.parts(0, 63, &table);
                checks.insert(head[27..].to_vec());
                places.insert(padding.as_ptr());
            }
        }
        // 10,000 of 2^24 and of 16,384: random draws would give 9,997 and 7,500 different ones.
        assert!(checks.len() > 9980 && places.len() > 7200, "{} and {}", checks.len(), places.len());
    }
}
