//! The plotting area of a picture: the coordinates of values, and the axes with their numbers.

use super::svg::{Anchor, Svg};

/// The plotting area of a picture.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axes {
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) top: f64,
    pub(super) bottom: f64,
    pub(super) x: Scale,
    pub(super) y: Scale,
}

impl Axes {
    pub(super) fn x(&self, value: f64) -> f64 {
        self.left + self.x.place(value) * (self.right - self.left)
    }

    pub(super) fn y(&self, value: f64) -> f64 {
        self.bottom - self.y.place(value) * (self.bottom - self.top)
    }

    pub(super) fn at(&self, x: f64, y: f64) -> (f64, f64) {
        (self.x(x), self.y(y))
    }

    /// Draws the horizontal grid lines, with their numbers.
    pub(super) fn draw_y(&self, svg: &mut Svg, number: impl Fn(f64) -> String) {
        for tick in self.y.ticks() {
            let y = self.y(tick);
            svg.line("grid", (self.left, y), (self.right, y));
            svg.text("tick", (self.left - 7.0, y + 4.0), Anchor::End, &number(tick));
        }
    }

    /// Draws the axis at the bottom, with its numbers and its name. Numbers that would overlap are left out.
    pub(super) fn draw_x(&self, svg: &mut Svg, ticks: &[f64], number: impl Fn(f64) -> String, name: &str) {
        svg.line("axis", (self.left, self.bottom), (self.right, self.bottom));
        let mut free_from = f64::NEG_INFINITY;
        for &tick in ticks {
            let (x, number) = (self.x(tick), number(tick));
            let half = number.chars().count() as f64 * 3.4 + 5.0;
            svg.line("axis", (x, self.bottom), (x, self.bottom + 4.0));
            if x - half >= free_from {
                svg.text("tick", (x, self.bottom + 17.0), Anchor::Middle, &number);
                free_from = x + half;
            }
        }
        if !name.is_empty() {
            svg.text(
                "name",
                (f64::midpoint(self.left, self.right), self.bottom + 35.0),
                Anchor::Middle,
                name,
            );
        }
    }
}

/// An axis from a low to a high value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scale {
    low: f64,
    high: f64,
    logarithmic: bool,
}

impl Scale {
    /// A linear axis from zero, so that lengths can be compared.
    pub(super) fn from_zero(values: impl IntoIterator<Item = f64>) -> Self {
        let most = finite(values).fold(0.0, f64::max);
        let step = step(most, 5);
        let high = if most > 0.0 { (most / step).ceil() * step } else { 1.0 };
        Self { low: 0.0, high, logarithmic: false }
    }

    /// A linear axis over exactly this range.
    pub(super) fn over(low: f64, high: f64) -> Self {
        Self { low, high: if high > low { high } else { low + 1.0 }, logarithmic: false }
    }

    /// A logarithmic axis over all positive values, widened to the next 1, 2 or 5.
    pub(super) fn logarithmic(values: impl IntoIterator<Item = f64>) -> Self {
        let (mut low, mut high) = (f64::INFINITY, 0.0_f64);
        for value in finite(values).filter(|value| *value > 0.0) {
            (low, high) = (low.min(value), high.max(value));
        }
        if high == 0.0 {
            (low, high) = (1.0, 10.0);
        }
        let (below, above) = (below(low), above(high));
        Self { low: below, high: if above > below { above } else { below * 10.0 }, logarithmic: true }
    }

    /// A logarithmic axis over exactly this range, which must be positive.
    pub(super) fn logarithmic_over(low: f64, high: f64) -> Self {
        Self { low, high: if high > low { high } else { low * 10.0 }, logarithmic: true }
    }

    /// The lowest and the highest value.
    pub(super) fn ends(&self) -> [f64; 2] {
        [self.low, self.high]
    }

    /// The position of a value: 0 is the low end, 1 the high one. Values beyond an end are placed at that end.
    pub(super) fn place(&self, value: f64) -> f64 {
        let place = if self.logarithmic {
            (value.max(f64::MIN_POSITIVE) / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        if place.is_finite() { place.clamp(0.0, 1.0) } else { 0.0 }
    }

    /// The values at which the axis has numbers: at most about eight of 1, 2 and 5 times a power of ten.
    pub(super) fn ticks(&self) -> Vec<f64> {
        if !self.logarithmic {
            let step = step(self.high - self.low, 5);
            let first = (self.low / step).ceil();
            let count = ((self.high / step).floor() - first) as usize + 1;
            return (0..count.min(20)).map(|n| (first + n as f64) * step).collect();
        }
        let decades = (self.high / self.low).log10();
        let within = |multiples: &[f64]| -> Vec<f64> {
            let (first, last) = (self.low.log10().floor() as i32, self.high.log10().ceil() as i32);
            let all =
                (first..=last).flat_map(|power| multiples.iter().map(move |of| of * 10_f64.powi(power)));
            all.filter(|value| *value >= self.low * 0.999 && *value <= self.high * 1.001).collect()
        };
        if decades <= 3.0 { within(&[1.0, 2.0, 5.0]) } else { within(&[1.0]) }
    }
}

fn finite(values: impl IntoIterator<Item = f64>) -> impl Iterator<Item = f64> {
    values.into_iter().filter(|value| value.is_finite())
}

/// The step of 1, 2 or 5 times a power of ten that divides a length into about `about` parts.
fn step(length: f64, about: usize) -> f64 {
    if length <= 0.0 {
        return 1.0;
    }
    above(length / about as f64 * 0.75)
}

/// The next 1, 2 or 5 times a power of ten that is not below a value.
fn above(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    let multiple = [1.0, 2.0, 5.0].into_iter().find(|of| of * power >= value * 0.999_999);
    multiple.unwrap_or(10.0) * power
}

/// The next 1, 2 or 5 times a power of ten that is not above a value.
fn below(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    let multiple = [5.0, 2.0].into_iter().find(|of| of * power <= value * 1.000_001);
    multiple.unwrap_or(1.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_one_two_five() {
        assert_eq!(Scale::from_zero([37.0]).ticks(), [0.0, 10.0, 20.0, 30.0, 40.0]);
        assert_eq!(Scale::from_zero([9.1e4]).ticks(), [0.0, 2e4, 4e4, 6e4, 8e4, 1e5]);
        let ticks = Scale::logarithmic([130.0, 4100.0]).ticks();
        assert_eq!(ticks, [100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0]);
        assert_eq!(Scale::logarithmic([1.0, 1e6]).ticks().len(), 7);
    }

    #[test]
    fn places_are_within_the_axis() {
        let scale = Scale::logarithmic([10.0, 1000.0]);
        assert_eq!([10.0, 100.0, 1000.0].map(|value| scale.place(value)), [0.0, 0.5, 1.0]);
        assert_eq!([0.0, -3.0, 1e9, f64::NAN].map(|value| scale.place(value)), [0.0, 0.0, 1.0, 0.0]);
        for empty in [Scale::from_zero([]), Scale::logarithmic([f64::NAN, 0.0]), Scale::over(1.0, 1.0)] {
            assert!(empty.place(1.0).is_finite() && !empty.ticks().is_empty());
        }
    }
}
