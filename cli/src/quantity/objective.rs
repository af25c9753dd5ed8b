//! Objectives: `p99=5ms`, `max=1.5s`.

use load::slo::Slo;

use super::Time;

/// Reads an objective, whose limit is a time as all other flags take it: `p99=5ms`, `p50=0.5ms`, `max=1m`.
pub(crate) fn objective(text: &str) -> Result<Slo, String> {
    let Some((rank, limit)) = text.split_once('=') else { return text.parse() };
    match limit.trim().parse() {
        Ok(Time(limit)) if !limit.is_zero() => {
            // The rank alone is what an objective with any limit has.
            let any: Slo = format!("{rank}=1s")
                .parse()
                .map_err(|error: String| error.replace("=1s", &text[rank.len()..]))?;
            Ok(Slo { limit, ..any })
        }
        Ok(_) => text.parse(),
        Err(error) => Err(format!("`{text}`: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use load::slo::Rank;

    use super::*;

    #[test]
    fn a_limit_is_a_time_as_everywhere() {
        for (text, rank, limit) in [
            ("p99=5ms", Rank::Percentile(99.0), Duration::from_millis(5)),
            ("p99.9=1.5ms", Rank::Percentile(99.9), Duration::from_micros(1500)),
            ("p50=500us", Rank::Percentile(50.0), Duration::from_micros(500)),
            ("max=2m", Rank::Max, Duration::from_secs(120)),
        ] {
            assert_eq!(objective(text), Ok(Slo { rank, limit }), "{text}");
            assert_eq!(objective(text).unwrap().to_string().parse(), objective(text), "as reports store it");
        }
    }

    #[test]
    fn what_is_no_objective_says_what_to_write() {
        for (text, expected) in [
            ("5ms", "write one such as p99=5ms"),
            ("p99=5", "`5` has no unit; write 5s, 5ms or 5m"),
            ("p99=soon", "`soon` is no time"),
            ("p99=0", "p99=5ms"),
            ("p101=5ms", "p99=5ms"),
            ("mean=5ms", "p99=5ms"),
            ("p99=-5ms", "is no time"),
        ] {
            let error = objective(text).unwrap_err();
            assert!(error.contains(expected) && error.contains(&format!("`{text}`")), "{error}");
        }
    }
}
