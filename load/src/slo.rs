//! Service-level objectives: limits on latency percentiles, such as `p99=5ms`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::histogram::{MIN_BEYOND, place};
use crate::measurement::{Measurement, Verification, too_many_refused};
use crate::plan::Plan;
use crate::quantity::Time;

/// A service-level objective: a percentile of the latencies is at most a limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slo {
    /// The percentile that is limited.
    pub rank: Rank,
    /// The limit.
    pub limit: Duration,
}

/// A rank among the latencies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rank {
    /// A percentile.
    Percentile(f64),
    /// The maximum.
    Max,
}

/// Whether a measurement met an objective.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// It did, with this latency in microseconds.
    Pass(f64),
    /// It did not.
    Fail(Reason),
    /// The measurement can't decide it.
    Unknown(Doubt),
}

/// Why an objective was missed. Of several reasons the first is given.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reason {
    /// This number of replies and pushes failed verification. Fast wrong replies do not count.
    BadReplies(u64),
    /// This share of the replies, from 0 to 1, were refusals.
    Refused(f64),
    /// The run ended early, since no connection was left.
    StoppedEarly,
    /// This number of connections could not be made, were ended by the server, or were not served.
    Failed(u64),
    /// There was no reply.
    NoReplies,
    /// The server fell behind the offered rate: latencies depend on the length of the measurement only.
    Overloaded {
        /// Scheduled messages per second.
        offered: f64,
        /// Replies per second.
        achieved: f64,
    },
    /// This number of messages were never sent or never answered, more than the percentile excludes.
    Unanswered(u64),
    /// The latency, in microseconds, is over the limit.
    TooSlow(f64),
}

/// Why a measurement can't decide whether an objective was met.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Doubt {
    /// The loop was closed: while the server stalled no messages were sent, so their latencies do not show the stall.
    ClosedLoop,
    /// The generator was the bottleneck, so the latencies do not describe the server.
    GeneratorLimited,
    /// Fewer than ten messages are beyond the percentile.
    FewMessages {
        /// The number of messages.
        count: u64,
        /// The number needed.
        needed: u64,
    },
}

impl Slo {
    /// Checks that the load of a plan can decide the objective.
    ///
    /// # Errors
    /// If the loop is closed: why it can't, and what to write instead.
    pub fn check(&self, plan: &Plan) -> Result<(), String> {
        match plan.rate() {
            Some(_) => Ok(()),
            None => Err(format!(
                "--slo {self} needs --rate: without it the loop is closed, where nothing is sent to a server that \
                 stalls, so that stalls are under-counted; add a rate such as --rate 1000"
            )),
        }
    }

    /// Judges a measurement, by its latency from the scheduled times. A message that was never answered counts as
    /// slower than any limit. More than one refusal in a hundred replies misses the objective, unless refusals are
    /// allowed, because refusing is fast.
    pub fn judge(&self, measurement: &Measurement, allow_refusals: bool) -> Verdict {
        let latency = &measurement.latency;
        let bad = measurement.bad();
        if bad > 0 {
            return Verdict::Fail(Reason::BadReplies(bad));
        }
        let Verification { refused, replies, .. } = measurement.verification;
        if !allow_refusals && too_many_refused(refused, replies) {
            return Verdict::Fail(Reason::Refused(measurement.refused_share()));
        }
        if measurement.stopped_early.is_some() {
            return Verdict::Fail(Reason::StoppedEarly);
        }
        let failed = measurement.failures.connections();
        if failed > 0 {
            return Verdict::Fail(Reason::Failed(failed));
        }
        let Some(offered) = measurement.offered_rate else { return Verdict::Unknown(Doubt::ClosedLoop) };
        if measurement.generator_limited {
            return Verdict::Unknown(Doubt::GeneratorLimited);
        }
        if latency.count <= measurement.unfinished {
            return Verdict::Fail(Reason::NoReplies);
        }
        if measurement.is_overloaded() {
            return Verdict::Fail(Reason::Overloaded { offered, achieved: measurement.achieved_rate });
        }
        // Dropped messages have no latency; the latency of unanswered ones may be below the limit.
        let (dropped, unfinished) = (measurement.dropped, measurement.unfinished);
        let never = dropped.saturating_add(unfinished);
        let all = latency.count.saturating_add(dropped);
        let place = match self.rank {
            Rank::Max => all,
            Rank::Percentile(percentile) => place(percentile, all),
        };
        let limit = self.limit_in_microseconds();
        let short = unfinished.saturating_sub(measurement.waited.above(limit));
        let slow = latency.above(limit).saturating_add(short).saturating_add(dropped);
        let allowed = all.saturating_sub(place);
        if self.rank != Rank::Max && slow.max(allowed) < MIN_BEYOND {
            return Verdict::Unknown(Doubt::FewMessages { count: all, needed: self.messages_needed() });
        }
        match latency.at_place(place) {
            Some(value) if slow <= allowed => Verdict::Pass(value),
            Some(value) if never <= allowed => Verdict::Fail(Reason::TooSlow(value)),
            _ => Verdict::Fail(Reason::Unanswered(never)),
        }
    }

