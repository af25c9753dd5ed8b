//! How a run went in each second, as a table.

use std::fmt::Write;

use load::measurement::Tick;

/// A line for each second: when it begins, how many replies came, and the longest latency.
pub(super) fn timeline(ticks: &[Tick]) -> String {
    if ticks.is_empty() {
        return String::new();
    }
    let mut text = String::from("\nsecond      replies  longest, µs\n");
    for second in ticks.chunk_by(|one, other| one.at.floor() == other.at.floor()) {
        let replies: u64 = second.iter().map(|tick| tick.replies).sum();
        let longest = second.iter().map(|tick| tick.max).fold(0.0, f64::max);
        let at = second.first().map_or(0.0, |tick| tick.at.floor());
        let _ = writeln!(text, "{at:>6.0}{replies:>13}{longest:>13.1}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stall_is_seen_in_its_second() {
        let tick = |tenth: u32| Tick {
            at: f64::from(tenth) / 10.0,
            replies: if tenth == 15 { 0 } else { 10 },
            max: if tenth == 15 { 90_000.0 } else { 100.0 },
        };
        let ticks: Vec<_> = (0..25).map(tick).collect();
        assert_eq!(
            timeline(&ticks),
            "\nsecond      replies  longest, µs\n     0          100        100.0\n     1           90      90000.0\n     2           \
             50        100.0\n"
        );
        assert_eq!(timeline(&[]), "");
    }
}
