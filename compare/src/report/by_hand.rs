//! The costs against what one writes by hand, as plain data: the terminal, the page and the Markdown lay it out.

use super::wording;
use crate::statistics::former::against_hand_written;
use crate::{Comparison, Kind};

/// What it is called.
pub(super) const TITLE: &str = "Server CPU, against what one writes by hand";

/// The names of the columns, of which the first two are text.
pub(super) const HEADINGS: [&str; 6] = ["server", "load", "CPU/msg", "to floor", "to careful", "to plain"];

/// The costs.
pub(super) struct Figures {
    /// For each server a row for each load, and for a backend one for all loads.
    pub(super) rows: Vec<[String; HEADINGS.len()]>,
    /// What they mean, and how sure they are.
    pub(super) note: String,
}

/// The costs, if anything was written by hand.
pub(super) fn figures(comparison: &Comparison) -> Option<Figures> {
    let (costs, bands) = against_hand_written(comparison)?;
    let ratio = |value: Option<f64>| value.map_or("–".to_owned(), |value| format!("{value:.2}×"));
    let load = |shape: usize| comparison.shapes[shape].name.clone();
    let mut rows = Vec::new();
    for server in &costs {
        let subject = &comparison.subjects[server.subject];
        let name = match subject.kind {
            Kind::Handwritten { .. } => format!("{} by hand", subject.name),
            _ => subject.name.clone(),
        };
        for cost in &server.loads {
            let [floor, careful, plain] = [cost.floor, cost.careful, cost.plain].map(ratio);
            rows.push([name.clone(), load(cost.shape), wording::time(cost.cpu), floor, careful, plain]);
        }
        if server.careful.is_some() {
            let none = || ratio(None);
            rows.push([name, "mean of all".to_owned(), none(), none(), ratio(server.careful), none()]);
        }
    }
    let band =
        |band: Option<f64>| band.map_or("unknown".to_owned(), |band| format!("±{}", wording::percent(band)));
    let mut by_load: Vec<String> = bands
        .loads
        .iter()
        .enumerate()
        .map(|(shape, of)| format!("{} for {}", band(*of), load(shape)))
        .collect();
    by_load.push(format!("{} for the mean of all", band(bands.mean)));
    let note = format!(
        "Medians over the rounds, of ratios within each round; the mean is the geometric one. Two runs of the same \
         differ by {}: a bound is met when the median is within it and as much.",
        by_load.join(", ")
    );
    Some(Figures { rows, note })
}
