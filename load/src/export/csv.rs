//! CSV: a line of names, and a line for each measurement.

use std::fmt::Write;

use crate::histogram::PERCENTILES;
use crate::measurement::Measurement;

/// Measurements as CSV. Rates are in messages per second, times in microseconds; a percentile with too few values
/// beyond it is left empty.
pub fn csv(measurements: &[Measurement]) -> String {
    let mut text = String::from("load,seconds,connections,offered_rate,achieved_rate");
    for kind in ["latency", "service", "send_lag"] {
        for percentile in PERCENTILES {
            let _ = write!(text, ",{kind}_p{percentile}");
        }
        let _ = write!(text, ",{kind}_max");
    }
    text.push_str(
        ",dropped,unfinished,replies,refused,lost,doubled,reordered,foreign,wrong,extra,connect_failures,ended,unserved,unanswered,reconnected,resent\n",
    );
    for measurement in measurements {
        let offered = measurement.offered_rate.map_or_else(String::new, |rate| rate.to_string());
        let load = measurement.load.replace('"', "\"\"");
        let Measurement { seconds, connections, achieved_rate, .. } = measurement;
        let _ = write!(text, "\"{load}\",{seconds},{connections},{offered},{achieved_rate}");
        for distribution in [&measurement.latency, &measurement.service, &measurement.send_lag] {
            for percentile in PERCENTILES {
                let value = distribution.percentile(percentile);
                let _ = write!(text, ",{}", value.map_or_else(String::new, |value| value.to_string()));
            }
            let _ = write!(text, ",{}", distribution.max);
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
        text.push('\n');
    }
    text
}
