//! The metrics that are compared.

use serde::Serialize;

use super::rounds::Value;
use crate::{Sample, Shape};
use load::checks::FLAG_PREFIXES;

/// The metrics that are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Metric {
    /// Server CPU time for each message, user mode and kernel together.
    Cpu,
    /// Replies per second of a closed loop.
    Throughput,
    /// The median latency from the scheduled time.
    MedianLatency,
    /// The 99th percentile of the latency from the scheduled time.
    TailLatency,
    /// Context switches of the server for each message.
    Switches,
}

impl Metric {
    /// All of them.
    pub const ALL: &[Self] =
        &[Self::Cpu, Self::Throughput, Self::MedianLatency, Self::TailLatency, Self::Switches];

    /// Its name in running text.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "server CPU per message",
            Self::Throughput => "throughput",
            Self::MedianLatency => "p50 latency",
            Self::TailLatency => "p99 latency",
            Self::Switches => "context switches per message",
        }
    }

    /// Whether a larger value is the better one.
    pub fn more_is_better(self) -> bool {
        self == Self::Throughput
    }

    /// Whether a sample's flag makes its value by this metric doubtful. Late sending affects latencies only, a busy
    /// generator also throughput; neither changes the server's CPU time for a message. All other flags, such as steal
    /// time, concern every metric.
    pub fn is_doubted_by(self, flag: &str) -> bool {
        let [busy, little, lag] = FLAG_PREFIXES.map(|beginning| flag.starts_with(beginning));
        match self {
            Self::Cpu | Self::Switches => !(busy || little || lag),
            Self::Throughput => !lag,
            Self::MedianLatency | Self::TailLatency => true,
        }
    }

    /// The value in a sample, or why it has none; `None` if there is no positive, finite value to compare. The
    /// latencies of an overloaded run depend only on its length, and the throughput of an open loop is the offered
    /// rate. If the generator was the bottleneck, neither says anything about the server, and a closed loop doesn't
    /// show the cost at saturation, because the server was not saturated.
    pub(super) fn value(self, sample: &Sample, shape: &Shape) -> Option<Value> {
        let is_latency = matches!(self, Self::MedianLatency | Self::TailLatency);
        if sample.generator_limited && (is_latency || self == Self::Throughput || shape.rate.is_none()) {
            return Some(Value::GeneratorLimited);
        }
        if sample.overloaded && is_latency {
            return Some(Value::Overloaded);
        }
        let value = match self {
            Self::Cpu => sample.cpu_user + sample.cpu_system,
            Self::Throughput if shape.rate.is_none() => sample.rate,
            Self::Throughput => return None,
            Self::MedianLatency => percentile(&sample.latency, 50.0)?,
            Self::TailLatency => percentile(&sample.latency, 99.0)?,
            Self::Switches => sample.switches,
        };
        (value.is_finite() && value > 0.0).then(|| Value::Logarithm(value.ln()))
    }
}

/// The value at a percentile, if it was measured.
pub fn percentile(percentiles: &[(f64, f64)], wanted: f64) -> Option<f64> {
    percentiles.iter().find(|(percentile, _)| (percentile - wanted).abs() < 1e-9).map(|&(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_that_cannot_be_compared_has_no_value() {
        let closed = Shape::default();
        let open = Shape { rate: Some(1e4), ..Shape::default() };
        let sample =
            Sample { rate: 9.0, cpu_user: f64::NAN, latency: vec![(50.0, 7.0)], ..Sample::default() };
        let known = |value: f64| Some(Value::Logarithm(value.ln()));
        assert_eq!(Metric::Cpu.value(&sample, &closed), None);
        assert_eq!(Metric::Switches.value(&sample, &closed), None, "zero has no logarithm");
        assert_eq!(Metric::Throughput.value(&sample, &closed), known(9.0));
        assert_eq!(Metric::Throughput.value(&sample, &open), None);
        assert_eq!(Metric::MedianLatency.value(&sample, &open), known(7.0));
        assert_eq!(Metric::TailLatency.value(&sample, &open), None);
        let overloaded = Sample { overloaded: true, ..sample.clone() };
        assert_eq!(Metric::MedianLatency.value(&overloaded, &open), Some(Value::Overloaded));
        let limited = Sample { generator_limited: true, cpu_user: 2.0, ..sample };
        assert_eq!(Metric::MedianLatency.value(&limited, &open), Some(Value::GeneratorLimited));
        assert_eq!(Metric::Throughput.value(&limited, &closed), Some(Value::GeneratorLimited));
        assert_eq!(
            Metric::Cpu.value(&limited, &open),
            known(2.0),
            "the cost of a message is known nevertheless"
        );
    }

    #[test]
    fn a_flag_concerns_the_metrics_that_it_affects() {
        let sound = load::testing::measurement();
        let (steal, generator_busy, send_lag) = (0.1, 0.9, sound.latency.clone());
        let flags =
            load::checks::flags(&load::measurement::Measurement { steal, generator_busy, send_lag, ..sound });
        let [steal, busy, lag] = &flags[..] else { panic!("{flags:?}") };
        for &metric in Metric::ALL {
            let of_latency = matches!(metric, Metric::MedianLatency | Metric::TailLatency);
            assert!(metric.is_doubted_by(steal));
            assert_eq!(metric.is_doubted_by(busy), of_latency || metric == Metric::Throughput);
            assert_eq!(metric.is_doubted_by(lag), of_latency);
        }
    }
}
