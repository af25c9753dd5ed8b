//! How much two runs of the same subject differ.

use serde::Serialize;

use super::estimate::Estimate;
use super::rounds::{Series, Source, control_of, ratio, runs_of, why_failed};
use crate::Comparison;
use crate::staircase::STEP;

/// How much two runs of the same subject differ, measured by running the reference twice in each round.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Noise {
    /// The ratio of the second run to the first, in each round that has both.
    pub ratios: Vec<f64>,
    /// The standard deviation of their logarithms. `spread.exp_m1()` is the typical relative difference of two single
    /// runs.
    pub spread: Option<f64>,
    /// Their centre and its interval, which should contain 1.
    pub estimate: Option<Estimate>,
    /// Only a larger relative difference between two single runs counts: half the width of that interval, and at least
    /// [`MIN_BAND`]; for the highest rate at least a step of the staircase. For a difference from the reference, which is
    /// the mean of two runs, it is [`Column::band`](super::Column::band).
    pub band: f64,
    /// Whether the interval does not contain 1, so that the two runs differ significantly although the server is the
    /// same. Then the band extends to the farther end of the interval.
    pub excludes_one: bool,
}

/// A difference below 3 % never counts: the layout of the code in memory alone can cause one.
pub const MIN_BAND: f64 = 0.03;

impl Default for Noise {
    fn default() -> Self {
        Self { ratios: Vec::new(), spread: None, estimate: None, band: MIN_BAND, excludes_one: false }
    }
}

impl Noise {
    /// The noise from the first control that ran together with its subject.
    pub(super) fn of(comparison: &Comparison, source: Source) -> Self {
        let noise = Self::among(comparison, |control, subject| ratio(comparison, source, control, subject));
        Self { band: noise.band.max(min_band(source)), ..noise }
    }

    /// The same, where a function makes the series of a control divided by its subject.
    pub(super) fn among(comparison: &Comparison, ratio: impl Fn(usize, usize) -> Series) -> Self {
        let controlled = (0..comparison.subjects.len())
            .filter(|&subject| why_failed(comparison, subject).is_none())
            .filter_map(|subject| Some((control_of(comparison, subject)?, subject)));
        let against_itself = controlled.map(|(control, subject)| ratio(control, subject));
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
            noise.band = band.max(MIN_BAND);
        }
        noise
    }

    /// The band for the ratio of one subject to another. The noise is that of the ratio of two single runs; a mean of
    /// two runs varies less, so its band is narrower, but at least `min_band`. If the two runs differ significantly,
    /// averaging doesn't help and the band stays.
    pub(super) fn band_between(
        &self,
        comparison: &Comparison,
        subject: usize,
        against: usize,
        min_band: f64,
    ) -> f64 {
        let runs = |of, except| runs_of(comparison, of, except).len() as f64;
        let variance = (1.0 / runs(subject, against) + 1.0 / runs(against, subject)) / 2.0;
        if self.excludes_one { self.band } else { (self.band * variance.sqrt()).max(min_band) }
    }
}

/// The smallest difference that counts, however small the noise.
pub(super) fn min_band(source: Source) -> f64 {
    if source == Source::Probes { STEP - 1.0 } else { MIN_BAND }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_band_is_half_the_interval() {
        let noise = Noise::from(&[0.1, -0.1, 0.05, -0.05, 0.02, -0.02, 0.0]);
        assert!(!noise.excludes_one && noise.band > 0.05 && noise.band < 0.10, "{noise:?}");
        assert!(noise.spread.is_some_and(|spread| spread > 0.06 && spread < 0.08));
        assert_eq!(Noise::from(&[0.001; 9]).band, MIN_BAND);
        assert_eq!(Noise::from(&[]), Noise::default());
        assert_eq!(Noise::from(&[0.3]).band, MIN_BAND, "one round has no width");
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
        assert_eq!(noise.band_between(&comparison, 2, 3, MIN_BAND), 0.1);
        assert!((noise.band_between(&comparison, 2, 0, MIN_BAND) - 0.1 * 0.75_f64.sqrt()).abs() < 1e-12);
        let biased = Noise { excludes_one: true, ..noise };
        assert_eq!(biased.band_between(&comparison, 2, 0, MIN_BAND), 0.1);
    }
}
