//! The statistics of a server.

use std::fmt;

use crate::Durations;
use common::{CloseReason, Outcome, PushCounts};

/// The counts of a server: its current [statistics](crate::Running::statistics) while it serves, and its final [`Report`].
/// They add up at any time: `accepted = open + finished + drained + cut + timed_out + refused + failed`.
///
/// `Display` writes one line of `name=count` pairs, without the counts of individual reasons. With the feature `serde`, the
/// counts are serialized as an object with the same names and with a field `reasons`, an object with the count of each
/// [`CloseReason`] that occurred.
///
/// ```
/// use anyloop::{CloseReason, Outcome, Statistics};
///
/// /// Whether no client was cut or lost.
/// fn is_clean(report: &Statistics) -> bool {
///     report.outcome(Outcome::Cut) == 0 && report.reason(CloseReason::Lost) == 0
/// }
///
/// assert!(is_clean(&Statistics::default()));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// How many connections were accepted.
    pub accepted: u64,
    /// How many messages were answered.
    pub messages: u64,
    /// How many bytes were read from clients, without the input that lingering sockets discarded.
    pub bytes_in: u64,
    /// How many bytes were written to clients.
    pub bytes_out: u64,
    /// How many messages were [pushed](common::Handle::send) to clients. They add up: `pushed = pushes_delivered +
    /// pushes_dropped + pushes_refused`, and while the server runs, plus those that wait in mailboxes.
    pub pushed: u64,
    /// How many of them were passed to a session.
    pub pushes_delivered: u64,
    /// How many of them were accepted and not delivered.
    pub pushes_dropped: u64,
    /// How many of them were refused, since the mailbox of the client was full.
    pub pushes_refused: u64,
    /// How many times accepting failed for lack of descriptors or memory.
    pub accept_errors: u64,
    /// How many sockets were closed without lingering, since too many sockets lingered.
    pub unlingered: u64,
    /// How long connections lasted.
    pub durations: Durations,
    /// How many conversations ended for each reason, in the order of [`CloseReason::ALL`].
    reasons: [u64; CloseReason::ALL.len()],
    /// How many times accepting failed with each error of the system.
    accept_errnos: Vec<(i32, u64)>,
}

/// The final [`Statistics`] of a server. Connections that were open when it ended count as cut.
pub type Report = Statistics;

impl Statistics {
    /// How many connections are open.
    pub fn open(&self) -> u64 {
        self.accepted.saturating_sub(self.ended())
    }

    /// How many conversations ended for this reason.
    pub fn reason(&self, reason: CloseReason) -> u64 {
        self.reasons[reason as usize]
    }

    /// How many conversations ended with this outcome.
    pub fn outcome(&self, outcome: Outcome) -> u64 {
        let reasons = CloseReason::ALL.iter().filter(|reason| reason.outcome() == outcome);
        reasons.map(|&reason| self.reason(reason)).sum()
    }

    /// How many conversations ended, for any reason.
    pub fn ended(&self) -> u64 {
        self.reasons.iter().sum()
    }

    /// How many messages wait in mailboxes.
    pub fn pushes_queued(&self) -> u64 {
        let gone = self.pushes_delivered + self.pushes_dropped + self.pushes_refused;
        self.pushed.saturating_sub(gone)
    }

