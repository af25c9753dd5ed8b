//! The verdict: at most three sentences, which the terminal, the Markdown and the page share. A name stands between
//! two pairs of asterisks, as in Markdown.

use super::matrix::title;
use super::names::{kind_of_all, list, load_in_words, name, names};
use super::trust;
use super::wording::{self, count, interval, ratio};
use crate::Comparison;
use crate::statistics::{Assessment, Cell, Column, Estimate, Figure, Told, Why, assess};

/// The most sentences.
const MOST: usize = 3;

/// The verdict in at most three plain sentences.
pub fn conclude(comparison: &Comparison) -> Vec<String> {
    sentences(comparison, &assess(comparison))
}

pub(super) fn sentences(comparison: &Comparison, assessment: &Assessment) -> Vec<String> {
    let mut said: Vec<String> = trust::refusals(comparison).into_iter().collect();
    let Some(first) = headline_column(assessment) else {
        said.push("Nothing was measured from which something could be concluded.".to_owned());
        said.extend(trust::in_a_sentence(comparison, assessment));
        return said.into_iter().take(MOST).collect();
    };
    said.push(headline(comparison, assessment, first));
    let doubt = trust::in_a_sentence(comparison, assessment);
    if said.len() + 1 < MOST || doubt.is_none() {
        said.extend(elsewhere(comparison, assessment, first));
    }
    said.extend(doubt);
    said.truncate(MOST);
    said
}

/// The column that the verdict begins with: CPU at the common rate, or the first that has figures.
fn headline_column(assessment: &Assessment) -> Option<&Column> {
    assessment.columns.iter().find(|column| column.absent.is_none() && measured(column).next().is_some())
}

fn measured(column: &Column) -> impl Iterator<Item = (&Cell, &Estimate)> {
    column.cells.iter().filter_map(|cell| Some((cell, cell.level.as_ref()?)))
}

fn cell(column: &Column, subject: usize) -> Option<&Cell> {
    column.cells.iter().find(|cell| cell.subject == subject)
}

/// What is told of a column as a whole.
enum Standing {
    /// These are best; several can't be told from each other. The rest is told to be worse, or there is none.
    Best(Vec<usize>),
    /// Nobody can be told from anybody.
    Equal,
    /// Nothing is told, for this reason.
    Open(Option<Why>),
}

fn standing(column: &Column) -> Standing {
    let why = column.cells.iter().find_map(|cell| match cell.told {
        Told::NotTold(why) => Some(why),
        _ => None,
    });
    let Some(leader) = column.leader else { return Standing::Open(why) };
    let rivals = measured(column).filter(|(cell, _)| cell.subject != leader).count();
    let told = column.cells.iter().any(|cell| !matches!(cell.told, Told::NotTold(_) | Told::Reference));
    if rivals > 0 && !told {
        return Standing::Open(why);
    }
    if rivals > 0 && column.equals.len() >= rivals {
        return Standing::Equal;
    }
    Standing::Best(std::iter::once(leader).chain(column.equals.iter().copied()).collect())
}

