//! A distribution of times: the contents of a histogram as plain data, without loss.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// A distribution of times. Like histograms, distributions can be merged without loss.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Distribution {
    /// The number of values.
    pub count: u64,
    /// The mean, in microseconds.
    pub mean: f64,
    /// The largest value, in microseconds.
    pub max: f64,
    /// The [`PERCENTILES`] for which [`Self::percentile`] returns a value, in microseconds; an object in JSON.
    #[serde(with = "named")]
    pub percentiles: Vec<(f64, f64)>,
    /// All distinct values, in nanoseconds with three significant digits, and their counts: enough to rebuild the
    /// histogram.
    pub values: Vec<(u64, u64)>,
}

/// The percentiles that are shown.
pub const PERCENTILES: &[f64] = &[50.0, 90.0, 95.0, 99.0, 99.9, 99.99];

/// A percentile with fewer values beyond it is dominated by chance, and not reported.
pub const MIN_BEYOND: u64 = 10;

/// The largest time that the histogram distinguishes, in nanoseconds: a minute.
const LONGEST: u64 = 60_000_000_000;

/// A histogram of nanoseconds with three significant digits. All memory for a run is allocated here.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST, 3).expect("the bounds are constants that hdrhistogram takes")
}

/// Percentiles by their names: `p50`, `p99.9`.
mod named {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};
    use serde_json::Map;

    pub(super) fn serialize<S: Serializer>(
        percentiles: &[(f64, f64)],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer
            .collect_map(percentiles.iter().map(|(percentile, value)| (format!("p{percentile}"), value)))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<(f64, f64)>, D::Error> {
        let mut percentiles = Vec::new();
        for (name, value) in Map::deserialize(deserializer)? {
            let percentile = name.strip_prefix('p').and_then(|number| number.parse().ok());
            let pair = percentile.zip(value.as_f64());
            percentiles
                .push(pair.ok_or_else(|| Error::custom(format!("`{name}: {value}` is no percentile")))?);
        }
        percentiles.sort_by(|(one, _), (other, _): &(f64, f64)| one.total_cmp(other));
        Ok(percentiles)
    }
}

impl Distribution {
    /// The distribution in a histogram of nanoseconds.
    pub fn of(histogram: &Histogram<u64>) -> Self {
        let values =
            histogram.iter_recorded().map(|step| (step.value_iterated_to(), step.count_at_value())).collect();
        let mut distribution = Self {
            count: histogram.len(),
            mean: histogram.mean() / 1e3,
            max: microseconds(histogram.max()),
            percentiles: Vec::new(),
            values,
        };
        let told = |percentile| Some((percentile, distribution.percentile(percentile)?));
        distribution.percentiles = PERCENTILES.iter().copied().filter_map(told).collect();
        distribution
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Rebuilds the histogram.
    pub fn histogram(&self) -> Histogram<u64> {
        let mut histogram = histogram();
        for &(value, count) in &self.values {
            histogram.saturating_record_n(value, count);
        }
        histogram
    }

    /// The value at a percentile, in microseconds; `None` if fewer than [`MIN_BEYOND`] values are beyond it, so that
    /// it would differ in the next run.
    pub fn percentile(&self, percentile: f64) -> Option<f64> {
        let beyond = self.count.saturating_sub(place(percentile, self.count));
        (beyond >= MIN_BEYOND).then(|| self.value_at(percentile))
    }

    /// The value at a percentile, in microseconds, however few values there are; zero if there are none.
    pub fn value_at(&self, percentile: f64) -> f64 {
        self.at_place(place(percentile, self.count)).unwrap_or(0.0)
    }

    /// The value of this rank, from 1, in ascending order, in microseconds.
    pub(crate) fn at_place(&self, place: u64) -> Option<f64> {
        let mut seen = 0_u64;
        let reaches = |&&(_, count): &&(u64, u64)| {
            seen = seen.saturating_add(count);
            seen >= place
        };
        self.values.iter().find(reaches).map(|&(value, _)| microseconds(value))
    }

    /// The number of values above a limit in microseconds.
    pub(crate) fn above(&self, limit: f64) -> u64 {
        let above = self.values.iter().filter(|&&(value, _)| microseconds(value) > limit);
        above.map(|&(_, count)| count).sum()
    }

    /// Merges several distributions.
    pub fn merged<'a>(distributions: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut all = histogram();
        for distribution in distributions {
            all.add(distribution.histogram()).expect("all histograms have the same bounds");
        }
        Self::of(&all)
    }
}

/// The rank, from 1, of a percentile among `count` values.
pub(crate) fn place(percentile: f64, count: u64) -> u64 {
    // Slightly reduced, so that 990.0000001 is the 990th.
    ((percentile * count as f64 / 100.0 - 1e-6).ceil() as u64).max(1)
}

fn microseconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::times;

    #[test]
    fn a_percentile_needs_at_least_ten_values_beyond_it() {
        for (count, percentile, told) in [
            (19, 50.0, false),
            (20, 50.0, true),
            (999, 99.0, false),
            (1000, 99.0, true),
            (99_999, 99.99, false),
            (100_000, 99.99, true),
            (0, 50.0, false),
        ] {
            let distribution = times(&[(100.0, count)]);
            assert_eq!(
                distribution.percentile(percentile),
                told.then_some(100.0),
                "p{percentile} of {count}"
            );
        }
        assert_eq!(times(&[(100.0, 3)]).value_at(99.0), 100.0, "however few there are");
    }

    #[test]
    fn only_percentiles_with_enough_values_are_stored() {
        let mut histogram = histogram();
        histogram.saturating_record_n(100_000, 200);
        let kept = Distribution::of(&histogram).percentiles;
        let ranks: Vec<_> = kept.into_iter().map(|(percentile, _)| percentile).collect();
        assert_eq!(ranks, [50.0, 90.0, 95.0]);
    }
}
