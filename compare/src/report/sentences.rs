//! The verdict: at most three sentences, which terminal, Markdown and page share. Names are between two pairs of
//! asterisks, as in Markdown.

use super::ranking::{Ranking, cell, leading, measured, ranking, why_clause};
use super::validity;
use super::wording::{
    self, count, interval, kind_of_all, list, load_in_a_sentence, name, names, percent, ratio, sentence, slo,
    title, title_in_words, titles_in_words, to_whom,
};
use crate::Comparison;
use crate::statistics::{Assessment, Cell, Column, Estimate, Figure, Verdict, Why, assess};

/// The most sentences.
const MOST: usize = 3;

/// At most this many servers are named together as the best of a column.
const FEW: usize = 3;

/// The verdict in at most three sentences.
pub fn conclusions(comparison: &Comparison) -> Vec<String> {
    sentences(comparison, &assess(comparison))
}

pub(super) fn sentences(comparison: &Comparison, assessment: &Assessment) -> Vec<String> {
    // Refusals change the meaning of all figures, so they come first.
    let mut said: Vec<String> = validity::refusals(comparison).into_iter().collect();
    let doubt = validity::caveats(comparison, assessment);
    let first =
        assessment.columns.iter().find(|column| column.absent.is_none() && measured(column).next().is_some());
    match first {
        None => said.push("Nothing was measured that allows a conclusion.".to_owned()),
        Some(first) => {
            said.push(headline(comparison, assessment, first));
            if said.len() + 1 < MOST || doubt.is_none() {
                said.extend(other_columns(comparison, assessment, first));
            }
        }
    }
    said.extend(doubt);
    said.truncate(MOST);
    said
}

/// The best servers by the first figure, by how much they are better, and how certain that is.
fn headline(comparison: &Comparison, assessment: &Assessment, column: &Column) -> String {
    let load =
        column.shape.map_or(String::new(), |shape| format!(" {}", load_in_a_sentence(comparison, shape)));
    let place = format!("Serving {}{load}", comparison.conditions.handler);
    let what = title(column.figure);
    let (leader, level) = leading(column).map_or((String::new(), String::new()), |(subject, level)| {
        (name(comparison, subject), wording::figure(column.figure, level.median))
    });
    match ranking(column) {
        Ranking::Best(_) if measured(column).count() == 1 => {
            format!("{place}, the {what} of {leader} is {level}; no other server was measured.")
        }
        Ranking::Best(best) if best.len() == 1 => {
            format!(
                "{place}, {leader} has {}: {}.",
                best_of(comparison, column),
                evidence(comparison, assessment, column, best[0])
            )
        }
        Ranking::Best(best) => format!(
            "{place}, {} have {}, and can't be told apart; {leader} has the best median: {}.",
            names(comparison, &best),
            best_of(comparison, column),
            evidence(comparison, assessment, column, best[0])
        ),
        Ranking::AllTied => {
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
        Ranking::Undecided(why) => {
            let why = why.map_or(String::new(), |why| format!(", because {}", why_clause(why)));
            format!(
                "{place}, there is no verdict on {what}{why}; {leader} has the best median, {level}, but that may be \
                 chance."
            )
        }
    }
}

/// The largest difference from the reference that is not excluded for any server; `None` unless all are the same as the
/// reference.
fn same_as_reference(column: &Column) -> Option<f64> {
    let up_to = measured(column).filter_map(|(cell, _)| match cell.verdict {
        Verdict::Reference => None,
        Verdict::Same { up_to } => Some(Some(up_to)),
        _ => Some(None),
    });
    up_to.reduce(|one, other| Some(one?.max(other?))).flatten()
}

/// The leader's figure, and its ratio to the reference. If the leader is the reference, the ratio of the nearest server
/// that differs from it.
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
    let verdict = column.cells.iter().filter(|cell| cell.verdict.is_difference() && cell.ratio.is_some());
    match verdict.min_by(|one, other| distance(one).total_cmp(&distance(other))) {
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

/// The best figure of a column, in words.
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
        Figure::DeliveryCpu => "the lowest CPU per delivery".to_owned(),
        Figure::DeliveryDelay => "the lowest p99 delivery delay".to_owned(),
    }
}

/// The best servers by the other columns, in one sentence.
fn other_columns(comparison: &Comparison, assessment: &Assessment, first: &Column) -> Option<String> {
    let mut best: Vec<(Vec<usize>, Vec<String>)> = Vec::new();
    let (mut equal, mut ranges, mut crowded) = (Vec::new(), Vec::new(), Vec::new());
    let others = assessment.columns.iter().filter(|column| *column != first && column.absent.is_none());
    for column in others {
        match ranking(column) {
            Ranking::Best(of) if of.len() <= FEW && measured(column).count() > 1 => {
                let level = cell(column, of[0]).and_then(|cell| cell.level);
                let value = level.map_or(String::new(), |level| wording::figure(column.figure, level.median));
                let said =
                    format!("{}{} ({value})", best_of(comparison, column), to_whom(comparison, column));
                let mut sorted = of.clone();
                sorted.sort_unstable();
                match best.iter_mut().find(|(others, _)| *others == sorted) {
                    Some((_, all)) => all.push(said),
                    None => best.push((sorted, vec![said])),
                }
            }
            Ranking::AllTied => equal.push(column),
            Ranking::Undecided(Some(Why::OnePass)) => ranges.extend(range(comparison, column)),
            Ranking::Best(of) => crowded.extend(behind(comparison, assessment, column, &of)),
            Ranking::Undecided(_) => {}
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
        clauses.push(format!(
            "in {} no server can be told apart from the best",
            titles_in_words(comparison, &equal)
        ));
    }
    clauses.extend(crowded);
    clauses.extend(ranges);
    sentence(&clauses)
}

/// How far the reference is behind, where too many servers are best to name them.
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
        title_in_words(comparison, column),
        count(best.len() - 1, "server", "servers"),
        name(comparison, best[0]),
        name(comparison, reference),
        ratio(1.0 / times)
    ))
}

/// The range of the figures of a column without verdicts.
fn range(comparison: &Comparison, column: &Column) -> Option<String> {
    let by = |one: &(&Cell, &Estimate), other: &(&Cell, &Estimate)| one.1.median.total_cmp(&other.1.median);
    let (least, most) = (measured(column).min_by(by)?, measured(column).max_by(by)?);
    let value = |of: &Estimate| wording::figure(column.figure, of.median);
    let what = match column.figure {
        Figure::Memory => "memory per idle connection".to_owned(),
        _ => title_in_words(comparison, column),
    };
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
