//! What is said of loads with subscribers beside the figures: which servers did not hold them, and what was missed.

use super::contents::Row;
use super::wording::{amount, name, sentence, subscribers};
use crate::{Comparison, Sample};

/// The row of a server that was measured under none of the loads; `None` for other servers.
pub(super) fn row_of_no_figures(comparison: &Comparison, subject: usize) -> Option<Row> {
    let of_it = &comparison.subjects[subject];
    Some(Row::NoFigures {
        subject,
        name: of_it.name.clone(),
        what: "not measured",
        is_failure: false,
        why: of_it.not_held.first()?.why.clone(),
    })
}

/// The loads that a server did not hold although it was measured under others, and the messages that subscribers missed.
pub(super) fn notes(comparison: &Comparison) -> Vec<String> {
    let clauses = (0..comparison.subjects.len()).flat_map(|subject| {
        let missed = (0..comparison.shapes.len()).filter_map(move |shape| missed(comparison, subject, shape));
        not_held(comparison, subject).into_iter().chain(missed)
    });
    clauses.filter_map(|clause| sentence(&[clause])).collect()
}

fn not_held(comparison: &Comparison, subject: usize) -> Vec<String> {
    if !comparison.samples.iter().any(|sample| sample.subject == subject) {
        return Vec::new(); // its row says it
    }
    let clause = |(shape, why): (usize, &str)| {
        let load = comparison.shapes.get(shape)?;
        let (name, subscribers) = (name(comparison, subject), subscribers(load.subscribers));
        Some(format!("pushing to {subscribers} was not measured in all rounds of {name}: {why}"))
    };
    let of_it = comparison.subjects[subject].not_held.iter();
    of_it.filter_map(|of| clause((of.shape, &of.why))).collect()
}

fn missed(comparison: &Comparison, subject: usize, shape: usize) -> Option<String> {
    let is_of_it = |sample: &&Sample| sample.subject == subject && sample.shape == shape;
    let deliveries =
        comparison.samples.iter().filter(is_of_it).filter_map(|sample| sample.deliveries.as_ref());
    let (missed, count) = deliveries.fold((0, 0), |sum, of| (sum.0 + of.missed, sum.1 + of.count));
    let subscribers = subscribers(comparison.shapes[shape].subscribers);
    (missed > 0).then(|| {
        let [missed, all] = [missed, missed + count].map(|number| amount(number as f64));
        format!("{subscribers} of {} missed {missed} of {all} messages", name(comparison, subject))
    })
}
