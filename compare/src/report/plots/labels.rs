//! The placement of the curves' names: beside the curves, without overlaps.

use super::LETTER;
use super::axes::Axes;
use super::svg::{Anchor, Svg};

/// The name of a curve.
pub(super) struct Label {
    /// The class of its series.
    pub(super) class: String,
    /// The end of the curve.
    pub(super) end: (f64, f64),
    pub(super) text: String,
}

/// The height of a line of text.
const LINE: f64 = 15.0;

/// Draws the names in a column to the right of the axes, in the order of the curves' ends: for curves that all end
/// there. Names that would overlap are moved apart and connected to their curve by a thin line.
pub(super) fn in_a_column(axes: &Axes, svg: &mut Svg, mut labels: Vec<Label>) {
    labels.sort_by(|one, other| one.end.1.total_cmp(&other.end.1));
    let wanted: Vec<f64> = labels.iter().map(|label| label.end.1).collect();
    let placed = spread(&wanted, LINE, axes.top, axes.bottom);
    for (Label { class, end, text }, y) in labels.iter().zip(placed) {
        let x = axes.right + 14.0;
        if (y - end.1).abs() > 3.0 || axes.right - end.0 > 12.0 {
            svg.line(&format!("lead {class}"), (end.0 + 7.0, end.1), (x - 3.0, y));
        }
        svg.text(&format!("label {class}"), (x, y + 4.0), Anchor::Start, text);
    }
}

/// Draws each name at the end of its curve: for curves that end anywhere. The position nearest to the end is taken at
/// which the name covers no other name and, if possible, no point.
pub(super) fn at_the_ends(
    axes: &Axes,
    svg: &mut Svg,
    mut labels: Vec<Label>,
    points: &[(f64, f64)],
    width: f64,
) {
    labels.sort_by(|one, other| other.end.0.total_cmp(&one.end.0));
    for (Label { class, end, text }, place) in labels.iter().zip(arrange(axes, &labels, points, width)) {
        let area = Area::of(place, length(text));
        let middle = f64::midpoint(area.top, area.bottom);
        if (middle - end.1).abs() > LINE {
            let near = if place.2 == Anchor::End { area.right } else { area.left };
            svg.line(&format!("lead {class}"), *end, (near, middle));
        }
        svg.text(&format!("label haloed {class}"), (place.0, place.1), place.2, text);
    }
}

/// A position for each name, in the same order.
fn arrange(axes: &Axes, labels: &[Label], points: &[(f64, f64)], width: f64) -> Vec<(f64, f64, Anchor)> {
    let mut taken: Vec<Area> = Vec::new();
    let place = |label: &Label| {
        let (end, length) = (label.end, length(&label.text));
        let cost = |place: &(f64, f64, Anchor)| {
            let area = Area::of(*place, length);
            let covered = taken.iter().filter(|other| area.touches(other)).count() as f64;
            let points = points.iter().filter(|point| area.holds(**point)).count() as f64;
            let is_outside = area.left < axes.left
                || area.right > width
                || area.top < axes.top - LINE
                || area.bottom > axes.bottom;
            let far = (place.0 - end.0).abs() + (place.1 - end.1).abs();
            1e4 * covered + 1e5 * f64::from(is_outside) + 25.0 * points + far
        };
        let costs = places(end, length).map(|place| (cost(&place), place));
        let best = costs.min_by(|one, other| one.0.total_cmp(&other.0));
        let best = best.map_or((end.0, end.1, Anchor::Start), |(_, place)| place);
        taken.push(Area::of(best, length));
        best
    };
    labels.iter().map(place).collect()
}

/// The approximate width of a text.
pub(super) fn length(text: &str) -> f64 {
    LETTER * text.chars().count() as f64
}

/// Points along a curve, its ends included, close enough that no text fits between two.
pub(super) fn along(curve: &[(f64, f64)]) -> Vec<(f64, f64)> {
    const PIECES: u32 = 6;
    let mut points = curve.to_vec();
    for pair in curve.windows(2) {
        let (from, to) = (pair[0], pair[1]);
        points.extend((1..PIECES).map(|piece| {
            let part = f64::from(piece) / f64::from(PIECES);
            (from.0 + (to.0 - from.0) * part, from.1 + (to.1 - from.1) * part)
        }));
    }
    points
}

/// Candidate positions for a text near an end.
fn places(end: (f64, f64), length: f64) -> impl Iterator<Item = (f64, f64, Anchor)> {
    let steps = (0..8).flat_map(|step| [f64::from(step), -f64::from(step)]);
    steps.flat_map(move |down| {
        let y = end.1 + 4.0 + down * LINE * 0.8;
        [
            (end.0 + 10.0, y, Anchor::Start),
            (end.0 + 22.0, y, Anchor::Start),
            (end.0 - 10.0, y, Anchor::End),
            (end.0 + length / 2.0, y - 9.0, Anchor::Middle),
        ]
    })
}

/// The rectangle that a text covers.
struct Area {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

impl Area {
    fn of((x, y, anchor): (f64, f64, Anchor), length: f64) -> Self {
        let left = match anchor {
            Anchor::Start => x,
            Anchor::Middle => x - length / 2.0,
            Anchor::End => x - length,
        };
        Self { left, right: left + length, top: y - 11.0, bottom: y + 3.0 }
    }

    fn touches(&self, other: &Self) -> bool {
        self.left < other.right
            && other.left < self.right
            && self.top < other.bottom
            && other.top < self.bottom
    }

    fn holds(&self, (x, y): (f64, f64)) -> bool {
        (self.left - 4.0..=self.right + 4.0).contains(&x) && (self.top - 3.0..=self.bottom + 3.0).contains(&y)
    }
}

/// Moves positions, which ascend, so that they are at least `apart` from each other and within the bounds: one pass
/// down, and one back up.
fn spread(wanted: &[f64], apart: f64, low: f64, high: f64) -> Vec<f64> {
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
    use super::super::axes::Scale;
    use super::*;

    #[test]
    fn names_in_a_column_keep_apart() {
        assert_eq!(spread(&[10.0, 11.0, 50.0], 15.0, 0.0, 100.0), [10.0, 25.0, 50.0]);
        assert_eq!(spread(&[90.0, 95.0, 99.0], 15.0, 0.0, 100.0), [70.0, 85.0, 100.0]);
        assert!(spread(&[], 15.0, 0.0, 100.0).is_empty());
    }

    #[test]
    fn names_at_the_ends_do_not_cover_each_other() {
        let scale = Scale::over(0.0, 1.0);
        let axes = Axes { left: 40.0, right: 600.0, top: 30.0, bottom: 260.0, x: scale, y: scale };
        let label = |end: (f64, f64)| Label { class: "s0".to_owned(), end, text: "async-std".to_owned() };
        let ends = [(300.0, 100.0), (301.0, 102.0), (299.0, 104.0), (590.0, 31.0)];
        let labels = ends.map(label);
        let placed = arrange(&axes, &labels, &ends, 700.0);
        let areas: Vec<Area> = placed.iter().map(|&place| Area::of(place, length("async-std"))).collect();
        for (index, one) in areas.iter().enumerate() {
            assert!(one.right <= 700.0 && one.left >= axes.left, "{placed:?}");
            assert!(!areas[index + 1..].iter().any(|other| one.touches(other)), "{placed:?}");
        }
    }
}