    /// The [errors of accepting](Self::accept_errors) by their `errno`, each with its count. An error that has none is 0.
    pub fn accept_errnos(&self) -> impl Iterator<Item = (i32, u64)> + '_ {
        self.accept_errnos.iter().copied()
    }

    /// Counts an error of accepting.
    pub(crate) fn accept_error(&mut self, errno: i32) {
        self.accept_errors += 1;
        match self.accept_errnos.iter_mut().find(|(known, _)| *known == errno) {
            Some((_, count)) => *count += 1,
            None => self.accept_errnos.push((errno, 1)),
        }
    }

    /// Adds conversations that ended for this reason.
    pub(crate) fn end(&mut self, reason: CloseReason, count: u64) {
        self.reasons[reason as usize] += count;
    }

    /// Adds the counts of a mailbox.
    pub(crate) fn add_pushes(&mut self, counts: &PushCounts) {
        self.pushed += counts.pushed;
        self.pushes_delivered += counts.delivered;
        self.pushes_dropped += counts.dropped;
        self.pushes_refused += counts.refused;
    }

    /// All counts except those of individual reasons, with their names.
    fn counts(&self) -> [(&'static str, u64); 17] {
        [
            ("open", self.open()),
            ("accepted", self.accepted),
            ("finished", self.outcome(Outcome::Finished)),
            ("drained", self.outcome(Outcome::Drained)),
            ("cut", self.outcome(Outcome::Cut)),
            ("timed_out", self.outcome(Outcome::TimedOut)),
            ("refused", self.outcome(Outcome::Refused)),
            ("failed", self.outcome(Outcome::Failed)),
            ("messages", self.messages),
            ("bytes_in", self.bytes_in),
            ("bytes_out", self.bytes_out),
            ("pushed", self.pushed),
            ("pushes_delivered", self.pushes_delivered),
            ("pushes_dropped", self.pushes_dropped),
            ("pushes_refused", self.pushes_refused),
            ("accept_errors", self.accept_errors),
            ("unlingered", self.unlingered),
        ]
    }
}

impl fmt::Display for Statistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (name, count)) in self.counts().into_iter().enumerate() {
            let space = if number > 0 { " " } else { "" };
            write!(f, "{space}{name}={count}")?;
        }
        Ok(())
    }
}

#[cfg(feature = "serde")]
mod serialize {
    use common::CloseReason;
    use serde_core::ser::{Serialize, SerializeMap, Serializer};

    use super::Statistics;

    /// The reasons that occurred.
    struct Reasons<'a>(&'a Statistics);

    impl Serialize for Statistics {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let counts = self.counts();
            let mut map = serializer.serialize_map(Some(counts.len() + 1))?;
            for (name, count) in counts {
                map.serialize_entry(name, &count)?;
            }
            map.serialize_entry("reasons", &Reasons(self))?;
            map.end()
        }
    }

    impl Serialize for Reasons<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let counts = CloseReason::ALL.iter().map(|&reason| (reason.name(), self.0.reason(reason)));
            serializer.collect_map(counts.filter(|&(_, count)| count > 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statistics() -> Statistics {
        let mut statistics = Statistics { accepted: 9, messages: 30, bytes_in: 200, ..Statistics::default() };
        statistics.end(CloseReason::Exit, 2);
        statistics.end(CloseReason::EndOfInput, 1);
        statistics.end(CloseReason::Busy, 4);
        statistics
    }

    #[test]
    fn display_is_one_line() {
        assert_eq!(
            statistics().to_string(),
            "open=2 accepted=9 finished=3 drained=0 cut=0 timed_out=0 refused=4 failed=0 messages=30 \
             bytes_in=200 bytes_out=0 pushed=0 pushes_delivered=0 pushes_dropped=0 pushes_refused=0 accept_errors=0 unlingered=0"
        );
    }

    #[test]
    fn errors_of_accepting_are_counted_by_errno() {
        let mut statistics = statistics();
        [24, 12, 24].into_iter().for_each(|errno| statistics.accept_error(errno));
        assert_eq!(statistics.accept_errors, 3);
        assert_eq!(statistics.accept_errnos().collect::<Vec<_>>(), [(24, 2), (12, 1)]);
    }

    #[cfg(feature = "serde")]
    #[test]
    fn serialization_has_the_reasons_that_occurred() {
        let json = serde_json::to_value(statistics()).unwrap();
        let names = ["open", "accepted", "finished", "refused", "messages", "bytes_in", "bytes_out"];
        assert_eq!(names.map(|name| json[name].as_u64().unwrap()), [2, 9, 3, 4, 30, 200, 0]);
        assert_eq!(json["reasons"], serde_json::json!({ "exit": 2, "end_of_input": 1, "busy": 4 }));
    }
}
