//! A distribution of times, without loss: what a histogram holds, as plain data.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// A distribution of times. It can be merged with others without loss, as histograms can.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Distribution {
    /// How many values there are.
    pub count: u64,
    /// The mean, in microseconds.
    pub mean: f64,
    /// The largest value, in microseconds.
    pub max: f64,
    /// The percentiles of [`PERCENTILES`], in microseconds; in JSON `{"p50": 113.0, …}`.
    #[serde(with = "named")]
    pub percentiles: Vec<(f64, f64)>,
    /// Every value that occurs, in nanoseconds to three digits, and how often: enough to make the histogram
    /// again.
    pub values: Vec<(u64, u64)>,
}

/// The percentiles that are shown.
pub const PERCENTILES: [f64; 5] = [50.0, 90.0, 99.0, 99.9, 99.99];

/// The longest time that is told from longer ones, in nanoseconds: a minute.
const LONGEST: u64 = 60_000_000_000;

/// A histogram of nanoseconds, to three digits. All that a run needs is allocated here.
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
    /// What a histogram of nanoseconds holds.
    pub fn of(histogram: &Histogram<u64>) -> Self {
        let microseconds = |nanoseconds: u64| nanoseconds as f64 / 1e3;
        let percentile = |percentile| (percentile, microseconds(histogram.value_at_percentile(percentile)));
        let recorded = histogram.iter_recorded();
        Self {
            count: histogram.len(),
            mean: histogram.mean() / 1e3,
            max: microseconds(histogram.max()),
            percentiles: PERCENTILES.into_iter().map(percentile).collect(),
            values: recorded.map(|step| (step.value_iterated_to(), step.count_at_value())).collect(),
        }
    }

    /// The histogram again.
    pub fn histogram(&self) -> Histogram<u64> {
        let mut histogram = histogram();
        for &(value, count) in &self.values {
            histogram.saturating_record_n(value, count);
        }
        histogram
    }

    /// The value at a percentile, in microseconds; zero if there are no values.
    pub fn percentile(&self, percentile: f64) -> f64 {
        let wanted = (percentile / 100.0 * self.count as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        for &(value, count) in &self.values {
            seen += count;
            if seen >= wanted {
                return value as f64 / 1e3;
            }
        }
        0.0
    }

    /// All of several.
    pub fn merged<'a>(distributions: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut all = histogram();
        for distribution in distributions {
            all.add(distribution.histogram()).expect("all histograms have the same bounds");
        }
        Self::of(&all)
    }
}
