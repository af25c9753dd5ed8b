//! The centre of a few numbers, one from each round, and how sure it is.

use fastrand::Rng;

/// How sure an interval is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confidence {
    /// It misses in 5 of 100.
    P95,
    /// It misses in 1 of 100.
    P99,
}

/// Where an interval comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// From resampled rounds.
    Bootstrap,
    /// From Student's t, because there are too few rounds to resample.
    Student,
}

/// Between which values something lies, as ratios or in the metric's unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// The centre of values that were given as logarithms, as a plain number, and how sure it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The median of the pairwise means, taken of logarithms.
    pub median: f64,
    /// Where it lies; `None` if there is only one round.
    pub interval: Option<Interval>,
    /// Where the interval comes from.
    pub method: Method,
    /// How many rounds there are.
    pub rounds: usize,
    /// The standard deviation of the logarithms between rounds: 0.08 is 8 %.
    pub spread: f64,
}

/// How often the rounds are resampled.
pub const DRAWS: usize = 10_000;

/// With fewer rounds than this a bootstrap interval is too narrow, and Student's t is used.
pub const ENOUGH_TO_RESAMPLE: usize = 10;

/// Student's t for 1, 2 … degrees of freedom, two-sided.
const STUDENT_95: [f64; 8] = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306];
const STUDENT_99: [f64; 8] = [63.657, 9.925, 5.841, 4.604, 4.032, 3.707, 3.499, 3.355];

impl Interval {
    /// Whether a value lies in it.
    pub fn contains(self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }

    /// Half its width as a ratio: 0.06 if it reaches 6 % to each side.
    pub fn half_width(self) -> f64 {
        if self.low > 0.0 { (self.high / self.low).sqrt() - 1.0 } else { f64::INFINITY }
    }

    /// How far from 1 its farther end is, as a ratio.
    pub fn reach(self) -> f64 {
        (self.high - 1.0).max(if self.low > 0.0 { 1.0 / self.low - 1.0 } else { f64::INFINITY })
    }
}

impl Estimate {
    /// From one logarithm of each round; `None` without any. The same values and seed give the same estimate.
    pub fn of(logarithms: &[f64], confidence: Confidence, seed: u64) -> Option<Self> {
        Self::with_draws(logarithms, confidence, seed, DRAWS)
    }

    /// The same with another number of draws.
    pub fn with_draws(logarithms: &[f64], confidence: Confidence, seed: u64, draws: usize) -> Option<Self> {
        let rounds = logarithms.len();
        if rounds == 0 || logarithms.iter().any(|value| !value.is_finite()) {
            return None;
        }
        let means = PairwiseMeans::of(logarithms);
        let centre = means.median(&vec![1; rounds]);
        let method = if rounds < ENOUGH_TO_RESAMPLE { Method::Student } else { Method::Bootstrap };
        let interval = (rounds > 1).then(|| {
            let (low, high) = match method {
                Method::Student => student(logarithms, confidence),
                Method::Bootstrap => means.bootstrap(centre, confidence, seed, draws),
            };
            // Student's is around the mean, which a wild round may draw away from the median.
            Interval { low: low.min(centre).exp(), high: high.max(centre).exp() }
        });
        let spread = deviation(logarithms);
        Some(Self { median: centre.exp(), interval, method, rounds, spread })
    }
}

