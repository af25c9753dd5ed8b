//! The normal distribution, by the approximations of Abramowitz and Stegun.

/// The probability of a value above this (26.2.17: off by at most 0.000 000 1).
pub(super) fn above(value: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * value.abs());
    let factors = [0.319_381_530, -0.356_563_782, 1.781_477_937, -1.821_255_978, 1.330_274_429];
    let sum = factors.iter().rev().fold(0.0, |sum, factor| (sum + factor) * t);
    let tail = sum * (-value * value / 2.0).exp() / std::f64::consts::TAU.sqrt();
    if value >= 0.0 { tail } else { 1.0 - tail }
}

/// Above which value such a part of the values lies, at most a half (26.2.23: off by at most 0.000 5).
pub(super) fn quantile_above(part: f64) -> f64 {
    let t = (-2.0 * part.ln()).sqrt();
    let over = 2.515_517 + 0.802_853 * t + 0.010_328 * t * t;
    let under = 1.0 + 1.432_788 * t + 0.189_269 * t * t + 0.001_308 * t * t * t;
    t - over / under
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_values_are_the_tables() {
        for (value, part) in [(0.0, 0.5), (1.0, 0.158_655), (1.959_964, 0.025), (3.0, 0.001_350)] {
            assert!((above(value) - part).abs() < 1e-6, "{value}");
            assert!((above(-value) - (1.0 - part)).abs() < 1e-6, "{value}");
            assert!((quantile_above(part) - value).abs() < 1e-3, "{part}");
        }
    }
}
