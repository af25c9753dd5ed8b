//! Readings that don't come from samples: the memory that an idle connection adds, from the least squares line through
//! the counts of each pass, and the highest rate within the objective, from the probes of a
//! [`staircase`](crate::staircase).
//!
//! A probe shows only whether a rate was too high, and the next rate depends on it. So the rates of neighbouring rounds
//! are nearly the same; to treat them as independent would make the intervals far too narrow. But a probe also shows
//! the direction of the threshold: above the rate after a pass, below it after a miss. So each probe gives one reading
//! of the threshold: its rate, moved by a *gain* in that direction. With the right gain, which is the inverse of the
//! slope with which the share of passes falls near the threshold, the errors of the readings are uncorrelated (a
//! Robbins–Monro process), so that the usual statistics apply.
//!
//! The slope is estimated by the regression of the outcomes on the rates, of all subjects together, less the bias of
//! such a regression, which is too steep because each staircase is short and its own mean is subtracted (Kendall's bias
//! of an autoregression). A gain that is too large errs on the safe side, because passes and misses alternate more
//! often than by chance; one that is too small does not.
//!
//! The rates lie on a grid, so differences below one step ([`STEP`]) have no verdict.
//!
//! Simulated with servers whose threshold varies by 3 to 25 % from round to round (see `trials`): of 2 or 8 equal
//! subjects, in 13 or 25 rounds, any is called better or worse in 1 to 4 of 100 comparisons; with the plain rates in
//! place of the readings, in up to 75. Among 8 subjects a difference of 20 % is detected in 100, 81 and 22 of 100 if
//! the threshold varies by 3, 6 and 12 %, and with 25 rounds in 100, 100 and 65.

use super::rounds::{Reading, Value};
use crate::staircase::STEP;
use crate::{Comparison, MemorySample, Probe};

/// The smallest gain, in steps: if the threshold hardly varies, it is within a step of each probe.
const MIN_GAIN: f64 = 1.0;

/// The factor by which the gain is larger than estimated, for safety.
const GAIN_MARGIN: f64 = 1.1;

/// The smallest slope for each step that is used: a smaller one can't be distinguished from zero with the available
/// rounds.
const MIN_SLOPE: f64 = 0.05;

/// The readings of a subject's threshold, from the first reversal of the staircase on.
pub(super) fn probe_readings(comparison: &Comparison, subject: usize) -> Vec<Reading> {
    let gain = gain(comparison);
    let reading = |probe: &&Probe| {
        let value = match probe.generator_limited {
            true => Value::GeneratorLimited,
            false => Value::Logarithm(probe.rate.ln() + gain * outcome(probe)),
        };
        // A pass or a miss depends on latency, which every flag concerns.
        Reading { round: probe.round, value, flagged: !probe.flags.is_empty() }
    };
    from_first_reversal(comparison, subject).iter().map(reading).collect()
}

/// The rate around which a subject's probes alternate: their geometric mean. The readings give the interval; their own
/// centre may lie far beyond all rates that were probed_rate, if the outcomes hardly depend on the rate and the gain is
/// large.
pub(super) fn probed_rate(comparison: &Comparison, subject: usize) -> Option<f64> {
    let mut probes = from_first_reversal(comparison, subject);
    probes.retain(|probe| !probe.generator_limited);
    let sum: f64 = probes.iter().map(|probe| probe.rate.ln()).sum();
    (!probes.is_empty()).then(|| (sum / probes.len() as f64).exp())
}

/// A subject's probes from the first reversal on: the first whose outcome differs from that of the one before.
fn from_first_reversal(comparison: &Comparison, subject: usize) -> Vec<&Probe> {
    let of_it = |probe: &&Probe| probe.subject == subject && probe.rate > 0.0 && probe.rate.is_finite();
    let mut probes: Vec<&Probe> = comparison.probes.iter().filter(of_it).collect();
    probes.sort_by_key(|probe| probe.round);
    let turn = probes.windows(2).position(|pair| pair[0].pass != pair[1].pass);
    probes.split_off(turn.map_or(probes.len(), |place| place + 1))
}

/// By how much a probe's logarithm is moved toward the threshold.
fn gain(comparison: &Comparison) -> f64 {
    let step = STEP.ln();
    let (mut product, mut square, mut probes, mut staircases) = (0.0, 0.0, 0.0, 0.0);
    for subject in 0..comparison.subjects.len() {
        let mut its = from_first_reversal(comparison, subject);
        its.retain(|probe| !probe.generator_limited);
        if its.is_empty() {
            continue;
        }
        let mean = its.iter().map(|probe| probe.rate.ln()).sum::<f64>() / its.len() as f64;
        for probe in &its {
            let distance = (probe.rate.ln() - mean) / step;
            product -= distance * outcome(probe);
            square += distance * distance;
        }
        probes += its.len() as f64;
        staircases += 1.0;
    }
    let steepness: f64 = if square > 0.0 { product / square } else { 1.0 };
    // With the slope s for each step, the rates are an autoregression by 1 - s, whose estimate from n rounds is too low by
    // (1 + 3 (1 - s)) / n.
    let bias = if probes > 0.0 { (4.0 - 3.0 * steepness) * staircases / probes } else { 0.0 };
    step * (GAIN_MARGIN / (steepness - bias).max(MIN_SLOPE)).max(MIN_GAIN)
}

