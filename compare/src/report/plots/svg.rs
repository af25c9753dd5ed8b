//! Shapes and text as SVG. All text is escaped here; the style sheet has colors and fonts.

use std::fmt::Write;

use maud::html;

/// An SVG picture under construction.
pub(super) struct Svg {
    body: String,
    width: f64,
    height: f64,
}

/// The part of a text that is placed at its point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

impl Svg {
    pub(super) fn new(width: f64, height: f64) -> Self {
        Self { body: String::new(), width, height }
    }

    pub(super) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let (class, (x1, y1), (x2, y2)) = (escape(class), from, to);
        self.put(&format!(
            "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>"
        ));
    }

    /// Draws a line through all points; nothing for fewer than two.
    pub(super) fn curve(&mut self, class: &str, points: &[(f64, f64)]) {
        if points.len() < 2 {
            return;
        }
        let mut path = String::new();
        for (index, (x, y)) in points.iter().enumerate() {
            let _ = write!(path, "{}{x:.1} {y:.1}", if index == 0 { "M" } else { "L" });
        }
        self.put(&format!("<path class=\"curve {}\" d=\"{path}\"/>", escape(class)));
    }

    /// Draws a path with this SVG path data.
    pub(super) fn path(&mut self, class: &str, path: &str) {
        self.put(&format!("<path class=\"{}\" d=\"{}\"/>", escape(class), escape(path)));
    }

    /// Draws a rectangle between two corners, with a tooltip.
    pub(super) fn area(&mut self, class: &str, from: (f64, f64), to: (f64, f64), tooltip: &str) {
        let (x, y) = (from.0.min(to.0), from.1.min(to.1));
        let (width, height) = ((from.0 - to.0).abs(), (from.1 - to.1).abs());
        let class = escape(class);
        let shape = format!(
            "class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\""
        );
        self.put(&if tooltip.is_empty() {
            format!("<rect {shape}/>")
        } else {
            format!("<rect {shape}><title>{}</title></rect>", escape(tooltip))
        });
    }

    pub(super) fn text(&mut self, class: &str, at: (f64, f64), anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let (class, (x, y), text) = (escape(class), at, escape(text));
        self.put(&format!(
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>"
        ));
    }

    /// Draws a point of a series, with a tooltip. Its form depends on the series, so that series differ without color
    /// too.
    pub(super) fn point(&mut self, class: &str, form: usize, at: (f64, f64), tooltip: &str) {
        let (x, y) = at;
        let path = match form % 6 {
            0 => format!("M{:.1} {y:.1}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0Z", x - 4.0),
            1 => format!("M{:.1} {:.1}h7v7h-7Z", x - 3.5, y - 3.5),
            2 => format!("M{x:.1} {:.1}l4.5 7.6h-9Z", y - 4.8),
            3 => format!("M{x:.1} {:.1}l5 5l-5 5l-5 -5Z", y - 5.0),
            4 => format!("M{x:.1} {:.1}l4.5 -7.6h-9Z", y + 4.8),
            _ => format!("M{:.1} {:.1}h3v-3h3v3h3v3h-3v3h-3v-3h-3Z", x - 4.5, y - 1.5),
        };
        let (class, tooltip) = (escape(class), escape(tooltip));
        self.put(&format!("<path class=\"point {class}\" d=\"{path}\"><title>{tooltip}</title></path>"));
    }

    /// Adds an invisible point with a tooltip.
    pub(super) fn hover_point(&mut self, (x, y): (f64, f64), tooltip: &str) {
        let tooltip = escape(tooltip);
        self.put(&format!(
            "<circle class=\"unseen\" cx=\"{x:.0}\" cy=\"{y:.0}\" r=\"5\"><title>{tooltip}</title></circle>"
        ));
    }

    /// Draws a cross, for a value that could not be measured.
    pub(super) fn cross(&mut self, class: &str, at: (f64, f64), tooltip: &str) {
        let (x, y) = (at.0 - 3.5, at.1 - 3.5);
        let (class, tooltip) = (escape(class), escape(tooltip));
        self.put(&format!(
            "<path class=\"cross {class}\" d=\"M{x:.1} {y:.1}l7 7m0 -7l-7 7\"><title>{tooltip}</title></path>"
        ));
    }

    /// The finished picture, with a description for screen readers.
    pub(super) fn finish(self, describes: &str) -> String {
        let (width, height, label) = (self.width, self.height, escape(describes));
        format!(
            "<svg viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\" aria-label=\"{label}\">{}</svg>",
            self.body
        )
    }

    fn put(&mut self, element: &str) {
        self.body.push_str(element);
        self.body.push('\n');
    }
}

/// Escapes text for the content of an element or an attribute.
fn escape(text: &str) -> String {
    html! { (text) }.into_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped() {
        let mut svg = Svg::new(10.0, 10.0);
        svg.text("a", (1.0, 2.0), Anchor::End, "<b>");
        svg.curve("c", &[(0.0, 0.0)]);
        let svg = svg.finish("\"x\"");
        assert!(svg.contains("text-anchor=\"end\">&lt;b&gt;</text>"));
        assert!(svg.contains("aria-label=\"&quot;x&quot;\""));
        assert!(!svg.contains("path"), "no curve through one point");
    }
}
