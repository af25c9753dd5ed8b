//! The result of judging a history, and its text.

use std::fmt;

use serde::Serialize;

use crate::record::Digest;

/// How many violations are described. The judge stops at the last of these.
pub const MAX_VIOLATIONS: usize = 1000;

/// The result of judging a history. Each request was answered, was refused, failed, or is unknown.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Verdict {
    /// The description of the load.
    pub description: String,
    /// The time of the last record, in seconds since the start.
    pub seconds: f64,
    /// How many connections were established.
    pub connections: u64,
    /// How many requests were sent.
    pub requests: u64,
    /// How many of these have the expected reply, unaltered. It is their own, and in order, except for the requests that
    /// the next three count.
    pub answered: u64,
    /// How many requests at least have the same expected reply as one that was in flight on their connection when they
    /// were sent: their order is not known.
    pub alike_in_flight: u64,
    /// How many requests at least have the same expected reply as an earlier one of another connection: whose reply came is
    /// not known.
    pub alike_elsewhere: u64,
    /// How many of the answered ones have a reply that the client accepted by a rule: whether it is their own is known to
    /// the client alone.
    pub accepted: u64,
    /// How many were refused by an error reply.
    pub refused: u64,
    /// How many were unanswered when their connection ended by the server, the network, or an interruption: whether the
    /// server handled them is unknown.
    pub unknown: u64,
    /// How many have no reply, a wrong one, or one that came too late.
    pub failed: u64,
    /// How many connections ended with unanswered requests.
    pub broken_connections: u64,
    /// Whether the server also received messages of this load that are not in the history, so that it does not tell how
    /// many the server handled.
    pub has_unrecorded: bool,
    /// Whether the history has an end. If not, the file was cut off, and requests without a reply are unknown.
    pub is_complete: bool,
    /// What is wrong, in the order in which it was found; at most [`MAX_VIOLATIONS`]. The rest of the history was not
    /// judged if there are so many.
    pub violations: Vec<Violation>,
}

/// Something that is wrong with a connection's replies.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Violation {
    /// The number of the connection in the history.
    pub connection: u32,
    /// The client's own number for it.
    pub client: u64,
    /// The number of the request on its connection, from 0; with [`Fault::Unasked`] and [`Fault::AfterFarewell`] the
    /// number of requests that were sent before.
    pub request: u64,
    /// When it was found, in seconds since the start.
    pub seconds: f64,
    /// What is wrong.
    #[serde(flatten)]
    pub fault: Fault,
}

/// What is wrong with a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "fault", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Fault {
    /// The request has no reply, although a later one has, or the client waited for it as long as it could.
    Lost,
    /// The reply came after the reply to a later request.
    Reordered,
    /// The reply came again.
    Doubled,
    /// The reply came although the request had been refused.
    AfterRefusal,
    /// The reply to a request of another connection came.
    Foreign {
        /// The other connection.
        of_connection: u32,
        /// The number of the request there.
        of_request: u64,
    },
    /// Another reply came in place of the expected one.
    Altered {
        /// The expected reply.
        expected: Digest,
        /// The reply that came.
        came: Digest,
    },
    /// A reply came that the client rejected, or that is malformed.
    Rejected {
        /// The reply that came.
        came: Digest,
    },
    /// A reply came while no request waited for one.
    Unasked {
        /// The reply that came.
        came: Digest,
    },
    /// A reply came after the server had announced the end of the connection.
    AfterFarewell {
        /// The reply that came.
        came: Digest,
    },
}

impl Verdict {
    /// Whether the whole history was judged, and nothing is wrong.
    pub fn passes(&self) -> bool {
        self.is_complete && self.violations.is_empty()
    }

    /// Whether the judge stopped before the end, since too much is wrong.
    pub fn is_stopped(&self) -> bool {
        self.violations.len() >= MAX_VIOLATIONS
    }
}