/// The standard deviation.
fn deviation(values: &[f64]) -> f64 {
    if values.len() < 2 {
        return 0.0;
    }
    let mean = mean(values);
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (squares / (values.len() - 1) as f64).sqrt()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The interval of the mean by Student's t, for 2 to 9 values.
fn student(values: &[f64], confidence: Confidence) -> (f64, f64) {
    let table = match confidence {
        Confidence::P95 => STUDENT_95,
        Confidence::P99 => STUDENT_99,
    };
    let half = table[(values.len() - 2).min(7)] * deviation(values) / (values.len() as f64).sqrt();
    (mean(values) - half, mean(values) + half)
}

/// The mean of each pair of rounds, a round with itself included, in ascending order. A resample changes only
/// how often each occurs, so that its median is found without sorting again.
struct PairwiseMeans {
    rounds: usize,
    ascending: Vec<(f64, usize, usize)>,
}

impl PairwiseMeans {
    fn of(values: &[f64]) -> Self {
        let rounds = values.len();
        let pairs = (0..rounds).flat_map(|first| (first..rounds).map(move |second| (first, second)));
        let mut ascending: Vec<_> = pairs
            .map(|(first, second)| (f64::midpoint(values[first], values[second]), first, second))
            .collect();
        ascending.sort_by(|one, other| one.0.total_cmp(&other.0));
        Self { rounds, ascending }
    }

    /// The median, where each round occurs so often.
    fn median(&self, counts: &[usize]) -> f64 {
        let all = self.rounds * (self.rounds + 1) / 2;
        let mut seen = 0;
        let mut lower = None;
        for &(value, first, second) in &self.ascending {
            let count = counts[first];
            seen += if first == second { count * (count + 1) / 2 } else { count * counts[second] };
            // With an even number the median is the mean of the two in the middle.
            if lower.is_none() && 2 * seen >= all {
                lower = Some(value);
            }
            if 2 * seen > all {
                return f64::midpoint(lower.unwrap_or(value), value);
            }
        }
        lower.unwrap_or(f64::NAN)
    }

    /// The interval between the percentiles of the medians of resampled rounds. A resample varies less than the
    /// rounds do, by (n − 1) / n, so the interval is widened by the root of its inverse.
    fn bootstrap(&self, centre: f64, confidence: Confidence, seed: u64, draws: usize) -> (f64, f64) {
        let mut random = Rng::with_seed(seed);
        let mut counts = vec![0; self.rounds];
        let mut medians: Vec<f64> = (0..draws.max(1))
            .map(|_| {
                counts.fill(0);
                for _ in 0..self.rounds {
                    counts[random.usize(..self.rounds)] += 1;
                }
                self.median(&counts)
            })
            .collect();
        medians.sort_by(f64::total_cmp);
        let tail = match confidence {
            Confidence::P95 => 0.025,
            Confidence::P99 => 0.005,
        };
        let last = medians.len() - 1;
        let below = (tail * medians.len() as f64) as usize;
        let (low, high) = (medians[below.min(last)], medians[last - below.min(last)]);
        let widening = (self.rounds as f64 / (self.rounds as f64 - 1.0)).sqrt();
        (centre + (low - centre) * widening, centre + (high - centre) * widening)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_centre_is_the_median_of_pairwise_means() {
        // 1, 2, 9: the pairwise means are 1, 1.5, 2, 5, 5.5, 9.
        let estimate = Estimate::of(&[1.0, 2.0, 9.0], Confidence::P95, 1).unwrap();
        assert!((estimate.median.ln() - 3.5).abs() < 1e-12);
        assert_eq!(estimate.method, Method::Student);
    }

    #[test]
    fn a_wild_round_moves_little() {
        let mut values: Vec<f64> = (0..15).map(|n| f64::from(n - 7) / 100.0).collect();
        values[14] = 5.0;
        let estimate = Estimate::of(&values, Confidence::P95, 1).unwrap();
        assert!(estimate.median < 1.02, "{estimate:?}");
        assert_eq!(estimate.method, Method::Bootstrap);
    }

    #[test]
    fn few_rounds_are_no_reason_to_fail() {
        assert_eq!(Estimate::of(&[], Confidence::P95, 1), None);
        assert_eq!(Estimate::of(&[f64::NAN, 1.0], Confidence::P95, 1), None);
        let one = Estimate::of(&[0.5], Confidence::P95, 1).unwrap();
        assert_eq!((one.interval, one.rounds, one.spread), (None, 1, 0.0));
        let two = Estimate::of(&[0.0, 0.02], Confidence::P95, 1).unwrap();
        assert!(two.interval.unwrap().half_width() > 0.1, "two rounds say next to nothing: {two:?}");
    }

    #[test]
    fn students_interval_is_the_textbooks() {
        // Mean 3, deviation 1.5811, t of 4 degrees of freedom 2.776: 3 ± 1.9629.
        let (low, high) = student(&[1.0, 2.0, 3.0, 4.0, 5.0], Confidence::P95);
        assert!((low - 1.0371).abs() < 1e-3 && (high - 4.9629).abs() < 1e-3, "{low} {high}");
    }

    #[test]
    fn the_same_seed_gives_the_same_interval() {
        let values: Vec<f64> = (0..12).map(|n| f64::from(n * n % 7) / 50.0).collect();
        let estimate = |seed| Estimate::of(&values, Confidence::P99, seed);
        assert_eq!(estimate(7), estimate(7));
        assert!(estimate(7).unwrap().interval.unwrap().contains(estimate(8).unwrap().median));
    }

    #[test]
    fn intervals_measure_themselves_as_ratios() {
        let interval = Interval { low: 0.8, high: 1.25 };
        assert!((interval.half_width() - 0.25).abs() < 1e-12);
        assert!((interval.reach() - 0.25).abs() < 1e-12);
        assert!(Interval { low: 0.0, high: 1.0 }.half_width().is_infinite());
    }
}