/// Who is best by what the verdict rests on, by how much, and how sure that is.
fn headline(comparison: &Comparison, assessment: &Assessment, column: &Column) -> String {
    let load =
        column.shape.map_or(String::new(), |shape| format!(" at {}", load_in_words(comparison, shape)));
    let place = format!("Serving {}{load}", comparison.conditions.handler);
    let what = quality(column.figure);
    let lowest = leading(column);
    let value = lowest.map_or(String::new(), |(subject, level)| {
        format!("{} has {}", name(comparison, subject), wording::figure(column.figure, level.median))
    });
    let kind = kind_of_all(comparison);
    match standing(column) {
        Standing::Best(best) if measured(column).count() == 1 => {
            format!("{place}, {} {what}: nobody else was measured, and {value}.", names(comparison, &best))
        }
        Standing::Best(best) => {
            let verb =
                if best.len() == 1 { verb_for_one(column.figure) } else { verb_for_several(column.figure) };
            let which = if best.len() > 1 { " (which of them can't be told)" } else { "" };
            let measure = cost(comparison, assessment, column, best[0]);
            format!("{place}, {} {verb}{which}: {measure}.", names(comparison, &best))
        }
        Standing::Equal => {
            let up_to = column.cells.iter().filter_map(|cell| match cell.told {
                Told::Same { up_to } => Some(up_to),
                _ => None,
            });
            let most = up_to.fold(0.0, f64::max);
            let within =
                if most > 0.0 { format!(" to within {}", wording::percent(most)) } else { String::new() };
            format!(
                "{place}, no {kind} can be told from the others by {}: they are the same{within}, and {value}.",
                title(column.figure)
            )
        }
        Standing::Open(why) => {
            let why = match why {
                Some(Why::FewRounds { needed }) => {
                    let rounds = count(assessment.rounds, "round", "rounds");
                    format!(" from {rounds}, where it takes {needed}")
                }
                Some(Why::TooNoisy { .. }) => ": the rounds differ too much".to_owned(),
                Some(Why::Flagged { .. } | Why::DependsOnFlagged { .. }) => {
                    ": too many rounds are flagged as doubtful".to_owned()
                }
                Some(Why::GeneratorLimited) => ": the generator was the limit".to_owned(),
                Some(Why::Overloaded) => ": the rate was too high".to_owned(),
                _ => String::new(),
            };
            let seen = if value.is_empty() {
                String::new()
            } else {
                format!("; {value}, the best median, which may be chance")
            };
            format!("{place}, nothing is told of {}{why}{seen}.", title(column.figure))
        }
    }
}

/// Who has the best figure: the leader, or the best median where there is none.
fn leading(column: &Column) -> Option<(usize, &Estimate)> {
    let worth = |level: &Estimate| if column.figure.more_is_better() { -level.median } else { level.median };
    let best = measured(column).min_by(|one, other| worth(one.1).total_cmp(&worth(other.1)));
    let leader = column.leader.and_then(|leader| measured(column).find(|(cell, _)| cell.subject == leader));
    leader.or(best).map(|(cell, level)| (cell.subject, level))
}

/// The leader's figure, and its ratio to the reference; if it is the reference itself, to the best that is told to be
/// worse.
fn cost(comparison: &Comparison, assessment: &Assessment, column: &Column, leader: usize) -> String {
    let Some(level) = cell(column, leader).and_then(|cell| cell.level.as_ref()) else { return String::new() };
    let value = wording::figure(column.figure, level.median);
    let range =
        |of: &Estimate| of.interval.map_or(String::new(), |of| format!(" (95 % interval {})", interval(of)));
    let times = cell(column, leader).and_then(|cell| cell.ratio.as_ref());
    match (times, assessment.reference) {
        (Some(times), Some(reference)) if reference != leader => {
            format!(
                "{value}, {} of **{}**{}",
                ratio(times.median),
                comparison.subjects[reference].name.replace('*', "∗"),
                range(times)
            )
        }
        _ => {
            let told = column.cells.iter().filter(|cell| cell.told.is_difference());
            let times = |cell: &&Cell| cell.ratio.map_or(f64::INFINITY, |ratio| ratio.median.ln().abs());
            let next = told.min_by(|one, other| times(one).total_cmp(&times(other)));
            next.and_then(|next| Some((next, next.ratio?))).map_or(value.clone(), |(next, times)| {
                let next = name(comparison, next.subject);
                format!("{value}; {next}, the next, has {} of it{}", ratio(times.median), range(&times))
            })
        }
    }
}

fn quality(figure: Figure) -> &'static str {
    match figure {
        Figure::CpuAtRate | Figure::CpuAtSaturation => "uses server CPU for each message",
        Figure::HighestRate => "keeps the objective up to a rate",
        Figure::TailLatency | Figure::Isolation => "has a p99 latency",
        Figure::Memory => "uses memory for each idle connection",
    }
}

