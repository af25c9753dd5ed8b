//! The part of a picture in which values stand: axes, numbers at them, and labels beside the curves.

use super::scale::Scale;
use super::svg::{Anchor, Svg};

/// The part of a picture in which values stand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axes {
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) top: f64,
    pub(super) bottom: f64,
    pub(super) x: Scale,
    pub(super) y: Scale,
}

/// The height of a line of labels.
const LABEL: f64 = 15.0;

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

    /// The horizontal lines, with their numbers.
    pub(super) fn draw_y(&self, svg: &mut Svg, number: impl Fn(f64) -> String) {
        for tick in self.y.ticks() {
            let y = self.y(tick);
            svg.line("grid", (self.left, y), (self.right, y));
            svg.text("tick", (self.left - 7.0, y + 4.0), Anchor::End, &number(tick));
        }
    }

    /// The axis at the bottom, with its numbers and what they are. Numbers that would touch are left out.
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

    /// A label for each curve, to the right of its end: the class of the series, the end, the text. Labels that
    /// would touch are moved apart, and a thin line leads back.
    pub(super) fn label(&self, svg: &mut Svg, mut labels: Vec<(String, (f64, f64), String)>) {
        labels.sort_by(|one, other| one.1.1.total_cmp(&other.1.1));
        let wanted: Vec<f64> = labels.iter().map(|label| label.1.1).collect();
        let placed = spread(&wanted, LABEL, self.top, self.bottom);
        for ((class, end, text), y) in labels.iter().zip(placed) {
            let x = self.right + 14.0;
            if (y - end.1).abs() > 3.0 || self.right - end.0 > 12.0 {
                svg.line(&format!("lead {class}"), (end.0 + 7.0, end.1), (x - 3.0, y));
            }
            svg.text(&format!("label {class}"), (x, y + 4.0), Anchor::Start, text);
        }
    }
}

/// Places in ascending order at least a distance apart, as near to the wanted ones, which ascend, as a pass
/// down and one back up bring them.
pub(super) fn spread(wanted: &[f64], apart: f64, low: f64, high: f64) -> Vec<f64> {
    let mut places = wanted.to_vec();
    for index in 0..places.len() {
        let least = if index == 0 { low } else { places[index - 1] + apart };
        places[index] = places[index].max(least);
    }
    let mut most = high;
    for place in places.iter_mut().rev() {
        *place = place.min(most);
        most = *place - apart;
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_keep_apart() {
        assert_eq!(spread(&[10.0, 11.0, 50.0], 15.0, 0.0, 100.0), [10.0, 25.0, 50.0]);
        assert_eq!(spread(&[90.0, 95.0, 99.0], 15.0, 0.0, 100.0), [70.0, 85.0, 100.0]);
        assert!(spread(&[], 15.0, 0.0, 100.0).is_empty());
    }
}
