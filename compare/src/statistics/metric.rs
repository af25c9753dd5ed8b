//! What is compared.

use serde::Serialize;

use super::rounds::Value;
use crate::{Sample, Shape};
use load::checks::ABOUT;

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Metric {
    /// Server CPU time for each message, own code and kernel together.
    Cpu,
    /// Replies per second of a closed loop.
    Throughput,
    /// The median latency from the schedule.
    MedianLatency,
    /// The 99th percentile of the latency from the schedule.
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

    /// Whether a sample's flag makes its value by this metric doubtful. Lateness of the generator is seen in
    /// latencies alone, and a busy generator in throughput, too; neither changes what a message costs the
    /// server. Whatever else there is, such as steal, is taken to concern everything.
    pub fn is_doubted_by(self, flag: &str) -> bool {
        let [busy, little, lag] = ABOUT.map(|beginning| flag.starts_with(beginning));
        match self {
            Self::Cpu | Self::Switches => !(busy || little || lag),
            Self::Throughput => !lag,
            Self::MedianLatency | Self::TailLatency => true,
        }
    }

    /// The value in a sample, or why it has none; `None` where there is nothing that can be compared, positive and
    /// finite. Latencies of an overloaded run say only how long it lasted, the throughput of an open loop is what was
    /// offered, and where the generator was the limit neither says anything about the server; nor does a closed loop say
    /// what a message costs at saturation, if the server was not saturated.
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
    fn what_cannot_be_compared_has_no_value() {
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
            "what a message costs is known all the same"
        );
    }

    #[test]
    fn a_flag_concerns_the_metrics_in_which_it_is_seen() {
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