/// The direction of the threshold from a probe's rate.
fn outcome(probe: &Probe) -> f64 {
    if probe.pass { 1.0 } else { -1.0 }
}

/// The bytes that an idle connection of a subject adds, and those that it uses without any: the least squares line
/// through all passes. `None` without two counts of connections.
pub fn per_connection(comparison: &Comparison, subject: usize) -> Option<(f64, f64)> {
    line(comparison.memory.iter().filter(|sample| sample.subject == subject))
}

/// The memory that an idle connection adds in each pass in which that is above zero.
pub(super) fn memory_readings(comparison: &Comparison, subject: usize) -> Vec<Reading> {
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
    use crate::Subject;

    fn comparison(outcomes: &[bool]) -> Comparison {
        let mut probes: Vec<Probe> = Vec::new();
        for (round, &pass) in outcomes.iter().enumerate() {
            let rate = crate::staircase::next(&probes, 1000.0);
            probes.push(Probe { round, rate, pass, ..Probe::default() });
        }
        Comparison { subjects: vec![Subject::default()], probes, ..Comparison::default() }
    }

    #[test]
    fn probes_before_the_first_reversal_are_not_used() {
        let rounds = |outcomes: &[bool]| -> Vec<usize> {
            probe_readings(&comparison(outcomes), 0).iter().map(|reading| reading.round).collect()
        };
        assert_eq!(rounds(&[true, true, true, false, true, false]), [3, 4, 5]);
        assert_eq!(rounds(&[true, true, true]), [0; 0], "there is no reversal");
        assert_eq!(rounds(&[]), [0; 0]);
    }

    #[test]
    fn a_steady_threshold_lies_between_a_pass_and_a_miss() {
        // 1000 passes and 1060 misses, in turns.
        let alternating: Vec<bool> = (0..20).map(|round| round % 2 == 0).collect();
        let comparison = comparison(&alternating);
        assert!((gain(&comparison) / STEP.ln() - MIN_GAIN).abs() < 0.2, "{}", gain(&comparison));
        for reading in probe_readings(&comparison, 0) {
            let Value::Logarithm(logarithm) = reading.value else { panic!("{reading:?}") };
            assert!((990.0..1080.0).contains(&logarithm.exp()), "{reading:?}");
        }
    }

    #[test]
    fn outcomes_that_hardly_depend_on_the_rate_have_a_large_gain() {
        let mut random = fastrand::Rng::with_seed(4);
        let chance: Vec<bool> = (0..40).map(|_| random.bool()).collect();
        assert!(gain(&comparison(&chance)) > 3.0 * STEP.ln(), "{}", gain(&comparison(&chance)));
    }

    #[test]
    fn a_probe_limited_by_the_generator_has_no_value() {
        let mut comparison = comparison(&[true, false, true, false]);
        comparison.probes[3].generator_limited = true;
        let last = probe_readings(&comparison, 0).pop().unwrap();
        assert_eq!(last.value, Value::GeneratorLimited);
    }

    #[test]
    fn a_doubtful_probe_is_flagged() {
        let mut comparison = comparison(&[true, false, true, false]);
        comparison.probes[3].flags = vec!["steal 9 %".to_owned()];
        let flagged: Vec<bool> =
            probe_readings(&comparison, 0).iter().map(|reading| reading.flagged).collect();
        assert_eq!(flagged, [false, false, true]);
    }

    #[test]
    fn the_slope_is_that_of_the_line() {
        let sample =
            |pass, connections, bytes| MemorySample { pass, connections, bytes, ..MemorySample::default() };
        let mut comparison =
            Comparison { memory: vec![sample(0, 0, 1000), sample(0, 10, 3000)], ..Comparison::default() };
        assert_eq!(per_connection(&comparison, 0), Some((200.0, 1000.0)));
        assert_eq!(per_connection(&comparison, 1), None);
        comparison.memory.extend([sample(1, 0, 1000), sample(1, 10, 5000), sample(2, 10, 5000)]);
        let passes = memory_readings(&comparison, 0);
        assert_eq!(passes.len(), 2, "one point has no slope");
        assert_eq!(passes[1], Reading { round: 1, value: Value::Logarithm(400_f64.ln()), flagged: false });
        comparison.memory[2].flags.push("it was still growing".to_owned());
        let flagged =
            memory_readings(&comparison, 0).iter().map(|reading| reading.flagged).collect::<Vec<_>>();
        assert_eq!(flagged, [false, true]);
    }
}