/// How many violations the text describes.
const SHOWN: usize = 20;

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { description, seconds, connections, requests, answered, refused, unknown, failed, .. } =
            self;
        let Self { alike_in_flight, alike_elsewhere, accepted, .. } = self;
        writeln!(f, "{description}; {seconds:.1} s, {} connections", grouped(*connections))?;
        writeln!(f, "{:>16} requests", grouped(*requests))?;
        let inexact = [
            (alike_in_flight, "alike and in flight at once on a connection: this does not show their order"),
            (alike_elsewhere, "alike on several connections: this does not show whose a reply was"),
            (accepted, "accepted by a rule of the client, which alone knows whether they were in order"),
        ];
        let how = match inexact.iter().all(|(count, _)| **count == 0) {
            true => "each by its own reply, in order and unaltered",
            false => "each by the expected reply",
        };
        writeln!(f, "{:>16} answered, {how}", grouped(*answered))?;
        for (count, text) in inexact {
            if *count > 0 {
                writeln!(f, "{:>16} {text}", grouped(*count))?;
            }
        }
        let unanswered = match self.is_complete {
            true => "unknown: unanswered when their connection ended",
            false => "unknown: unanswered when their connection or the file ended",
        };
        for (count, text) in
            [(refused, "refused by an error reply"), (unknown, unanswered), (failed, "failed")]
        {
            if *count > 0 {
                writeln!(f, "{:>16} {text}", grouped(*count))?;
            }
        }
        for violation in self.violations.iter().take(SHOWN) {
            writeln!(f, "VIOLATION: {violation}")?;
        }
        match self.violations.len() {
            0 => writeln!(f, "no violation")?,
            shown if shown <= SHOWN => {}
            all => writeln!(f, "and {} more violations", grouped((all - SHOWN) as u64))?,
        }
        if self.is_stopped() {
            writeln!(f, "the rest of the history was not judged: too much is wrong")?;
        } else if !self.is_complete {
            writeln!(f, "the end of the history is missing: the file was cut off, and may lack replies")?;
        }
        Ok(())
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { connection, client, request, seconds, fault } = self;
        write!(f, "connection {connection}")?;
        if *client != u64::from(*connection) {
            write!(f, " (the client's {client})")?;
        }
        write!(f, ", request {request}, at {seconds:.3} s: {fault}")
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost => f.write_str("lost: no reply came"),
            Self::Reordered => f.write_str("reordered: its reply came after the reply to a later request"),
            Self::Doubled => f.write_str("doubled: its reply came again"),
            Self::AfterRefusal => {
                f.write_str("answered after a refusal: its reply came, and it had been refused")
            }
            Self::Foreign { of_connection, of_request } => {
                write!(f, "foreign: the reply to request {of_request} of connection {of_connection} came")
            }
            Self::Altered { expected, came } => {
                let what = match came.length.cmp(&expected.length) {
                    std::cmp::Ordering::Less => "truncated",
                    std::cmp::Ordering::Equal => "altered",
                    std::cmp::Ordering::Greater => "extended",
                };
                write!(f, "{what}: {came} came, and not {expected}")
            }
            Self::Rejected { came } => write!(f, "rejected: {came} came, which is no answer to it"),
            Self::Unasked { came } => {
                write!(f, "not asked for: {came} came while no request waited for a reply")
            }
            Self::AfterFarewell { came } => {
                write!(
                    f,
                    "after the end: {came} came after the server had announced the end of the connection"
                )
            }
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { length, hash } = self;
        write!(f, "{length} bytes with the hash {hash:016x}")
    }
}

/// A number with spaces between groups of three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        for (number, text) in
            [(0, "0"), (999, "999"), (1000, "1 000"), (1_234_567, "1 234 567"), (100_000, "100 000")]
        {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn the_text_has_at_most_twenty_violations() {
        let violation =
            Violation { connection: 5, client: 5, request: 12, seconds: 1.2344, fault: Fault::Lost };
        let line = "VIOLATION: connection 5, request 12, at 1.234 s: lost: no reply came\n";
        for (count, shown, rest) in [
            (0, 0, "no violation\n"),
            (20, 20, ""),
            (21, 20, "and 1 more violations\n"),
            (
                1000,
                20,
                "and 980 more violations\nthe rest of the history was not judged: too much is wrong\n",
            ),
        ] {
            let violations = vec![violation.clone(); count];
            let text = Verdict { violations, is_complete: true, ..Verdict::default() }.to_string();
            assert!(text.ends_with(&format!("{}{rest}", line.repeat(shown))), "{text}");
        }
        let cut = Verdict::default().to_string();
        assert!(cut.contains("the file was cut off"), "{cut}");
    }
}
