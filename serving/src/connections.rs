//! The open connections of a server and its counts, which share one lock so that they always add up.

use std::sync::Arc;
use std::time::Duration;

use slab::Slab;

use crate::state::State;
use crate::statistics::Statistics;
use common::{CloseReason, Counter, Counts, Limits, Outcome, Record, canary};

/// The open connections of a server and its counts.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    places: Slab<Place>,
    /// All counts except those that the open connections keep in their [`Counts`].
    counted: Statistics,
    /// Whether counting has ended.
    closed: bool,
}

/// An open connection. It is as small as what a slab keeps for a vacant place.
#[derive(Debug)]
struct Place {
    record: Arc<Record>,
    /// When it was accepted, in nanoseconds since the server's start.
    since: u64,
}

impl Place {
    /// How long the connection has lasted.
    fn duration(&self, now: Duration) -> Duration {
        now.saturating_sub(Duration::from_nanos(self.since))
    }
}

/// Adds to the counts of bytes that were read and written.
#[inline]
pub(crate) fn add_bytes(counts: &Counts, bytes_in: usize, bytes_out: usize, state: &State) {
    let sum = |counter: &Counter, bytes: usize| u64::from(counter.get()) + bytes as u64;
    set(&counts.bytes_in, sum(&counts.bytes_in, bytes_in), state, |counted| &mut counted.bytes_in);
    set(&counts.bytes_out, sum(&counts.bytes_out, bytes_out), state, |counted| &mut counted.bytes_out);
}

/// Sets the count of answered messages.
#[inline]
pub(crate) fn set_messages(counts: &Counts, messages: u64, state: &State) {
    let low = messages as u32;
    let carry = u64::from(low < counts.messages.get()) << u32::BITS;
    set(&counts.messages, carry + u64::from(low), state, |counted| &mut counted.messages);
}

/// Sets a count, of which the server gets the high bits when they change.
#[inline]
fn set(counter: &Counter, value: u64, state: &State, total: fn(&mut Statistics) -> &mut u64) {
    match u32::try_from(value) {
        Ok(value) => counter.set(value),
        Err(_) => state.carry(counter, value, total),
    }
}

/// Adds the counts of a connection.
fn add(record: &Record, statistics: &mut Statistics) {
    let Counts { messages, bytes_in, bytes_out } = &record.counts;
    statistics.messages += u64::from(messages.get());
    statistics.bytes_in += u64::from(bytes_in.get());
    statistics.bytes_out += u64::from(bytes_out.get());
    statistics.add_pushes(&record.cell.push_counts());
}

impl Connections {
    /// How many connections count towards the limit.
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    /// How many connections were accepted and have not ended: also those whose place is free while they are closed.
    pub(crate) fn open(&self) -> u64 {
        self.counted.open()
    }

    pub(crate) fn records(&self) -> impl Iterator<Item = &Arc<Record>> {
        self.places.iter().map(|(_, place)| &place.record)
    }

    /// Adds a connection that was accepted now, and returns its record. `now` counts from the server's start, here and below.
    pub(crate) fn add(&mut self, limits: &Limits, now: Duration) -> Option<Arc<Record>> {
        let entry = self.places.vacant_entry();
        let key = u32::try_from(entry.key()).ok()?;
        let record = Arc::new(Record::new(limits, key));
        let since = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        Some(Arc::clone(&entry.insert(Place { record, since }).record))
    }

    /// Removes the record of a connection that is about to end for this reason, and frees its mailbox.
    pub(crate) fn free(&mut self, record: &Record, reason: CloseReason, now: Duration) {
        let place = self.places.remove(record.key() as usize);
        if reason.outcome() != Outcome::Refused {
            self.count(|counted| counted.durations.add(place.duration(now)));
        }
        if !canary!("forgets the counts at the end") {
            self.count(|counted| add(record, counted));
        }
        record.cell.free_mailbox();
    }

    /// Changes the counts, unless counting has ended.
    pub(crate) fn count(&mut self, count: impl FnOnce(&mut Statistics)) {
        if !self.closed {
            count(&mut self.counted);
        }
    }

