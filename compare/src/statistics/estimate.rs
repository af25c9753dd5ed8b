//! The centre of a few numbers, one from each round, and how sure it is.

use serde::Serialize;

/// Between which values something lies, as ratios or in the unit of what was measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// The centre of values that were given as logarithms, as a plain number, and how sure it is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// The median of the Walsh averages, that is of the means of all pairs of rounds, taken of logarithms (Hodges
    /// and Lehmann's estimate).
    pub median: f64,
    /// Where it lies; `None` if there is only one round.
    pub interval: Option<Interval>,
    /// In which share of comparisons such an interval holds the truth: about 0.95, less with fewer than six rounds.
    pub confidence: f64,
    /// How many rounds there are.
    pub rounds: usize,
    /// The standard deviation of the logarithms between rounds: 0.08 is 8 %.
    pub spread: f64,
}

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
    /// From one logarithm of each round; `None` without any, or if one is not finite.
    pub fn of(logarithms: &[f64]) -> Option<Self> {
        let rounds = logarithms.len();
        if rounds == 0 || !logarithms.iter().all(|value| value.is_finite()) {
            return None;
        }
        let mut walsh: Vec<f64> = (0..rounds)
            .flat_map(|one| (one..rounds).map(move |other| f64::midpoint(logarithms[one], logarithms[other])))
            .collect();
        walsh.sort_unstable_by(f64::total_cmp);
        let middle = walsh.len() / 2;
        let median = if walsh.len() % 2 == 1 {
            walsh[middle]
        } else {
            f64::midpoint(walsh[middle - 1], walsh[middle])
        };
        let mean = logarithms.iter().sum::<f64>() / rounds as f64;
        let squares: f64 = logarithms.iter().map(|value| (value - mean).powi(2)).sum();
        let spread = if rounds > 1 { (squares / (rounds - 1) as f64).sqrt() } else { 0.0 };
        let interval = (rounds > 1).then(|| {
            let wide = (walsh.len() as f64 / 4.0
                - 1.96 * (rounds as f64 * (rounds + 1) as f64 * (2 * rounds + 1) as f64 / 24.0).sqrt())
            .max(0.0);
            let outside = wide as usize;
            Interval { low: walsh[outside].exp(), high: walsh[walsh.len() - 1 - outside].exp() }
        });
        let confidence = 1.0 - 2.0 / 2_f64.powi(rounds as i32);
        Some(Self { median: median.exp(), interval, confidence: confidence.min(0.95), rounds, spread })
    }
}
