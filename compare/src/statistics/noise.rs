//! How much two runs of the same differ.

use serde::Serialize;

use super::estimate::Estimate;
use super::rounds::{Series, Source, control_of, ratio, runs_of, why_failed};
use crate::Comparison;
use crate::staircase::STEP;

/// How much two runs of the same subject differ, seen by running the reference twice in each round.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Noise {
    /// The ratio of the second run to the first, in each round that has both.
    pub ratios: Vec<f64>,
    /// The standard deviation of their logarithms: two single runs of the same differ by e to this power, less 1.
    pub spread: Option<f64>,
    /// Their centre, and the interval in which it lies. It should hold 1.
    pub estimate: Option<Estimate>,
    /// A difference between two single runs counts only beyond this part: half the width of that interval, and at
    /// least [`LEAST`]; for the highest rate at least a step of the staircase. What counts against the reference, which is
    /// the mean of two runs, is [`Column::band`](super::Column::band).
    pub band: f64,
    /// Whether the interval does not hold 1, so that the two runs were told from each other although they are the
    /// same. Then the band reaches to the farther end of the interval.
    pub excludes_one: bool,
}

/// A difference below 3 % is never told: the layout of the code in memory alone can make that much.
pub const LEAST: f64 = 0.03;

impl Default for Noise {
    fn default() -> Self {
        Self { ratios: Vec::new(), spread: None, estimate: None, band: LEAST, excludes_one: false }
    }
}

impl Noise {
    /// From the first control that ran with its twin.
    pub(super) fn of(comparison: &Comparison, source: Source) -> Self {
        let noise = Self::among(comparison, |control, subject| ratio(comparison, source, control, subject));
        Self { band: noise.band.max(least(source)), ..noise }
    }

    /// The same, where a function makes the series of a control over its twin.
    pub(super) fn among(comparison: &Comparison, ratio: impl Fn(usize, usize) -> Series) -> Self {
        let twins = (0..comparison.subjects.len())
            .filter(|&subject| why_failed(comparison, subject).is_none())
            .filter_map(|subject| Some((control_of(comparison, subject)?, subject)));
        let against_itself = twins.map(|(control, subject)| ratio(control, subject));
        let logarithms =
            against_itself.map(|series| series.logarithms()).find(|all| !all.is_empty()).unwrap_or_default();
        Self::from(&logarithms)
    }

    pub(super) fn from(logarithms: &[f64]) -> Self {
        let Some(estimate) = Estimate::of(logarithms) else { return Self::default() };
        let mut noise = Self {
            ratios: logarithms.iter().map(|logarithm| logarithm.exp()).collect(),
            estimate: Some(estimate),
            ..Self::default()
        };
        if let Some(interval) = estimate.interval {
            noise.spread = Some(estimate.spread);
            noise.excludes_one = !interval.contains(1.0);
            let band = if noise.excludes_one { interval.reach() } else { interval.half_width() };
            noise.band = band.max(LEAST);
        }
        noise
    }

    /// The band for the ratio of one subject to another. That of the control is of one run to one run, and a mean of
    /// two runs varies less, down to the least that counts; what makes two runs of the same differ by more than chance does not.
    pub(super) fn band_between(
        &self,
        comparison: &Comparison,
        subject: usize,
        against: usize,
        least: f64,
    ) -> f64 {
        let runs = |of, except| runs_of(comparison, of, except).len() as f64;
        let variance = (1.0 / runs(subject, against) + 1.0 / runs(against, subject)) / 2.0;
        if self.excludes_one { self.band } else { (self.band * variance.sqrt()).max(least) }
    }
}

/// The least difference that counts, however small the noise.
pub(super) fn least(source: Source) -> f64 {
    if source == Source::Probes { STEP - 1.0 } else { LEAST }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_band_is_half_the_interval() {
        let noise = Noise::from(&[0.1, -0.1, 0.05, -0.05, 0.02, -0.02, 0.0]);
        assert!(!noise.excludes_one && noise.band > 0.05 && noise.band < 0.10, "{noise:?}");
        assert!(noise.spread.is_some_and(|spread| spread > 0.06 && spread < 0.08));
        assert_eq!(Noise::from(&[0.001; 9]).band, LEAST);
        assert_eq!(Noise::from(&[]), Noise::default());
        assert_eq!(Noise::from(&[0.3]).band, LEAST, "one round has no width");
    }

    #[test]
    fn a_control_that_excludes_one_raises_the_band() {
        let noise = Noise::from(&[0.10, 0.11, 0.09, 0.10, 0.12, 0.08, 0.10]);
        assert!(noise.excludes_one && noise.band > 0.11, "{noise:?}");
        let below = Noise::from(&[-0.10, -0.11, -0.09, -0.10, -0.12, -0.08, -0.10]);
        assert!(below.excludes_one && (below.band - noise.band).abs() < 1e-9, "{below:?}");
    }

    #[test]
    fn a_mean_of_two_runs_has_a_lower_band() {
        let named = |name: &str, of: Option<&str>| crate::Subject {
            name: name.to_owned(),
            control_of: of.map(str::to_owned),
            ..crate::Subject::default()
        };
        let subjects = vec![named("a", None), named("again", Some("a")), named("b", None), named("c", None)];
        let comparison = Comparison { subjects, ..Comparison::default() };
        let noise = Noise { band: 0.1, ..Noise::default() };
        assert_eq!(noise.band_between(&comparison, 2, 3, LEAST), 0.1);
        assert!((noise.band_between(&comparison, 2, 0, LEAST) - 0.1 * 0.75_f64.sqrt()).abs() < 1e-12);
        let biased = Noise { excludes_one: true, ..noise };
        assert_eq!(biased.band_between(&comparison, 2, 0, LEAST), 0.1);
    }
}