fn verb_for_one(figure: Figure) -> &'static str {
    match figure {
        Figure::CpuAtRate | Figure::CpuAtSaturation => "uses the least server CPU per message",
        Figure::HighestRate => "keeps the objective at the highest rate",
        Figure::TailLatency => "has the lowest p99 latency",
        Figure::Memory => "uses the least memory",
        Figure::Isolation => "has the lowest p99 beside hostile clients",
    }
}

fn verb_for_several(figure: Figure) -> &'static str {
    match figure {
        Figure::CpuAtRate | Figure::CpuAtSaturation => "use the least server CPU per message",
        Figure::HighestRate => "keep the objective at the highest rate",
        Figure::TailLatency => "have the lowest p99 latency",
        Figure::Memory => "use the least memory",
        Figure::Isolation => "have the lowest p99 beside hostile clients",
    }
}

/// Who is best by the other columns, in one sentence.
fn elsewhere(comparison: &Comparison, assessment: &Assessment, first: &Column) -> Option<String> {
    let others =
        assessment.columns.iter().filter(|column| column.figure != first.figure && column.absent.is_none());
    let mut clauses = Vec::new();
    let mut equal = Vec::new();
    for column in others {
        match standing(column) {
            Standing::Best(best) if best.len() <= 3 && measured(column).count() > 1 => {
                let Some(level) = cell(column, best[0]).and_then(|cell| cell.level.as_ref()) else {
                    continue;
                };
                let value = wording::figure(column.figure, level.median);
                clauses.push(format!(
                    "{} {} ({value})",
                    phrase(comparison, column),
                    names(comparison, &best)
                ));
            }
            Standing::Best(_) => {}
            Standing::Equal => equal.push(title(column.figure).to_owned()),
            Standing::Open(Some(Why::OnePass)) => clauses.extend(range(comparison, column)),
            Standing::Open(_) => {}
        }
    }
    if !equal.is_empty() {
        clauses.push(format!("in {} no difference is told", list(&equal)));
    }
    let mut sentence = clauses.join("; ");
    let first = sentence.chars().next()?;
    sentence.replace_range(..first.len_utf8(), &first.to_uppercase().to_string());
    Some(format!("{sentence}."))
}

/// What is said before those who are best in a column.
fn phrase(comparison: &Comparison, column: &Column) -> String {
    let load = column.shape.map_or(String::new(), |shape| load_in_words(comparison, shape));
    match column.figure {
        Figure::CpuAtRate => format!("at {load} the least CPU is used by"),
        Figure::CpuAtSaturation => format!("kept busy by {load}, the least CPU is used by"),
        Figure::HighestRate => "the highest rate within the objective is that of".to_owned(),
        Figure::TailLatency => "the lowest p99 is that of".to_owned(),
        Figure::Memory => "the least memory per idle connection is that of".to_owned(),
        Figure::Isolation => "beside hostile clients the lowest p99 is that of".to_owned(),
    }
}

/// From where to where the figures of a column reach of which nothing is told.
fn range(comparison: &Comparison, column: &Column) -> Option<String> {
    let by = |one: &(&Cell, &Estimate), other: &(&Cell, &Estimate)| one.1.median.total_cmp(&other.1.median);
    let (least, most) = (measured(column).min_by(by)?, measured(column).max_by(by)?);
    let value = |of: &Estimate| wording::figure(column.figure, of.median);
    (least.0.subject != most.0.subject).then(|| {
        format!(
            "in one pass, {} {} from about {} ({}) to {} ({})",
            title(column.figure),
            if column.figure == Figure::Memory { "per idle connection went" } else { "went" },
            value(least.1),
            name(comparison, least.0.subject),
            value(most.1),
            name(comparison, most.0.subject)
        )
    })
}
