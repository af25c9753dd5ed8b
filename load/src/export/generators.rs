//! The generators of a merged measurement as a table for a terminal.

use std::fmt::Write;

use super::table::{thousands, time};
use crate::measurement::{Generator, Measurement};

/// The widest name of a generator; of a longer one the end is shown.
const WIDEST: usize = 36;

/// A row for each generator of a merged measurement, and one for what all have measured together. Below are the doubts about
/// each.
pub fn generators(merged: &Measurement) -> String {
    let named = |generator: &Generator| (shortened(&generator.name), generator.clone());
    let each: Vec<_> = merged.generators.iter().map(named).collect();
    let width = each.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0).max("generator".len());
    let mut text = format!(
        "{:<width$}{:>13}{:>14}{:>15}{:>8}{:>12}\n",
        "generator", "offered /s", "achieved /s", "late p99, µs", "CPU", "p99, µs"
    );
    let all = named(&Generator::of("all", merged));
    for (name, row) in each.iter().chain([&all]) {
        let shown = |value: Option<f64>, show: fn(f64) -> String| value.map_or("-".to_owned(), show);
        let _ = writeln!(
            text,
            "{name:<width$}{:>13}{:>14}{:>15}{:>6.0} %{:>12}",
            shown(row.offered_rate, thousands),
            thousands(row.achieved_rate),
            shown(row.send_lag_p99, time),
            row.busy * 100.0,
            shown(row.latency_p99, time)
        );
    }
    for (name, row) in &each {
        let flags = row.flags.join(", ");
        if row.limited {
            let _ = writeln!(text, "DOUBTFUL {name} was the bottleneck, not the server: {flags}");
        } else if !flags.is_empty() {
            let _ = writeln!(text, "DOUBTFUL {name}: {flags}");
        }
    }
    text
}

fn shortened(name: &str) -> String {
    let count = name.chars().count();
    if count <= WIDEST {
        return name.to_owned();
    }
    format!("…{}", name.chars().skip(count - WIDEST + 1).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::measurement;

    /// A merged measurement of these.
    fn merged(names: &[String], all: &[Measurement]) -> Measurement {
        let generators = names.iter().zip(all).map(|(name, one)| Generator::of(name, one)).collect();
        Measurement { generators, ..Measurement::merged(all).unwrap() }
    }

    #[test]
    fn each_generator_has_a_row_and_its_doubts() {
        let busy = Measurement {
            generator_busy: 0.97,
            achieved_rate: 700.0,
            generator_limited: true,
            ..measurement()
        };
        let late = Measurement { send_lag: measurement().latency, ..measurement() };
        let all = [measurement(), busy, late];
        let names =
            ["shard 1/3", "shard 2/3", &format!("{}/three.json", "folder/".repeat(9))].map(str::to_owned);
        let text = generators(&merged(&names, &all));
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
        let rows: Vec<Vec<_>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(rows[1][2..], ["1", "000", "1", "000", "5.0", "30", "%", "100.0"], "{text}");
        assert_eq!(rows[2][2..], ["1", "000", "700", "5.0", "97", "%", "-"], "{text}");
        assert!(rows[3][0].starts_with('…') && rows[3][0].ends_with("r//three.json"), "{text}");
        assert_eq!(rows[4][..5], ["all", "3", "000", "2", "700"], "{text}");
        assert!(
            text.contains("DOUBTFUL shard 2/3 was the bottleneck, not the server: generator busy 97 %\n"),
            "{text}"
        );
        assert!(text.contains("three.json: send lag 100 µs of a p99 of 100 µs\n"), "{text}");
        assert_eq!(rows.len(), 7, "{text}");
    }

    #[test]
    fn closed_loops_have_neither_an_offered_rate_nor_a_schedule() {
        let closed = Measurement { offered_rate: None, in_flight_limit: 0, ..measurement() };
        let text = generators(&merged(&["a".to_owned()], &[closed]));
        let row: Vec<_> = text.lines().nth(1).unwrap().split_whitespace().collect();
        assert_eq!(row, ["a", "-", "1", "000", "-", "30", "%", "100.0"], "{text}");
    }
}
