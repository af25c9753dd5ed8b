//! The highest rate within the objective, from the probes of a [`staircase`](crate::staircase).
//!
//! A probe says only whether a rate was too high, and where the next one is depends on it, so that the rates of
//! neighbouring rounds are nearly the same: whoever takes them for independent is far too sure. But a probe says more
//! than its rate: after a pass the threshold lies above it, after a fail below. So each probe gives one reading of the
//! threshold, its rate moved by a *gain* in the direction that it points to. With the gain of the Robbins-Monro process
//! (the inverse of the slope with which the share of passes falls near the threshold) what a reading is off is
//! independent of all readings before it, as that of samples is, and the same statistics serve.
//!
//! The slope is not known. It is taken from the probes of all subjects together: if the threshold hardly varied, each
//! pass would be followed by a fail. A gain that is too large errs on the safe side, because passes and fails alternate
//! more than chance would have it; so it is never below [`LEAST_GAIN`], and [`CAUTION`] is added. `trials` shows what
//! that makes of equals.

use super::rounds::{Reading, Value};
use crate::staircase::STEP;
use crate::{Comparison, Probe};

/// The least gain, in steps of the staircase.
const LEAST_GAIN: f64 = 1.0;

/// By which factor the gain is larger than the probes make it.
const CAUTION: f64 = 1.1;
const LEAST_CORRELATION: f64 = 0.02;

/// The readings of a subject's threshold, from the first probe on that turned the staircase around.
pub(super) fn readings(comparison: &Comparison, subject: usize) -> Vec<Reading> {
    let gain = gain(comparison);
    let reading = |probe: &Probe| {
        let towards = if probe.pass { gain } else { -gain };
        let value = match probe.generator_limited {
            true => Value::GeneratorLimited,
            false => Value::Logarithm(probe.rate.ln() + towards),
        };
        Reading { round: probe.round, value, flagged: false }
    };
    turned(comparison, subject).iter().map(|probe| reading(probe)).collect()
}

/// A subject's probes from the first on whose outcome is another than that of the one before.
fn turned(comparison: &Comparison, subject: usize) -> Vec<&Probe> {
    let of_it = |probe: &&Probe| probe.subject == subject && probe.rate > 0.0 && probe.rate.is_finite();
    let mut probes: Vec<&Probe> = comparison.probes.iter().filter(of_it).collect();
    probes.sort_by_key(|probe| probe.round);
    let turn = probes.windows(2).position(|pair| pair[0].pass != pair[1].pass);
    probes.split_off(turn.map_or(probes.len(), |place| place + 1))
}

/// By how much a probe's logarithm is moved to where the threshold is.
fn gain(comparison: &Comparison) -> f64 {
    let step = STEP.ln();
    // Least squares of the outcome (1 or -1) on the distance from the mean rate of its subject.
    let (mut product, mut square, mut count, mut staircases) = (0.0, 0.0, 0.0, 0.0_f64);
    for subject in 0..comparison.subjects.len() {
        let probes = turned(comparison, subject);
        let mean = probes.iter().map(|probe| probe.rate.ln()).sum::<f64>() / probes.len() as f64;
        staircases += if probes.is_empty() { 0.0 } else { 1.0 };
        for probe in probes {
            let distance = probe.rate.ln() - mean;
            product -= distance * if probe.pass { 1.0 } else { -1.0 };
            square += distance * distance;
            count += 1.0;
        }
    }
    let seen = if square > 0.0 { step * product / square } else { 1.0 };
    let slope = seen - (4.0 - 3.0 * seen) * staircases / count;
    step * (CAUTION / slope.max(0.05)).max(LEAST_GAIN)
}
