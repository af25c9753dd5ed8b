//! The result of judging a history.

use serde::Serialize;

use crate::record::Digest;

mod text;

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
    /// How many messages the server has handled, by its own account, if that was [compared](Self::compare_handled).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handled: Option<u64>,
    /// Whether the history has an end. If not, the file was cut off, and requests without a reply are unknown.
    pub is_complete: bool,
    /// What is wrong, in the order in which it was found; at most [`MAX_VIOLATIONS`]. The rest of the history was not
    /// judged if there are so many.
    pub violations: Vec<Violation>,
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Violation {
    /// Where it was found; `None` if it concerns the whole history.
    #[serde(flatten)]
    pub place: Option<Place>,
    /// What is wrong.
    #[serde(flatten)]
    pub fault: Fault,
}

/// The request, or the end of a connection's requests, where something is wrong.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Place {
    /// The number of the connection in the history.
    pub connection: u32,
    /// The client's own number for it.
    pub client: u64,
    /// The number of the request on its connection, from 0; with [`Fault::Unasked`] and [`Fault::AfterFarewell`] the
    /// number of requests that were sent before.
    pub request: u64,
    /// When it was found, in seconds since the start.
    pub seconds: f64,
}

/// What is wrong.
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
    /// The server has not handled the messages that were answered or refused, or more than these.
    Unaccounted {
        /// How many the server has handled.
        handled: u64,
        /// How many were answered or refused.
        accounted: u64,
    },
}

impl Verdict {
    /// Compares with the number of messages that the server has handled, by its own account, if it was drained: each of
    /// them was answered or refused. There is a violation if not. If something else is wrong, or if the history
    /// [lacks messages](Self::has_unrecorded), it is not compared.
    pub fn compare_handled(&mut self, handled: u64) {
        self.handled = Some(handled);
        let accounted = self.answered + self.refused;
        if self.passes() && !self.has_unrecorded && handled != accounted {
            let fault = Fault::Unaccounted { handled, accounted };
            self.violations.push(Violation { place: None, fault });
        }
    }

    /// Whether the whole history was judged, and nothing is wrong.
    pub fn passes(&self) -> bool {
        self.is_complete && self.violations.is_empty()
    }

    /// Whether the judge stopped before the end, since too much is wrong.
    pub fn is_stopped(&self) -> bool {
        self.violations.len() >= MAX_VIOLATIONS
    }
}
