//! What stands below the first screen: details, noise and validity, conditions, and how to read it.

use maud::{Markup, html};

use super::{figure, with_notes};
use crate::report::contents::Contents;
use crate::report::wording::{count, percent, time, title};
use crate::report::{plots, trust};
use crate::statistics::{Assessment, Figure};
use crate::{Comparison, Sample};

/// So many flagged samples are named.
const SHOWN: usize = 12;

pub(super) fn details(comparison: &Comparison, contents: &Contents) -> Markup {
    html! {
        @if !contents.details.is_empty() {
            h2 { "Details by load" }
            p.note { "Medians over the rounds, each with its 95 % interval, which takes at least six rounds. No verdict rests on these figures." }
            @for table in &contents.details {
                h3 { (table.title) }
                (with_notes(comparison, table, "details"))
            }
        }
    }
}

/// Noise, checks, flags, and how it was judged.
pub(super) fn validity(comparison: &Comparison, assessment: &Assessment) -> Markup {
    html! {
        h2 { "Noise and validity" }
        (noise(comparison, assessment))
        (figure(&plots::noise(comparison, assessment)))
        (isolation(comparison, assessment))
        (checks(comparison))
        (flags(comparison, assessment))
    }
}

/// How much the reference differs from itself.
fn noise(comparison: &Comparison, assessment: &Assessment) -> Markup {
    let twin = assessment.control.and_then(|control| comparison.subjects[control].control_of.clone());
    let rows = trust::noise_rows(comparison, assessment);
    html! {
        @match twin {
            None => p {
                strong { "The reference did not run twice" }
                ", so it is not known how much two runs of the same server differ. Differences below 3 % are taken \
                 for noise; be careful with the rest."
            },
            Some(twin) => p {
                "In each round " strong { (twin) } " ran twice. Both runs are of the same server, so whatever they differ \
                 by is noise. Over all rounds that averages out; what is left is seen by the interval of the ratio of \
                 one run to the other (A/A). A difference from the reference, which is the mean of both runs, counts \
                 only beyond half of that interval, and beyond 3 % (6 % for the highest rate, one step of its search)."
            }
        }
        @if !rows.is_empty() {
            div.scroll.wrap tabindex="0" {
                table {
                    thead { tr { @for heading in trust::NOISE_HEADINGS { th scope="col" { (heading) } } } }
                    tbody {
                        @for [name, rest @ ..] in &rows {
                            tr { th scope="row" { (name) } @for cell in rest { td { (cell) } } }
                        }
                    }
                }
            }
        }
    }
}

/// What hostile clients did to the good ones' latency.
fn isolation(comparison: &Comparison, assessment: &Assessment) -> Markup {
    let column = assessment.columns.iter().find(|column| column.figure == Figure::Isolation);
    let rows = column.map(trust::over_alone).unwrap_or_default();
    html! {
        @if !rows.is_empty() {
            h3 { "Beside hostile clients" }
            dl { @for (subject, said) in &rows { dt { (comparison.subjects[*subject].name) } dd { (said) } } }
        }
    }
}

/// What is checked, its value in a sample, how that is written, and from where on it is flagged.
type Check = (&'static str, fn(&Sample) -> Option<f64>, fn(f64) -> String, &'static str);

/// The generator's checks of itself: the median and the worst over all samples, beside what is flagged.
fn checks(comparison: &Comparison) -> Markup {
    let of = |value: fn(&Sample) -> Option<f64>| -> Option<(f64, f64)> {
        let values = comparison.samples.iter().filter_map(value).filter(|value| value.is_finite());
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        Some((*values.get(values.len() / 2)?, *values.last()?))
    };
    let checks: [Check; 4] = [
        (
            "busiest thread of the load generator",
            |of| Some(of.generator_busy),
            percent,
            "above 80 % of a core",
        ),
        ("lateness of sending, p99", |of| Some(of.send_lag), time, "above half of the p99 latency"),
        (
            "Little's law: messages in flight against rate × latency",
            |of| of.littles_error,
            percent,
            "above 5 %",
        ),
        ("time stolen by the host", |of| Some(of.steal), percent, "above 2 %"),
    ];
    html! {
        @if !comparison.samples.is_empty() {
            h3 { "Checks of the measuring itself" }
            div.scroll.wrap tabindex="0" {
                table {
                    thead {
                        tr {
                            th scope="col" { "check" } th scope="col" { "median" } th scope="col" { "worst" }
                            th.text scope="col" { "flagged when" }
                        }
                    }
                    tbody {
                        @for (name, value, word, limit) in checks {
                            @let (median, worst) = of(value).map_or(("–".to_owned(), "–".to_owned()), |(median, worst)| (word(median), word(worst)));
                            tr { th scope="row" { (name) } td { (median) } td { (worst) } td.text { (limit) } }
                        }
                    }
                }
            }
        }
    }
}

