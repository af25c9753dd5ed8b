//! What a run of load has shown, as plain data. Times are in microseconds, rates in messages per second.

use serde::{Deserialize, Serialize};

use crate::histogram::Distribution;

/// What one run of load has shown.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Measurement {
    /// The load that was asked for, as text: `64 connections, depth 16`, say.
    pub load: String,
    /// How long was measured, in seconds: the time asked for, or until the interruption.
    pub seconds: f64,
    /// Whether the run was interrupted, so that there is less than was asked for.
    pub interrupted: bool,
    /// When and why the run ended before its time, so that less was measured than was asked for; `None` if it did
    /// not, or was interrupted.
    #[serde(default)]
    pub stopped_early: Option<String>,
    /// How many connections were open at the end of the warm-up.
    pub connections: usize,
    /// The most messages that may be in flight, over all connections.
    pub in_flight_limit: usize,
    /// How many messages were scheduled for each second; `None` in a closed loop, where the server sets the
    /// pace.
    pub offered_rate: Option<f64>,
    /// How many replies came in each second.
    pub achieved_rate: f64,
    /// Latency from the scheduled time of a message to its reply: what users feel.
    pub latency: Distribution,
    /// Latency from the sending of a message to its reply: the service alone.
    pub service: Distribution,
    /// How much later than scheduled messages were sent.
    pub send_lag: Distribution,
    /// How long connecting took, where connections were made while it was measured.
    pub connect: Distribution,
    /// Messages that were due and never sent: there was no room for them to wait, or their connection had ended.
    pub dropped: u64,
    /// Messages that had no reply when the run or their connection ended, though they were waited for. Their latency
    /// counts as the time that they had waited by then, which is the least that it can be.
    #[serde(default)]
    pub unfinished: u64,
    /// How long these had waited, which is a part of `latency`.
    #[serde(default, skip_serializing_if = "Distribution::is_empty")]
    pub waited: Distribution,
    /// How the replies were.
    pub verification: Verification,
    /// Connections that could not be made, or broke.
    pub failures: Failures,
    /// Connections that the server ended and that were made anew, which a plan with `reconnect` does.
    #[serde(default)]
    pub reconnected: u64,
    /// Messages that were sent again on these connections, since their reply had not come.
    #[serde(default)]
    pub resent: u64,
    /// How busy the generator was: the share of one core that its busiest thread used.
    pub generator_busy: f64,
    /// Whether the generator was the limit, so that rate and latency say nothing about the server.
    #[serde(default)]
    pub generator_limited: bool,
    /// What happened when: ticks of 100 ms, from the beginning of what is measured to its end.
    #[serde(default)]
    pub timeline: Vec<Tick>,
    /// What the server used meanwhile, if it was watched.
    pub server: Option<Usage>,
    /// Whether the server was to be watched, and its process ended before the end of what is measured.
    #[serde(default)]
    pub server_ended: bool,
    /// The share of time in which the host gave this machine's cores to others.
    pub steal: f64,
}

/// How the replies were.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Verification {
    /// Replies that were looked at: good, bad and refused, warm-up included.
    pub replies: u64,
    /// Replies that are errors: the server refused the message. They are not judged any further.
    #[serde(default)]
    pub refused: u64,
    /// What one of these said.
    #[serde(default)]
    pub refusal: Option<String>,
    /// Whether it was known what the replies should be. If not, they were counted, and not verified.
    #[serde(default = "yes")]
    pub verified: bool,
    /// Messages whose reply never came, though the connection stood.
    pub lost: u64,
    /// Replies that came a second time, as far as they tell which message they answer.
    pub doubled: u64,
    /// Replies that came after a later one.
    pub reordered: u64,
    /// Replies to another connection's messages.
    pub foreign: u64,
    /// Replies that are something else than they should be.
    pub wrong: u64,
    /// Replies that came when none was due: before the first message, or when every message had its reply.
    #[serde(default)]
    pub extra: u64,
    /// The first few, with connection and sequence number, for people.
    pub examples: Vec<String>,
}

/// What went wrong with connections.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Failures {
    /// Connections that could not be made.
    pub connect: u64,
    /// Connections that the server ended or reset before their time.
    pub ended: u64,
    /// Connections that stood and on which nothing ever came, though messages were sent: they were not accepted,
    /// say, and waited in the server's backlog.
    #[serde(default)]
    pub unserved: u64,
    /// Messages without a reply on those that were ended or not served, warm-up included. Those that were due in what
    /// is measured are among the [`unfinished`](Measurement::unfinished), too.
    pub unanswered: u64,
    /// The first few errors.
    pub examples: Vec<String>,
}

