//! The part of a picture in which values stand: axes, and numbers at them.

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
}
