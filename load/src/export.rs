//! Measurements in the formats of other tools. JSON is the serialized measurement itself.

mod generators;
mod table;

use std::fmt::Write;
use std::io;
use std::time::Duration;

use hdrhistogram::serialization::V2Serializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};

pub use generators::generators;
pub use table::table;

use crate::histogram::{Distribution, PERCENTILES};
use crate::measurement::{Handshakes, HostileCounts, Measurement, Pushes};

/// Measurements as CSV: a line of names, and a line for each measurement. Rates are in messages per second, times in
/// microseconds. A percentile with too few values beyond it is left empty, and so are the values of TLS
/// and of hostile clients without these.
pub fn csv(measurements: &[Measurement]) -> String {
    let mut text = String::from("load,seconds,connections,offered_rate,achieved_rate");
    for kind in ["latency", "service", "send_lag"] {
        for &percentile in PERCENTILES {
            let _ = write!(text, ",{kind}_p{percentile}");
        }
        let _ = write!(text, ",{kind}_max");
    }
    text.push_str(
        ",dropped,unfinished,replies,refused,lost,doubled,reordered,foreign,wrong,extra,connect_failures,ended,unserved,unanswered,reconnected,resent",
    );
    text.push_str(",subscribers,delivered,missed,wrong_pushes,doubled_pushes,reordered_pushes,delivery_rate");
    for &percentile in PERCENTILES {
        let _ = write!(text, ",delay_p{percentile}");
    }
    text.push_str(",delay_max,tls_version,tls_cipher_suite,full_handshakes,resumed_handshakes");
    for kind in ["idle", "slow_reader", "slow_writer"] {
        let _ = write!(text, ",{kind}_clients,{kind}_connections,{kind}_connections_ended");
    }
    text.push('\n');
    for measurement in measurements {
        let offered = measurement.offered_rate.map_or_else(String::new, |rate| rate.to_string());
        let load = measurement.load.replace('"', "\"\"");
        let Measurement { seconds, connections, achieved_rate, .. } = measurement;
        let _ = write!(text, "\"{load}\",{seconds},{connections},{offered},{achieved_rate}");
        for distribution in [&measurement.latency, &measurement.service, &measurement.send_lag] {
            times(distribution, &mut text);
        }
        let verification = &measurement.verification;
        let failures = &measurement.failures;
        for count in [
            measurement.dropped,
            measurement.unfinished,
            verification.replies,
            verification.refused,
            verification.lost,
            verification.doubled,
            verification.reordered,
            verification.foreign,
            verification.wrong,
            verification.extra,
            failures.connect,
            failures.ended,
            failures.unserved,
            failures.unanswered,
            measurement.reconnected,
            measurement.resent,
        ] {
            let _ = write!(text, ",{count}");
        }
        let pushes = measurement.pushes.clone().unwrap_or_default();
        let Pushes { subscribers, delivered, missed, wrong, doubled, reordered, rate, .. } = pushes;
        let _ = write!(text, ",{subscribers},{delivered},{missed},{wrong},{doubled},{reordered},{rate}");
        times(&pushes.delay, &mut text);
        match &measurement.tls {
            None => text.push_str(",,,,"),
            Some(Handshakes { version, cipher_suite, full, resumed }) => {
                let _ = write!(text, ",\"{version}\",\"{cipher_suite}\",{full},{resumed}");
            }
        }
        match &measurement.hostile {
            None => text.push_str(&",".repeat(9)),
            Some(hostile) => {
                for (_, HostileCounts { clients, connections, ended }) in hostile.kinds() {
                    let _ = write!(text, ",{clients},{connections},{ended}");
                }
            }
        }
        text.push('\n');
    }
    text
}

/// The percentiles and the maximum of a distribution, each behind a comma.
fn times(distribution: &Distribution, text: &mut String) {
    for &percentile in PERCENTILES {
        let value = distribution.percentile(percentile);
        let _ = write!(text, ",{}", value.map_or_else(String::new, |value| value.to_string()));
    }
    let _ = write!(text, ",{}", distribution.max);
}

/// A distribution in HdrHistogram's format of percentiles (`.hgrm`), which its plotters read, in microseconds.
pub fn hgrm(distribution: &Distribution) -> String {
    let mut text =
        format!("{:>12} {:>14} {:>10} {:>14}\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
    let total = distribution.count.max(1);
    let mut seen = 0;
    for &(value, count) in &distribution.values {
        seen += count;
        let share = seen as f64 / total as f64;
        let value = value as f64 / 1e3;
        let _ = match seen == distribution.count {
            false => writeln!(text, "{value:12.3} {share:14.12} {seen:10} {:14.2}", 1.0 / (1.0 - share)),
            true => writeln!(text, "{value:12.3} {share:14.12} {seen:10}"),
        };
    }
    let histogram = distribution.histogram();
    let deviation = histogram.stdev() / 1e3;
    let _ = writeln!(text, "#[Mean    = {:12.3}, StdDeviation   = {deviation:12.3}]", distribution.mean);
    let _ =
        writeln!(text, "#[Max     = {:12.3}, Total count    = {:12}]", distribution.max, distribution.count);
    text
}

/// The latencies of a measurement as a histogram log (`.hlog`), as the tools of HdrHistogram read it, without loss: one
/// interval for each kind, in nanoseconds: `latency`, from the scheduled time of a message, in an open loop `service`,
/// from its sending, and with subscribers `delay`, from the sending to a delivery. The log has maxima in milliseconds.
///
/// # Errors
/// If a histogram can't be serialized, which is not known to happen.
pub fn hlog(measurement: &Measurement) -> io::Result<Vec<u8>> {
    let failed =
        |error: &dyn std::fmt::Debug| io::Error::other(format!("can't write a histogram: {error:?}"));
    let (mut text, mut serializer) = (Vec::new(), V2Serializer::new());
    let mut builder = IntervalLogWriterBuilder::new();
    let mut log = builder
        .add_comment(&measurement.load)
        .with_max_value_divisor(1e6)
        .begin_log_with(&mut text, &mut serializer)?;
    let length = Duration::try_from_secs_f64(measurement.seconds).unwrap_or_default();
    let kinds = [("latency", &measurement.latency), ("service", &measurement.service)];
    let kinds = kinds.into_iter().take(if measurement.offered_rate.is_some() { 2 } else { 1 });
    let delay = measurement.pushes.as_ref().map(|pushes| ("delay", &pushes.delay));
    for (name, distribution) in kinds.chain(delay) {
        log.write_histogram(&distribution.histogram(), Duration::ZERO, length, Tag::new(name))
            .map_err(|error| failed(&error))?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