    /// The number of messages needed to judge it.
    pub fn messages_needed(&self) -> u64 {
        match self.rank {
            Rank::Max => MIN_BEYOND,
            Rank::Percentile(percentile) => (MIN_BEYOND as f64 / (1.0 - percentile / 100.0)).round() as u64,
        }
    }

    /// The limit in microseconds, the unit of measurements.
    pub fn limit_in_microseconds(&self) -> f64 {
        self.limit.as_secs_f64() * 1e6
    }
}

impl Verdict {
    /// Whether the objective was met.
    pub fn is_pass(&self) -> bool {
        matches!(self, Self::Pass(_))
    }

    /// Whether the objective was missed.
    pub fn is_fail(&self) -> bool {
        matches!(self, Self::Fail(_))
    }
}

/// An objective is written as its rank and its limit, a [`Time`]: `p99=5ms`, `p50=0.5ms`, `max=1m`.
impl FromStr for Slo {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |what: &str| format!("`{text}` {what}; write one such as p99=5ms");
        let (rank, limit) = text.split_once('=').ok_or_else(|| wrong("is no objective"))?;
        let rank = RANKS.iter().find(|(name, _)| *name == rank.trim()).map(|&(_, rank)| rank);
        let names = || RANKS.map(|(name, _)| name).join(", ");
        let rank = rank.ok_or_else(|| wrong(&format!("limits none of {}", names())))?;
        let Time(limit) = limit.trim().parse().map_err(|error| format!("`{text}`: {error}"))?;
        if limit.is_zero() {
            return Err(wrong("has a limit of zero"));
        }
        Ok(Self { rank, limit })
    }
}

/// The names of ranks.
const RANKS: [(&str, Rank); 7] = [
    ("p50", Rank::Percentile(50.0)),
    ("p90", Rank::Percentile(90.0)),
    ("p95", Rank::Percentile(95.0)),
    ("p99", Rank::Percentile(99.0)),
    ("p99.9", Rank::Percentile(99.9)),
    ("p99.99", Rank::Percentile(99.99)),
    ("max", Rank::Max),
];

impl fmt::Display for Rank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Percentile(percentile) => write!(f, "p{percentile}"),
            Self::Max => f.write_str("max"),
        }
    }
}

impl fmt::Display for Slo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={:?}", self.rank, self.limit)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pass(value) => write!(f, "PASS {}", Microseconds(*value)),
            Self::Fail(reason) => write!(f, "FAIL {reason}"),
            Self::Unknown(doubt) => write!(f, "UNKNOWN {doubt}"),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadReplies(count) => write!(f, "{count} bad replies"),
            Self::Refused(share) => write!(f, "{:.1} % of the replies were refusals", share * 100.0),
            Self::StoppedEarly => f.write_str("the run stopped early: no connection was left"),
            Self::Failed(count) => write!(f, "{count} connections failed"),
            Self::NoReplies => f.write_str("no replies"),
            Self::Overloaded { offered, achieved } => {
                write!(f, "OVERLOADED: offered {offered:.0}/s, achieved {achieved:.0}/s")
            }
            Self::Unanswered(count) => write!(f, "{count} messages were never sent or never answered"),
            Self::TooSlow(value) => write!(f, "{}", Microseconds(*value)),
        }
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClosedLoop => f.write_str("the loop was closed, where stalls are under-counted"),
            Self::GeneratorLimited => f.write_str("the generator was the bottleneck"),
            Self::FewMessages { count, needed } => {
                write!(f, "{count} messages are too few, it takes {needed}")
            }
        }
    }
}

/// A time in a readable unit.
struct Microseconds(f64);

impl fmt::Display for Microseconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            value if value >= 1e6 => write!(f, "{:.2} s", value / 1e6),
            value if value >= 1e3 => write!(f, "{:.2} ms", value / 1e3),
            value => write!(f, "{value:.0} µs"),
        }
    }
}

#[cfg(test)]
mod tests;
