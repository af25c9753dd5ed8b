//! What the report says, in one place: the terminal, the Markdown and the page only lay it out.

use super::names::{kind_of_all, load_in_words};
use super::table::Table;
use super::wording::{count, date, slo};
use super::{details, diff, matrix, sentences, trust};
use crate::Comparison;
use crate::statistics::{Assessment, Kept, Objective, objectives};

/// What the report says.
pub(super) struct Contents {
    pub(super) title: String,
    /// What was measured where and when, in one line.
    pub(super) subtitle: String,
    /// What must be seen before anything else, in a few words each.
    pub(super) warnings: Vec<String>,
    pub(super) matrix: Table,
    /// The verdict: at most three sentences.
    pub(super) sentences: Vec<String>,
    /// Whether the objectives were kept, a sentence for each.
    pub(super) objectives: Vec<String>,
    /// This build against another one.
    pub(super) builds: Option<Table>,
    pub(super) by_hand: Option<Table>,
    pub(super) details: Vec<Table>,
    /// Names and values.
    pub(super) conditions: Vec<(String, String)>,
}

impl Contents {
    pub(super) fn of(comparison: &Comparison, assessment: &Assessment) -> Self {
        let kind = kind_of_all(comparison);
        Self {
            title: format!("Which {kind} suits {}?", comparison.conditions.handler),
            subtitle: subtitle(comparison, assessment),
            warnings: trust::warnings(comparison, assessment),
            matrix: matrix::matrix(comparison, assessment),
            sentences: sentences::sentences(comparison, assessment),
            objectives: objectives_in_words(comparison),
            builds: diff::between_builds(comparison),
            by_hand: details::by_hand(comparison, assessment),
            details: details::details(comparison, assessment),
            conditions: conditions(comparison, assessment),
        }
    }
}

fn subtitle(comparison: &Comparison, assessment: &Assessment) -> String {
    let conditions = &comparison.conditions;
    let message = if conditions.message.is_empty() { &conditions.message_size } else { &conditions.message };
    let cores = conditions
        .machine
        .iter()
        .find(|(name, _)| name == "cores")
        .map(|(_, cores)| format!("{cores} cores"));
    let facts = [
        count(assessment.ranked.len(), kind_of_all(comparison), &format!("{}s", kind_of_all(comparison))),
        count(assessment.rounds, "round", "rounds"),
        message.clone(),
        cores.unwrap_or_default(),
        date(conditions.started),
    ];
    facts.into_iter().filter(|fact| !fact.is_empty()).collect::<Vec<_>>().join(" · ")
}

fn conditions(comparison: &Comparison, assessment: &Assessment) -> Vec<(String, String)> {
    let conditions = &comparison.conditions;
    let slos: Vec<String> = conditions.slos.iter().map(|written| slo(written)).collect();
    let fact = |name: &str, value: String| (name.to_owned(), value);
    let mut facts = vec![
        fact("handler", conditions.handler.clone()),
        fact(
            "messages",
            if conditions.message.is_empty() {
                conditions.message_size.clone()
            } else {
                conditions.message.clone()
            },
        ),
        fact(
            "loads",
            (0..comparison.shapes.len())
                .map(|shape| load_in_words(comparison, shape))
                .collect::<Vec<_>>()
                .join("; "),
        ),
        fact("rounds", format!("{} of {} ({})", assessment.rounds, conditions.rounds, conditions.tier)),
        fact("objectives", slos.join(", ")),
        fact(
            "replies",
            if conditions.unverified { "counted, not verified" } else { "verified, each of them" }.to_owned(),
        ),
        fact("pinned", trust::pinned(comparison).unwrap_or_else(|| "no".to_owned())),
        fact("begun", date(conditions.started)),
        fact("took", format!("{:.0} s", conditions.seconds)),
        fact("seed", conditions.seed.to_string()),
    ];
    facts.extend(conditions.machine.iter().cloned());
    facts.extend(conditions.facts.iter().cloned());
    facts.retain(|(_, value)| !value.is_empty());
    facts
}

/// Whether the objectives were kept: who kept each, who missed it, and of whom it isn't known.
fn objectives_in_words(comparison: &Comparison) -> Vec<String> {
    let mut said: Vec<(String, Vec<Objective>)> = Vec::new();
    for objective in objectives(comparison) {
        match said.iter_mut().find(|(slo, of)| *slo == objective.slo && of[0].shape == objective.shape) {
            Some((_, of)) => of.push(objective),
            None => said.push((objective.slo.clone(), vec![objective])),
        }
    }
    let in_words = |(written, of): (String, Vec<Objective>)| {
        let load = load_in_words(comparison, of[0].shape);
        let who = |kept: Kept, verb: &str| {
            let subjects: Vec<usize> = of
                .iter()
                .filter(|objective| objective.kept == kept)
                .map(|objective| objective.subject)
                .collect();
            (!subjects.is_empty()).then(|| format!("{verb} {}", super::names::names(comparison, &subjects)))
        };
        let parts =
            [who(Kept::Kept, "kept by"), who(Kept::Missed, "missed by"), who(Kept::Unknown, "not told of")];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        format!("{} with {load}: {}.", slo(&written), parts.join(", "))
    };
    said.into_iter().map(in_words).collect()
}
