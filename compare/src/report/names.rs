//! What servers and loads are called.

use super::wording::rate;
use crate::statistics::Assessment;
use crate::{Comparison, Kind};

/// A load in words: `64 connections, 15k/s`.
pub(super) fn load_in_words(comparison: &Comparison, shape: usize) -> String {
    let Some(shape) = comparison.shapes.get(shape) else { return String::new() };
    let connections = if shape.connections == 1 { "connection" } else { "connections" };
    let load = match (shape.rate, shape.depth) {
        (Some(offered), _) => format!("{} {connections}, {}", shape.connections, rate(offered)),
        (None, 1) => format!("{} {connections}, closed loop", shape.connections),
        (None, depth) => format!("{} {connections} × {depth} in flight", shape.connections),
    };
    match shape.hostile {
        0 => load,
        hostile => format!("{load}, {hostile} hostile clients beside"),
    }
}

/// A server's name as it stands in a sentence: between two pairs of asterisks, as in Markdown.
pub(super) fn name(comparison: &Comparison, subject: usize) -> String {
    let name = comparison.subjects.get(subject).map_or("unknown", |subject| &subject.name);
    // An asterisk of its own would end it.
    format!("**{}**", name.replace('*', "∗"))
}

/// Names as they stand in a sentence.
pub(super) fn names<'a>(comparison: &Comparison, subjects: impl IntoIterator<Item = &'a usize>) -> String {
    list(&subjects.into_iter().map(|&subject| name(comparison, subject)).collect::<Vec<_>>())
}

/// What is to be known of a server beside its name.
pub(super) fn remark(comparison: &Comparison, assessment: &Assessment, subject: usize) -> String {
    let mut remarks = Vec::new();
    if assessment.reference == Some(subject) {
        remarks.push("reference");
    }
    let subject = &comparison.subjects[subject];
    if subject.legacy.is_some() {
        remarks.push("legacy");
    }
    remarks.join(", ")
}

/// Whether a server was written by hand, to measure the others against.
pub(super) fn is_by_hand(comparison: &Comparison, subject: usize) -> bool {
    comparison.subjects.get(subject).is_some_and(|subject| matches!(subject.kind, Kind::Handwritten { .. }))
}

/// What the servers are called together.
pub(super) fn kind_of_all(comparison: &Comparison) -> &'static str {
    let is_server = |kind: &Kind| matches!(kind, Kind::Server);
    if comparison.subjects.iter().any(|subject| is_server(&subject.kind)) { "server" } else { "backend" }
}

/// Things in a sentence: `a, b and c`.
pub(super) fn list(things: &[String]) -> String {
    match things {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
