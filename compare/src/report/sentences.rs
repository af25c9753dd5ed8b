//! The verdict: at most three sentences, which the terminal, the Markdown and the page share. A name stands between
//! two pairs of asterisks, as in Markdown.

use super::standing::{Standing, cell, clause, leading, measured, standing};
use super::trust;
use super::wording::{
    self, count, interval, kind_of_all, list, load_in_a_sentence, name, names, percent, ratio, sentence, slo,
    title,
};
use crate::Comparison;
use crate::statistics::{Assessment, Cell, Column, Estimate, Figure, Told, Why, assess};

/// The most sentences.
const MOST: usize = 3;

/// So many may be named together as the best of a column.
const FEW: usize = 3;

/// The verdict in at most three plain sentences.
pub fn conclude(comparison: &Comparison) -> Vec<String> {
    sentences(comparison, &assess(comparison))
}

pub(super) fn sentences(comparison: &Comparison, assessment: &Assessment) -> Vec<String> {
    // What makes everything else mean something else comes first.
    let mut said: Vec<String> = trust::refusals(comparison).into_iter().collect();
    let doubt = trust::in_a_sentence(comparison, assessment);
    let first =
        assessment.columns.iter().find(|column| column.absent.is_none() && measured(column).next().is_some());
    match first {
        None => said.push("Nothing was measured from which anything could be concluded.".to_owned()),
        Some(first) => {
            said.push(headline(comparison, assessment, first));
            if said.len() + 1 < MOST || doubt.is_none() {
                said.extend(elsewhere(comparison, assessment, first));
            }
        }
    }
    said.extend(doubt);
    said.truncate(MOST);
    said
}

/// Who is best by what the verdict rests on, by how much, and how sure that is.
fn headline(comparison: &Comparison, assessment: &Assessment, column: &Column) -> String {
    let load =
        column.shape.map_or(String::new(), |shape| format!(" {}", load_in_a_sentence(comparison, shape)));
    let place = format!("Serving {}{load}", comparison.conditions.handler);
    let what = title(column.figure);
    let (leader, level) = leading(column).map_or((String::new(), String::new()), |(subject, level)| {
        (name(comparison, subject), wording::figure(column.figure, level.median))
    });
    match standing(column) {
        Standing::Best(_) if measured(column).count() == 1 => {
            format!("{place}, the {what} of {leader} is {level}; no other server was measured.")
        }
        Standing::Best(best) if best.len() == 1 => {
            format!(
                "{place}, {leader} has {}: {}.",
                best_of(comparison, column),
                evidence(comparison, assessment, column, best[0])
            )
        }
        Standing::Best(best) => format!(
            "{place}, {} have {}, and can't be told apart; {leader} has the best median: {}.",
            names(comparison, &best),
            best_of(comparison, column),
            evidence(comparison, assessment, column, best[0])
        ),
        Standing::Equal => {
            let within = same_as_reference(column).zip(assessment.reference);
            let within = within.map_or(String::new(), |(most, reference)| {
                format!(
                    ", and none differs from {} by more than {}",
                    name(comparison, reference),
                    percent(most)
                )
            });
            let kind = kind_of_all(comparison);
            format!(
                "{place}, in {what} no {kind} can be told apart from the best; {leader} has the best median, {level}{within}."
            )
        }
        Standing::Open(why) => {
            let why = why.map_or(String::new(), |why| format!(", because {}", clause(why)));
            format!(
                "{place}, there is no verdict on {what}{why}; {leader} has the best median, {level}, but that may be \
                 chance."
            )
        }
    }
}

/// By how much anybody may differ from the reference at the most; `None` unless all of them are the same as it.
fn same_as_reference(column: &Column) -> Option<f64> {
    let up_to = measured(column).filter_map(|(cell, _)| match cell.told {
        Told::Reference => None,
        Told::Same { up_to } => Some(Some(up_to)),
        _ => Some(None),
    });
    up_to.reduce(|one, other| Some(one?.max(other?))).flatten()
}