/// The flagged measurements.
fn flags(comparison: &Comparison, assessment: &Assessment) -> Markup {
    let flagged = trust::flags(comparison);
    let columns = trust::flagged_rounds(assessment);
    html! {
        h3 { "Flagged measurements" }
        @if flagged.is_empty() {
            p { "No measurement is flagged as doubtful." }
        } @else {
            p {
                @if let Some(said) = trust::flags_in_words(comparison) { (said) ". " }
                "A busy or late load generator and an error of Little's law make latencies, throughput and the highest rate \
                 doubtful, but not CPU; time stolen by the host makes everything doubtful. No measurement is dropped. \
                 Every figure is judged twice, with and without the rounds that are flagged for it: there is a verdict \
                 only if both agree, and if at most a third of its rounds are flagged."
                @if !columns.is_empty() {
                    " Flagged rounds of the server that has most of them: "
                    @for (index, (figure, rounds)) in columns.iter().enumerate() {
                        @if index > 0 { ", " }
                        (title(*figure)) " " (rounds) " of " (assessment.rounds)
                    }
                    "."
                }
            }
            ul {
                @for said in flagged.iter().take(SHOWN) { li { (said) } }
                @if flagged.len() > SHOWN { li { "and " (flagged.len() - SHOWN) " more, in the data below" } }
            }
        }
    }
}

pub(super) fn conditions(comparison: &Comparison, contents: &Contents) -> Markup {
    let handlers = trust::handlers(comparison);
    html! {
        h2 { "Conditions" }
        dl { @for (name, value) in &contents.conditions { dt { (name) } dd { (value) } } }
        @if !handlers.is_empty() {
            h3 { "Where each of " (count(handlers.len(), "server", "servers")) " runs the handler" }
            dl { @for (name, place) in &handlers { dt { (name) } dd { (place) } } }
        }
    }
}

/// The words of the page.
const GLOSSARY: [(&str, &str); 11] = [
    (
        "CPU per message",
        "CPU time of the server's processes, kernel included, for each reply: what a message costs.",
    ),
    (
        "better, worse",
        "the difference from the reference is larger than the noise, and if all were equal, chance would make such a \
         difference anywhere in the column in at most 5 of 100 comparisons.",
    ),
    (
        "same",
        "no difference that counts: if there is one, it is at most as large as the cell says, and at most 10 %.",
    ),
    ("not told", "the rounds allow no verdict; a note below the first table says why."),
    (
        "interval",
        "the range that contains the true figure in 95 of 100 comparisons, seen by how the rounds differ.",
    ),
    (
        "round",
        "every server is started afresh and measured once, in an order that changes so that none has an advantage.",
    ),
    ("noise, A/A", "how much two runs of the same server differ, measured in the same rounds."),
    (
        "flagged",
        "something makes a round doubtful for a figure: time stolen by the host for all of them, a busy or late load \
         generator for latency, throughput and the highest rate.",
    ),
    (
        "open loop, rate",
        "messages are sent on schedule whether or not replies come; latency counts from the scheduled time.",
    ),
    (
        "closed loop, saturation",
        "each connection sends its next message when a reply has come; it shows cost, not latency.",
    ),
    ("p99", "99 of 100 messages were answered within this time."),
];

/// How to read it.
pub(super) fn glossary() -> Markup {
    html! {
        h2 { "How to read it" }
        p.note {
            "Start with the column that you pay for: CPU per message at your rate, memory if you have many idle connections, \
             p99 latency if users wait. Servers with a marked figure in that column are the best of it, or can't be told \
             apart from the best. If all servers were equal, at most 5 of 100 comparisons would call any of them better \
             or worse in a column."
        }
        p.note {
            "For statisticians: intervals and p are from Wilcoxon's signed ranks of the rounds' ratios. Because several \
             servers are judged at once, p is at least that of Friedman's test that all are equal, and Holm's method \
             adjusts it, once among the comparisons with the reference and once among those of any two."
        }
        dl.glossary { @for (word, meaning) in GLOSSARY { dt { (word) } dd { (meaning) } } }
    }
}
