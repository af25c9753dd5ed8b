//! What servers and loads are called.

use super::wording::{count, rate};
use crate::statistics::Assessment;
use crate::{Comparison, Kind};

/// A load in words: `64 connections, 15k/s`.
pub(super) fn load_in_words(comparison: &Comparison, shape: usize) -> String {
    let Some(shape) = comparison.shapes.get(shape) else { return String::new() };
    let connections = count(shape.connections, "connection", "connections");
    let load = match (shape.rate, shape.depth) {
        (Some(offered), _) => format!("{connections}, {}", rate(offered)),
        (None, 1) => format!("{connections}, closed loop"),
        (None, depth) => format!("{connections} × {depth} in flight"),
    };
    match shape.hostile {
        0 => load,
        hostile => format!("{load}, {hostile} hostile clients beside"),
    }
}

/// A load as it stands in a sentence, behind "serving": `to 64 connections at 15k/s`.
pub(super) fn load_in_a_sentence(comparison: &Comparison, shape: usize) -> String {
    let Some(shape) = comparison.shapes.get(shape) else { return String::new() };
    let connections = count(shape.connections, "connection", "connections");
    let load = match (shape.rate, shape.depth) {
        (Some(offered), _) => format!("to {connections} at {}", rate(offered)),
        (None, 1) => format!("to {connections} in a closed loop"),
        (None, depth) => format!("to {connections} with {depth} messages in flight on each"),
    };
    match shape.hostile {
        0 => load,
        hostile => format!("{load}, beside {}", count(hostile, "hostile client", "hostile clients")),
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

/// What the servers are called together.
pub(super) fn kind_of_all(comparison: &Comparison) -> &'static str {
    let is_server = |kind: &Kind| matches!(kind, Kind::Server);
    if comparison.subjects.iter().any(|subject| is_server(&subject.kind)) { "server" } else { "backend" }
}

/// A sentence of several clauses; none without any.
pub(super) fn sentence(clauses: &[String]) -> Option<String> {
    let mut sentence = clauses.join("; ");
    let first = sentence.chars().next()?;
    // A percentile such as p99 stays small.
    if !sentence[first.len_utf8()..].starts_with(|next: char| next.is_ascii_digit()) {
        sentence.replace_range(..first.len_utf8(), &first.to_uppercase().to_string());
    }
    Some(format!("{sentence}."))
}

/// Things in a sentence: `a, b and c`.
pub(super) fn list(things: &[String]) -> String {
    match things {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
