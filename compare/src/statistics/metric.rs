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
    /// Server CPU time for each delivery to a subscriber: all of it, the time to receive and to answer the messages
    /// included.
    DeliveryCpu,
    /// The median time from the sending of a message to its delivery to a subscriber.
    MedianDelay,
    /// The 99th percentile of that time.
    TailDelay,
}

impl Metric {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::DeliveryCpu,
        Self::MedianDelay,
        Self::TailDelay,
        Self::Cpu,
        Self::Throughput,
        Self::MedianLatency,
        Self::TailLatency,
        Self::Switches,
    ];

    /// Its name in running text.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "server CPU per message",
            Self::Throughput => "throughput",
            Self::MedianLatency => "p50 latency",
            Self::TailLatency => "p99 latency",
            Self::Switches => "context switches per message",
            Self::DeliveryCpu => "server CPU per delivery",
            Self::MedianDelay => "p50 delivery delay",
            Self::TailDelay => "p99 delivery delay",
        }
    }

    /// Whether a larger value is the better one.
    pub fn more_is_better(self) -> bool {
        self == Self::Throughput
    }

    /// Whether a sample's flag makes its value by this metric doubtful. Late sending affects latencies only, a busy
    /// generator also throughput; neither changes the server's CPU time for a message. The delay of a delivery counts
    /// from the sending, so late sending doesn't affect it. All other flags, such as steal time, concern every metric.
    pub fn is_doubted_by(self, flag: &str) -> bool {
        let [busy, little, lag] = FLAG_PREFIXES.map(|beginning| flag.starts_with(beginning));
        match self {
            Self::Cpu | Self::Switches | Self::DeliveryCpu => !(busy || little || lag),
            Self::Throughput | Self::MedianDelay | Self::TailDelay => !lag,
            Self::MedianLatency | Self::TailLatency => true,
        }
    }

    /// The value in a sample, or why it has none; `None` if there is no positive, finite value to compare. The
    /// latencies of an overloaded run depend only on its length, and the throughput of an open loop is the offered
    /// rate. If the generator was the bottleneck, neither says anything about the server, and a closed loop doesn't
    /// show the cost at saturation, because the server was not saturated.
    pub(super) fn value(self, sample: &Sample, shape: &Shape) -> Option<Value> {
        let is_delay = matches!(self, Self::MedianDelay | Self::TailDelay);
        if (is_delay || self == Self::DeliveryCpu) && sample.deliveries.is_none() {
            return None;
        }
        let is_latency = is_delay || matches!(self, Self::MedianLatency | Self::TailLatency);
        let deliveries = sample.deliveries.as_ref();
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
            Self::DeliveryCpu => deliveries.map(|of| of.cpu_user + of.cpu_system)?,
            Self::MedianDelay => percentile(&deliveries?.delay, 50.0)?,
            Self::TailDelay => percentile(&deliveries?.delay, 99.0)?,
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
    use crate::Deliveries;

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
    fn only_samples_with_subscribers_have_deliveries() {
        let shape = Shape { rate: Some(2.0), subscribers: 10_000, ..Shape::default() };
        let of_pushes = [Metric::DeliveryCpu, Metric::MedianDelay, Metric::TailDelay];
        let none = Sample { overloaded: true, generator_limited: true, ..Sample::default() };
        assert!(of_pushes.iter().all(|metric| metric.value(&none, &shape).is_none()));
        let deliveries =
            Deliveries { cpu_user: 1.0, cpu_system: 4.0, delay: vec![(50.0, 7.0)], ..Deliveries::default() };
        let sample = Sample { deliveries: Some(deliveries), ..Sample::default() };
        let values = |sample: &Sample| of_pushes.map(|metric| metric.value(sample, &shape));
        let known = |value: f64| Some(Value::Logarithm(value.ln()));
        assert_eq!(values(&sample), [known(5.0), known(7.0), None]);
        let late = Sample { overloaded: true, ..sample };
        assert_eq!(values(&late), [known(5.0), Some(Value::Overloaded), Some(Value::Overloaded)]);
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
            let of_delay = matches!(metric, Metric::MedianDelay | Metric::TailDelay);
            assert!(metric.is_doubted_by(steal));
            assert_eq!(metric.is_doubted_by(busy), of_latency || of_delay || metric == Metric::Throughput);
            assert_eq!(metric.is_doubted_by(lag), of_latency);
        }
    }
}