/// A tenth of a second of a run.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Tick {
    /// When it begins, in seconds since the beginning of what is measured.
    pub at: f64,
    /// Replies that came in it.
    pub replies: u64,
    /// The longest latency of a reply that came in it, or of a message that still waited when it ended, in
    /// microseconds.
    pub max: f64,
}

/// What a server used while it was watched: its process and all processes that descend from it.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Usage {
    /// CPU time in its own code, in seconds.
    pub user_seconds: f64,
    /// CPU time in the kernel, in seconds.
    pub system_seconds: f64,
    /// How often its threads were switched.
    pub context_switches: u64,
    /// Replies that came between the instants at which its CPU clocks were read.
    #[serde(default)]
    pub messages: u64,
    /// The anonymous memory that it had at the end, in bytes; `None` if the system doesn't tell.
    #[serde(default)]
    pub memory: Option<u64>,
}

impl Measurement {
    /// The share of the offered rate that was achieved; 1 in a closed loop.
    pub fn achieved_share(&self) -> f64 {
        self.offered_rate
            .map_or(1.0, |offered| if offered > 0.0 { self.achieved_rate / offered } else { 1.0 })
    }

    /// The share of all replies that were refusals, from 0 to 1; 0 without replies.
    pub fn refused_share(&self) -> f64 {
        let Verification { replies, refused, .. } = self.verification;
        if replies > 0 { refused as f64 / replies as f64 } else { 0.0 }
    }

    /// Whether the server fell so far behind the offered rate that latencies say only how long it was measured.
    pub fn is_overloaded(&self) -> bool {
        self.achieved_share() < ENOUGH
    }

    /// Little's law: by how much the mean number of messages in flight, computed from rate and latency, differs
    /// from the number that the closed loop kept in flight. `None` in an open loop.
    pub fn littles_error(&self) -> Option<f64> {
        if self.offered_rate.is_some() || self.in_flight_limit == 0 {
            return None;
        }
        let in_flight = self.achieved_rate * self.latency.mean / 1e6;
        Some((in_flight / self.in_flight_limit as f64 - 1.0).abs())
    }

    /// Server CPU time for each message, in microseconds: in its own code, and in the kernel. Time and messages
    /// are those between the same two instants.
    pub fn cpu_per_message(&self) -> Option<(f64, f64)> {
        let usage = self.server.filter(|usage| usage.messages > 0)?;
        let each = |seconds: f64| seconds * 1e6 / usage.messages as f64;
        Some((each(usage.user_seconds), each(usage.system_seconds)))
    }
}

/// So many examples of a kind are kept; more would only hide what they show.
pub(crate) const EXAMPLES: usize = 5;

/// Above this share of refusals, replies are no success.
const MOST_REFUSED: f64 = 0.01;

/// Whether so many of the replies are refusals that they are no success.
pub fn too_many_refused(refused: u64, replies: u64) -> bool {
    refused as f64 > replies as f64 * MOST_REFUSED
}

/// Below this share of the offered rate a server is overloaded.
pub const ENOUGH: f64 = 0.98;

/// Measurements from before a field existed were all verified.
fn yes() -> bool {
    true
}

impl Default for Verification {
    /// No replies, which would be verified.
    fn default() -> Self {
        Self {
            replies: 0,
            refused: 0,
            refusal: None,
            verified: true,
            lost: 0,
            doubled: 0,
            reordered: 0,
            foreign: 0,
            wrong: 0,
            extra: 0,
            examples: Vec::new(),
        }
    }
}

impl Verification {
    /// How many replies were not as they should be.
    pub fn bad(&self) -> u64 {
        self.lost + self.doubled + self.reordered + self.foreign + self.wrong + self.extra
    }
}

impl Failures {
    /// How many connections failed.
    pub fn connections(&self) -> u64 {
        self.connect + self.ended + self.unserved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_refusal_in_a_hundred_is_no_failure() {
        for (refused, replies, expected) in
            [(0, 0, false), (0, 100, false), (1, 100, false), (2, 100, true), (1, 99, true), (1, 1, true)]
        {
            assert_eq!(too_many_refused(refused, replies), expected, "{refused} of {replies}");
        }
    }
}