    /// Adds the high bits of a connection's count to the server's, and keeps the low 32 bits in the connection's.
    pub(crate) fn carry(&mut self, counter: &Counter, value: u64, total: fn(&mut Statistics) -> &mut u64) {
        self.count(|counted| *total(counted) += value >> u32::BITS << u32::BITS);
        counter.set(value as u32);
    }

    /// Wakes the connections whose deadline has passed, and returns the statistics.
    pub(crate) fn sweep(&self, now: Duration) -> Statistics {
        let mut sum = self.counted.clone();
        for record in self.records() {
            record.sweep(now);
            add(record, &mut sum);
        }
        sum
    }

    /// The current statistics.
    pub(crate) fn statistics(&self) -> Statistics {
        let mut sum = self.counted.clone();
        self.records().for_each(|record| add(record, &mut sum));
        sum
    }

    /// Ends counting, and returns the final statistics. Connections that are still open count as cut.
    pub(crate) fn close(&mut self, now: Duration) -> Statistics {
        if !std::mem::replace(&mut self.closed, true) {
            for (_, place) in &self.places {
                add(&place.record, &mut self.counted);
                self.counted.durations.add(place.duration(now));
            }
            self.counted.end(CloseReason::Cut, self.open());
        }
        self.counted.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;
    use std::time::Instant;

    use common::{Clock, Framing, Service};
    use handlers::Echo;

    use super::*;

    #[test]
    fn counts_go_beyond_32_bits() {
        let service = Arc::new(Service::framed(Arc::new(Echo), Framing::Line));
        let state = State::new(service, 1, None, Clock::new(Instant::now), Waker::noop().clone());
        let record = Record::default();
        let counts = &record.counts;
        for (read, written) in [(u32::MAX as usize, 1 << 33), (3, 5), (u32::MAX as usize, 0)] {
            add_bytes(counts, read, written, &state);
        }
        for messages in [u64::from(u32::MAX) - 1, (1 << 32) + 2] {
            set_messages(counts, messages, &state);
        }
        let mut sum = state.close();
        add(&record, &mut sum);
        assert_eq!(
            (sum.bytes_in, sum.bytes_out, sum.messages),
            ((1 << 33) + 1, (1 << 33) + 5, (1 << 32) + 2)
        );
    }

    /// Each client has one.
    #[test]
    fn a_place_is_small() {
        #[expect(dead_code, reason = "it is never made")]
        enum Entry {
            Vacant(usize),
            Occupied(Place),
        }
        assert_eq!(size_of::<Entry>(), 16, "what a slab keeps");
    }

    #[test]
    fn counts_add_up_while_connections_open_and_end() {
        let mut connections = Connections::default();
        connections.count(|counted| counted.accepted += 2);
        let start = Duration::ZERO;
        let record = connections.add(&Limits::default(), start).unwrap();
        let other = connections.add(&Limits::default(), start).unwrap();
        record.counts.messages.set(3);
        record.counts.bytes_in.set(u32::MAX);
        other.counts.bytes_in.set(5);
        let counts = |sum: Statistics| (sum.open(), sum.messages, sum.bytes_in, sum.bytes_out);
        assert_eq!(counts(connections.sweep(Duration::ZERO)), (2, 3, 4_294_967_300, 0));
        connections.carry(&record.counts.bytes_in, (1 << 32) + 7, |counted| &mut counted.bytes_in);
        assert_eq!(counts(connections.sweep(Duration::ZERO)), (2, 3, 4_294_967_308, 0));
        connections.free(&record, CloseReason::Exit, start + Duration::from_secs(1));
        assert_eq!(counts(connections.sweep(Duration::ZERO)), (2, 3, 4_294_967_308, 0));
        connections.count(|counted| counted.end(CloseReason::Exit, 1));
        assert_eq!(counts(connections.close(start + Duration::from_secs(60))), (0, 3, 4_294_967_308, 0));
        other.counts.bytes_in.set(50);
        connections.count(|counted| counted.end(CloseReason::Exit, 1));
        let last = connections.close(start);
        assert_eq!((last.durations.count(), last.durations.sum()), (2, Duration::from_secs(61)));
        assert_eq!(
            (last.reason(CloseReason::Cut), last.reason(CloseReason::Exit), last.bytes_in),
            (1, 1, 4_294_967_308)
        );
    }
}
