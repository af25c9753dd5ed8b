//! The ranking of a column as a whole, and the reasons where there is no verdict.

use std::mem::discriminant;

use super::pushes;
use super::wording::{count, name, names, sentence, titles_in_words};
use crate::Comparison;
use crate::statistics::{Assessment, Cell, Column, Estimate, Verdict, Why};

/// The ranking of a column as a whole.
pub(super) enum Ranking {
    /// These are best, the leader first; if there are several, they can't be told apart.
    Best(Vec<usize>),
    /// No server can be told apart from the leader.
    AllTied,
    /// There is no verdict, for this reason.
    Undecided(Option<Why>),
}

pub(super) fn ranking(column: &Column) -> Ranking {
    let why = of_column(column);
    let Some(leader) = column.leader else { return Ranking::Undecided(why) };
    let rivals = measured(column).filter(|(cell, _)| cell.subject != leader).count();
    let is_told = |cell: &Cell| !matches!(cell.verdict, Verdict::Undecided(_) | Verdict::Reference);
    if rivals > 0 && !column.cells.iter().any(is_told) {
        return Ranking::Undecided(why);
    }
    if rivals > 0 && column.tied.len() >= rivals {
        return Ranking::AllTied;
    }
    Ranking::Best(std::iter::once(leader).chain(column.tied.iter().copied()).collect())
}

/// The cells that have a figure.
pub(super) fn measured(column: &Column) -> impl Iterator<Item = (&Cell, &Estimate)> {
    column.cells.iter().filter_map(|cell| Some((cell, cell.level.as_ref()?)))
}

/// A subject's cell.
pub(super) fn cell(column: &Column, subject: usize) -> Option<&Cell> {
    column.cells.iter().find(|cell| cell.subject == subject)
}

/// The server with the best figure: the leader, or the best median if there is no leader.
pub(super) fn leading(column: &Column) -> Option<(usize, &Estimate)> {
    let worth = |level: &Estimate| if column.figure.more_is_better() { -level.median } else { level.median };
    let best = measured(column).min_by(|one, other| worth(one.1).total_cmp(&worth(other.1)));
    let leader = column.leader.and_then(|leader| measured(column).find(|(cell, _)| cell.subject == leader));
    leader.or(best).map(|(cell, level)| (cell.subject, level))
}

/// Why there is no verdict, in short.
pub(super) fn why_in_short(why: Why) -> &'static str {
    match why {
        Why::TooNoisy { .. } => "too noisy",
        Why::WithinNoise => "within the noise",
        Why::Flagged { .. } | Why::DependsOnFlagged { .. } => "flagged",
        Why::FewRounds { .. } => "too few rounds",
        Why::GeneratorLimited => "generator was the bottleneck",
        Why::Overloaded => "overloaded",
        Why::OnePass => "measured once",
        Why::Failed => "failed",
        Why::NotMeasured => "not measured",
    }
}

/// More rounds than anybody would measure.
const MANY: usize = 100;

/// Why there is no verdict, as a clause.
pub(super) fn why_clause(why: Why) -> String {
    match why {
        Why::TooNoisy { more_rounds } if more_rounds > MANY => {
            format!("it varies so much from round to round that more than {MANY} more rounds would be needed")
        }
        Why::TooNoisy { more_rounds } => {
            let more = count(more_rounds, "more round", "more rounds");
            format!("it varies too much from round to round; about {more} would be needed")
        }
        Why::WithinNoise => {
            "the difference is within the noise: two runs of the same server may differ by as much".to_owned()
        }
        Why::Flagged { .. } => "more than a third of the rounds are flagged as doubtful".to_owned(),
        Why::DependsOnFlagged { .. } => {
            "the verdict would depend on rounds that are flagged as doubtful".to_owned()
        }
        Why::FewRounds { needed } => {
            format!("fewer rounds have a figure than the {needed} that a verdict takes")
        }
        Why::GeneratorLimited => "the load generator was the bottleneck, not the server".to_owned(),
        Why::Overloaded => "the server could not keep up with the rate".to_owned(),
        Why::OnePass => "it was measured only once".to_owned(),
        Why::Failed => "a server failed".to_owned(),
        Why::NotMeasured => "it was not measured".to_owned(),
    }
}

/// The most frequent reason of a column's cells, with the most rounds that any of them needs. That a server failed or
/// was not measured counts only if there is no other reason.
pub(super) fn of_column(column: &Column) -> Option<Why> {
    let is_its_own = |why: &Why| matches!(why, Why::Failed | Why::NotMeasured);
    let most =
        grouped(column).into_iter().rev().max_by_key(|(why, subjects)| (!is_its_own(why), subjects.len()));
    most.map(|(why, _)| why)
}

/// The reasons of a column, each with its subjects.
fn grouped(column: &Column) -> Vec<(Why, Vec<usize>)> {
    let mut reasons: Vec<(Why, Vec<usize>)> = Vec::new();
    for cell in &column.cells {
        let Verdict::Undecided(why) = cell.verdict else { continue };
        match reasons.iter_mut().find(|(other, _)| discriminant(other) == discriminant(&why)) {
            Some((most, subjects)) => {
                if let (Why::TooNoisy { more_rounds: most }, Why::TooNoisy { more_rounds }) = (most, why) {
                    *most = more_rounds.max(*most);
                }
                subjects.push(cell.subject);
            }
            None => reasons.push((why, vec![cell.subject])),
        }
    }
    reasons
}

/// How to read the matrix, and then why some cells have no verdict.
pub(super) fn notes(comparison: &Comparison, assessment: &Assessment) -> Vec<String> {
    let mut notes = vec![match assessment.reference.filter(|_| assessment.ranked.len() > 1) {
        Some(reference) => format!(
            "Better, same and worse compare a server with {}, the reference. Marked figures are the best of \
             their column, or can't be told apart from the best.",
            name(comparison, reference)
        ),
        None => "Fewer than two servers were measured, so nothing is compared.".to_owned(),
    }];
    // Columns with the same reason are named together.
    let mut reasons: Vec<(Vec<&Column>, (&str, String))> = Vec::new();
    for column in assessment.columns.iter().filter(|column| column.absent.is_none()) {
        for (why, subjects) in grouped(column) {
            if matches!(why, Why::Failed | Why::NotMeasured) {
                continue;
            }
            let are_all = subjects.len() > 1 && subjects.len() + 1 >= column.cells.len();
            let who = if are_all { String::new() } else { format!(" of {}", names(comparison, &subjects)) };
            let reason = why_clause(why);
            let said = match why {
                Why::GeneratorLimited => ("", format!("{who} could not be measured, because {reason}")),
                _ => ("there is no verdict on ", format!("{who}, because {reason}")),
            };
            match reasons.iter_mut().find(|(_, other)| *other == said) {
                Some((columns, _)) => columns.push(column),
                None => reasons.push((vec![column], said)),
            }
        }
    }
    let in_words = |(columns, (before, behind)): &(Vec<&Column>, (&str, String))| {
        sentence(&[format!("{before}{}{behind}", titles_in_words(comparison, columns))])
    };
    notes.extend(reasons.iter().filter_map(in_words));
    notes.extend(pushes::notes(comparison));
    notes.into_iter().map(|note| note.replace("**", "")).collect()
}
