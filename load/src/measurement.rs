//! The results of a load run, as plain data. Times are in microseconds, rates in messages per second.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};

pub use crate::generator::Generator;
pub use crate::handshakes::Handshakes;
use crate::histogram::Distribution;
pub use crate::hostile::{HostileClients, HostileCounts};
use crate::plan::Plan;
pub use crate::pushes::Pushes;
use crate::shard::Shard;

/// The results of one load run.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Measurement {
    /// The requested load as text, such as `64 connections, depth 16`.
    pub load: String,
    /// The measured time, in seconds: as requested, or until the interruption.
    pub seconds: f64,
    /// Whether the run was interrupted before the requested time.
    pub interrupted: bool,
    /// When and why the run ended before the requested time; `None` if it did not, or was interrupted.
    #[serde(default)]
    pub stopped_early: Option<String>,
    /// How many connections were open at the end of the warm-up.
    pub connections: usize,
    /// The maximal number of messages in flight, over all connections.
    pub in_flight_limit: usize,
    /// The scheduled messages per second; `None` in a closed loop, where the server sets the pace.
    pub offered_rate: Option<f64>,
    /// The received replies per second.
    pub achieved_rate: f64,
    /// Latency from the scheduled time of a message to its reply: the latency that users experience.
    pub latency: Distribution,
    /// Service time: latency from the sending of a message to its reply.
    pub service: Distribution,
    /// The delay between the scheduled time of messages and their sending.
    pub send_lag: Distribution,
    /// The duration of connecting, for connections made within the measured time.
    pub connect: Distribution,
    /// Messages that were due but never sent: the queue was full, or their connection had ended.
    pub dropped: u64,
    /// Messages that had no reply when the run or their connection ended, although the generator waited for it. They
    /// count with the time they had waited by then, a lower bound of their latency.
    #[serde(default)]
    pub unfinished: u64,
    /// The waiting times of these, which are included in `latency`.
    #[serde(default, skip_serializing_if = "Distribution::is_empty")]
    pub waited: Distribution,
    /// The verification of the replies.
    pub verification: Verification,
    /// What the subscribers received; `None` if there were none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pushes: Option<Pushes>,
    /// The handshakes of TLS; `None` if the load was without TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Handshakes>,
    /// What became of the hostile clients; `None` if there were none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostile: Option<HostileClients>,
    /// Connections that could not be established, or broke, those of subscribers among them.
    pub failures: Failures,
    /// Connections that were re-established after the server had ended them, in a plan with `reconnect`.
    #[serde(default)]
    pub reconnected: u64,
    /// Unanswered messages that were sent again on these connections.
    #[serde(default)]
    pub resent: u64,
    /// The utilization of the generator: the share of one core that its busiest thread used.
    pub generator_busy: f64,
    /// Whether the generator was the bottleneck, so that rate and latency say nothing about the server.
    #[serde(default)]
    pub generator_limited: bool,
    /// The timeline: ticks of 100 ms, from the start of the measured time to its end.
    #[serde(default)]
    pub timeline: Vec<Tick>,
    /// The resource use of the server in the measured time, if it was monitored.
    pub server: Option<Usage>,
    /// Whether the server was monitored and its process ended before the end of the measured time.
    #[serde(default)]
    pub server_ended: bool,
    /// The share of time in which the hypervisor gave this machine's cores to others (steal).
    pub steal: f64,
    /// The [settings](crate::plan::Plan::settings) of the plan; empty if it was measured before they were stored.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub plan: BTreeMap<String, String>,
    /// Which part of the plan it is.
    #[serde(default, skip_serializing_if = "Shard::is_whole")]
    pub shard: Shard,
    /// When it was measured; `None` if it was measured before that was stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// What each generator has measured, in a merged measurement; otherwise empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub generators: Vec<Generator>,
}

/// The measured time by the clock of the generator's machine, in seconds since the beginning of 1970 (UTC).
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub struct Window {
    /// Its start.
    pub start: f64,
    /// Its end.
    pub end: f64,
}

/// The verification of the replies.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Verification {
    /// All examined replies: good, bad and refused, including the warm-up.
    pub replies: u64,
    /// Error replies: the server refused the message. They are not verified further.
    #[serde(default)]
    pub refused: u64,
    /// The text of one of these.
    #[serde(default)]
    pub refusal: Option<String>,
    /// Whether the replies were verified. If not, they were only counted.
    #[serde(default = "yes")]
    pub verified: bool,
    /// Messages without a reply although their connection stayed open.
    pub lost: u64,
    /// Replies that were received twice, if they identify their message.
    pub doubled: u64,
    /// Replies received after a later one.
    pub reordered: u64,
    /// Replies to another connection's messages.
    pub foreign: u64,
    /// Replies that differ from the expected ones.
    pub wrong: u64,
    /// Replies received when none was expected: before the first message, or when all messages were answered.
    #[serde(default)]
    pub extra: u64,
    /// The first few, with connection and sequence number, for display.
    pub examples: Vec<String>,
}

