//! Which rate is tried next to find the highest rate at which a server keeps an objective.
//!
//! A staircase: after a rate at which the objective was kept the next one is 6 % higher, after one at which it was
//! missed 6 % lower. So each subject needs one probe in each round, and the probes gather around the rate at which
//! half of them pass, which is what [`statistics`](crate::statistics) estimates. It begins at the rate that a coarse
//! search has found, or anywhere: a step in the wrong direction costs a round, and no more.

use crate::Probe;

/// By which factor the rate rises after a pass and falls after a fail.
pub const STEP: f64 = 1.06;

/// The rate of a subject's next probe, from its probes so far in the order of the rounds; `begin` before the first. A
/// probe at which the generator was the limit tells nothing about the server, so its rate is lowered: what the
/// generator can't make can't be measured.
pub fn next(probes: &[Probe], begin: f64) -> f64 {
    match probes.last() {
        None => begin,
        Some(probe) if probe.pass && !probe.generator_limited => probe.rate * STEP,
        Some(probe) => probe.rate / STEP,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_rises_after_a_pass_and_falls_after_a_fail() {
        let probe =
            |pass, generator_limited| Probe { rate: 100.0, pass, generator_limited, ..Probe::default() };
        assert_eq!(next(&[], 7.0), 7.0);
        assert_eq!(next(&[probe(true, false)], 7.0), 106.0);
        assert_eq!(next(&[probe(true, false), probe(false, false)], 7.0), 100.0 / 1.06);
        assert_eq!(next(&[probe(true, true)], 7.0), 100.0 / 1.06, "the generator was the limit");
    }
}
