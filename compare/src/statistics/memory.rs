//! The memory that an idle connection adds.

use super::rounds::{Reading, Value};
use crate::{Comparison, MemorySample};

/// The bytes that an idle connection of a subject adds, and those that it uses without any: the line of the least
/// squares through all passes. `None` without two counts of connections.
pub fn per_connection(comparison: &Comparison, subject: usize) -> Option<(f64, f64)> {
    line(comparison.memory.iter().filter(|sample| sample.subject == subject))
}

/// The same of each pass, where it is above zero.
pub(super) fn readings(comparison: &Comparison, subject: usize) -> Vec<Reading> {
    let of_it = |sample: &&MemorySample| sample.subject == subject;
    let mut passes: Vec<usize> = comparison.memory.iter().filter(of_it).map(|sample| sample.pass).collect();
    passes.sort_unstable();
    passes.dedup();
    let reading = |pass: usize| {
        let samples = || comparison.memory.iter().filter(of_it).filter(|sample| sample.pass == pass);
        let (slope, _) = line(samples()).filter(|(slope, _)| *slope > 0.0)?;
        let flagged = samples().any(|sample| !sample.flags.is_empty());
        Some(Reading { round: pass, value: Value::Logarithm(slope.ln()), flagged })
    };
    passes.into_iter().filter_map(reading).collect()
}

fn line<'a>(samples: impl Iterator<Item = &'a MemorySample>) -> Option<(f64, f64)> {
    let points: Vec<_> = samples.map(|sample| (sample.connections as f64, sample.bytes as f64)).collect();
    let count = points.len() as f64;
    let mean_x = points.iter().map(|point| point.0).sum::<f64>() / count;
    let mean_y = points.iter().map(|point| point.1).sum::<f64>() / count;
    let square: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    let product: f64 = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    (square > 0.0).then(|| (product / square, mean_y - product / square * mean_x))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slope_is_that_of_the_line() {
        let sample =
            |pass, connections, bytes| MemorySample { pass, connections, bytes, ..MemorySample::default() };
        let mut comparison =
            Comparison { memory: vec![sample(0, 0, 1000), sample(0, 10, 3000)], ..Comparison::default() };
        assert_eq!(per_connection(&comparison, 0), Some((200.0, 1000.0)));
        assert_eq!(per_connection(&comparison, 1), None);
        comparison.memory.extend([sample(1, 0, 1000), sample(1, 10, 5000), sample(2, 10, 5000)]);
        let passes = readings(&comparison, 0);
        assert_eq!(passes.len(), 2, "one point has no slope");
        assert_eq!(passes[1], Reading { round: 1, value: Value::Logarithm(400_f64.ln()), flagged: false });
        comparison.memory[2].flags.push("it was still growing".to_owned());
        let flagged = readings(&comparison, 0).iter().map(|reading| reading.flagged).collect::<Vec<_>>();
        assert_eq!(flagged, [false, true]);
    }
}