/// The leader's figure, and its ratio to the reference; if it is the reference itself, that of the nearest that is told
/// from it.
fn evidence(comparison: &Comparison, assessment: &Assessment, column: &Column, leader: usize) -> String {
    let Some(own) = cell(column, leader) else { return String::new() };
    let value = own.level.map_or(String::new(), |level| wording::figure(column.figure, level.median));
    let sure = |of: &Estimate| {
        of.interval.map_or(String::new(), |range| {
            format!(" ({:.0}\u{a0}% interval {})", (of.confidence * 100.0).round(), interval(range))
        })
    };
    if let (Some(times), Some(reference)) = (&own.ratio, assessment.reference) {
        return format!(
            "{value}, {} that of {}{}",
            ratio(times.median),
            name(comparison, reference),
            sure(times)
        );
    }
    let distance = |cell: &&Cell| cell.ratio.map_or(f64::INFINITY, |ratio| ratio.median.ln().abs());
    let told = column.cells.iter().filter(|cell| cell.told.is_difference() && cell.ratio.is_some());
    match told.min_by(|one, other| distance(one).total_cmp(&distance(other))) {
        Some(Cell { subject, ratio: Some(times), .. }) => {
            let next = name(comparison, *subject);
            format!(
                "{value}; {next}, the nearest one that differs, has {} of that{}",
                ratio(times.median),
                sure(times)
            )
        }
        _ => value,
    }
}

/// What the best of a column has.
fn best_of(comparison: &Comparison, column: &Column) -> String {
    match column.figure {
        Figure::CpuAtRate => "the lowest server CPU per message".to_owned(),
        Figure::CpuAtSaturation => "the lowest CPU per message at saturation".to_owned(),
        Figure::HighestRate => match comparison.conditions.slos.first() {
            Some(written) => format!("the highest rate with {}", slo(written)),
            None => "the highest rate".to_owned(),
        },
        Figure::TailLatency => "the lowest p99 latency".to_owned(),
        Figure::Memory => "the least memory per idle connection".to_owned(),
        Figure::Isolation => "the lowest p99 beside hostile clients".to_owned(),
    }
}

/// Who is best by the other columns, in one sentence.
fn elsewhere(comparison: &Comparison, assessment: &Assessment, first: &Column) -> Option<String> {
    let mut best: Vec<(Vec<usize>, Vec<String>)> = Vec::new();
    let (mut equal, mut ranges, mut crowded) = (Vec::new(), Vec::new(), Vec::new());
    let others =
        assessment.columns.iter().filter(|column| column.figure != first.figure && column.absent.is_none());
    for column in others {
        match standing(column) {
            Standing::Best(of) if of.len() <= FEW && measured(column).count() > 1 => {
                let level = cell(column, of[0]).and_then(|cell| cell.level);
                let value = level.map_or(String::new(), |level| wording::figure(column.figure, level.median));
                let said = format!("{} ({value})", best_of(comparison, column));
                let mut sorted = of.clone();
                sorted.sort_unstable();
                match best.iter_mut().find(|(others, _)| *others == sorted) {
                    Some((_, all)) => all.push(said),
                    None => best.push((sorted, vec![said])),
                }
            }
            Standing::Equal => equal.push(title(column.figure).to_owned()),
            Standing::Open(Some(Why::OnePass)) => ranges.extend(range(comparison, column)),
            Standing::Best(of) => crowded.extend(behind(comparison, assessment, column, &of)),
            Standing::Open(_) => {}
        }
    }
    let mut clauses: Vec<String> = best
        .iter()
        .map(|(of, said)| {
            let verb = if of.len() == 1 { "has" } else { "have" };
            format!("{} {verb} {}", names(comparison, of), list(said))
        })
        .collect();
    if !equal.is_empty() {
        clauses.push(format!("in {} no server can be told apart from the best", list(&equal)));
    }
    clauses.extend(crowded);
    clauses.extend(ranges);
    sentence(&clauses)
}

/// How far the reference is behind where so many are best that they are not named.
fn behind(
    comparison: &Comparison,
    assessment: &Assessment,
    column: &Column,
    best: &[usize],
) -> Option<String> {
    let reference = assessment.reference.filter(|reference| !best.contains(reference))?;
    let times = cell(column, best[0])?.ratio?.median;
    Some(format!(
        "in {} {} can't be told apart from {}, the best, and {} has {} its figure",
        title(column.figure),
        count(best.len() - 1, "server", "servers"),
        name(comparison, best[0]),
        name(comparison, reference),
        ratio(1.0 / times)
    ))
}

/// From where to where the figures of a column reach of which nothing is told.
fn range(comparison: &Comparison, column: &Column) -> Option<String> {
    let by = |one: &(&Cell, &Estimate), other: &(&Cell, &Estimate)| one.1.median.total_cmp(&other.1.median);
    let (least, most) = (measured(column).min_by(by)?, measured(column).max_by(by)?);
    let value = |of: &Estimate| wording::figure(column.figure, of.median);
    let what =
        if column.figure == Figure::Memory { "memory per idle connection" } else { title(column.figure) };
    (least.0.subject != most.0.subject).then(|| {
        format!(
            "{what}, which was measured only once, was between about {} ({}) and {} ({})",
            value(least.1),
            name(comparison, least.0.subject),
            value(most.1),
            name(comparison, most.0.subject)
        )
    })
}