/// Failures of connections.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Failures {
    /// Connections that could not be established.
    pub connect: u64,
    /// Connections that the server closed or reset early.
    pub ended: u64,
    /// Established connections on which nothing was received although messages were sent. For example, they stayed in
    /// the server's accept backlog.
    #[serde(default)]
    pub unserved: u64,
    /// Unanswered messages on connections that were closed or not served, including the warm-up. Those that were due in
    /// the measured time also count as [`unfinished`](Measurement::unfinished).
    pub unanswered: u64,
    /// The first few errors.
    pub examples: Vec<String>,
}

/// A tenth of a second of a run.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Tick {
    /// When it begins, in seconds since the start of the measured time.
    pub at: f64,
    /// Replies received in it.
    pub replies: u64,
    /// The longest latency of a reply received in it, or of a message that was still unanswered at its end, in
    /// microseconds.
    pub max: f64,
}

/// The resource use of a server in the measured time: of its process and all descendants.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Usage {
    /// CPU time in its own code, in seconds.
    pub user_seconds: f64,
    /// CPU time in the kernel, in seconds.
    pub system_seconds: f64,
    /// The context switches of its threads.
    pub context_switches: u64,
    /// Replies received between the two readings of its CPU clocks.
    #[serde(default)]
    pub messages: u64,
    /// Pushes that subscribers received between these.
    #[serde(default)]
    pub deliveries: u64,
    /// Its anonymous memory at the end, in bytes; `None` if the system does not provide it.
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

    /// Whether the server fell so far behind the offered rate that latencies depend on the length of the measurement
    /// only.
    pub fn is_overloaded(&self) -> bool {
        self.achieved_share() < MIN_ACHIEVED_SHARE
    }

    /// The error by Little's law: the relative difference between the mean number of messages in flight, computed from
    /// rate and latency, and the number that the closed loop kept in flight. `None` in an open loop.
    pub fn littles_error(&self) -> Option<f64> {
        if self.offered_rate.is_some() || self.in_flight_limit == 0 {
            return None;
        }
        let in_flight = self.achieved_rate * self.latency.mean / 1e6;
        Some((in_flight / self.in_flight_limit as f64 - 1.0).abs())
    }

    /// Whether nothing was measured: no message of the measured time was answered, nor is one known to have waited.
    pub fn is_empty(&self) -> bool {
        self.latency.count == 0
    }

    /// The number of replies and pushes that failed verification.
    pub fn bad(&self) -> u64 {
        self.verification.bad() + self.pushes.as_ref().map_or(0, Pushes::bad)
    }

    /// Server CPU time per message, in microseconds: in user mode and in the kernel. Time and messages are counted
    /// between the same two instants.
    pub fn cpu_per_message(&self) -> Option<(f64, f64)> {
        self.server.and_then(|usage| usage.per(usage.messages))
    }

    /// Server CPU time per push that a subscriber received, in the same way: all the time of the server, the time to
    /// receive and to answer the messages included.
    pub fn cpu_per_delivery(&self) -> Option<(f64, f64)> {
        self.server.and_then(|usage| usage.per(usage.deliveries))
    }
}

impl Window {
    /// The measured time of a load that begins at this instant.
    pub(crate) fn of(plan: &Plan, start: Instant) -> Self {
        let since_1970 = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let (now, time) = (Instant::now(), since_1970(SystemTime::now()));
        let (left, passed) = (start.saturating_duration_since(now), now.saturating_duration_since(start));
        let start = (time + left + plan.warmup).as_secs_f64() - passed.as_secs_f64();
        Self { start, end: start + plan.duration.as_secs_f64() }
    }

    /// The same, if it ended after this time.
    pub(crate) fn measured(self, time: Duration) -> Self {
        Self { end: self.start + time.as_secs_f64(), ..self }
    }

    /// Its length, in seconds.
    pub fn seconds(self) -> f64 {
        (self.end - self.start).max(0.0)
    }
}

impl Usage {
    /// The CPU time of each of so many, in microseconds.
    fn per(&self, count: u64) -> Option<(f64, f64)> {
        let each = |seconds: f64| seconds * 1e6 / count as f64;
        (count > 0).then(|| (each(self.user_seconds), each(self.system_seconds)))
    }
}

/// The maximal number of stored examples per kind.
pub(crate) const EXAMPLES: usize = 5;

/// Above this share of refusals, a run fails.
const MOST_REFUSED: f64 = 0.01;

/// Whether the share of refusals is too high for a success.
pub fn too_many_refused(refused: u64, replies: u64) -> bool {
    refused as f64 > replies as f64 * MOST_REFUSED
}

/// Below this share of the offered rate a server is overloaded.
pub const MIN_ACHIEVED_SHARE: f64 = 0.98;

/// The default for measurements stored before the field existed, which were all verified.
fn yes() -> bool {
    true
}

impl Default for Verification {
    /// No replies, and verification on.
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
    /// The number of messages whose reply was no error.
    pub(crate) fn accepted(&self) -> u64 {
        let others = self.refused + self.doubled + self.foreign + self.extra;
        self.replies.saturating_sub(others)
    }

    /// The number of replies that failed verification.
    pub fn bad(&self) -> u64 {
        self.lost + self.doubled + self.reordered + self.foreign + self.wrong + self.extra
    }
}

impl Failures {
    /// The number of failed connections.
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
