//! The sections below the first screen: details, noise and validity, conditions, and the glossary.

use maud::{Markup, html};

use super::{figure, with_notes};
use crate::report::contents::Contents;
use crate::report::wording::{count, percent, time, title_in_words};
use crate::report::{plots, validity};
use crate::statistics::{Assessment, Figure};
use crate::{Comparison, Sample};

/// At most this many flagged samples are listed.
const SHOWN: usize = 12;

pub(super) fn details(comparison: &Comparison, contents: &Contents) -> Markup {
    html! {
        @if !contents.details.is_empty() {
            h2 { "Details by load" }
            p.note { "Medians over the rounds, each with its 95 % interval, which takes at least six rounds. \
                These figures have no verdicts." }
            @for table in &contents.details {
                h3 { (table.title) }
                (with_notes(comparison, table, "details"))
            }
        }
    }
}

/// Noise, isolation, checks, and flags.
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

/// How much two runs of the reference differ.
fn noise(comparison: &Comparison, assessment: &Assessment) -> Markup {
    let reference = assessment.control.and_then(|control| comparison.subjects[control].control_of.clone());
    let rows = validity::noise_rows(comparison, assessment);
    html! {
        @match reference {
            None => p {
                strong { "The reference did not run twice" }
                ", so the noise is unknown. Differences below 3 % count as noise; treat larger ones with care."
            },
            Some(reference) => p {
                "In each round " strong { (reference) } " ran twice. Any difference between the two runs is noise. Over \
                 all rounds it averages out; the interval of the ratio of one run to the other shows how much remains \
                 (A/A test). A difference from the reference, which is the mean of both runs, counts only \
                 beyond half of that interval, and beyond 3 % (6 % for the highest rate, one step of its search)."
            }
        }
        @if !rows.is_empty() {
            div.scroll.wrap tabindex="0" {
                table {
                    thead { tr { @for heading in validity::NOISE_HEADINGS { th scope="col" { (heading) } } } }
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

/// The latency of normal clients beside hostile ones.
fn isolation(comparison: &Comparison, assessment: &Assessment) -> Markup {
    let column = assessment.columns.iter().find(|column| column.figure == Figure::Isolation);
    let rows = column.map(validity::isolation_ratio).unwrap_or_default();
    html! {
        @if !rows.is_empty() {
            h3 { "Beside hostile clients" }
            dl { @for (subject, said) in &rows { dt { (comparison.subjects[*subject].name) } dd { (said) } } }
        }
    }
}

/// A check's name, its value in a sample, how the value is written, and when a sample is flagged.
type Check = (&'static str, fn(&Sample) -> Option<f64>, fn(f64) -> String, &'static str);

/// The generator's checks of itself: the median and the worst over all samples, and the limit.
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
            h3 { "Checks of the measurement itself" }
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
    let flagged = validity::flags(comparison);
    let columns = validity::flagged_rounds(assessment);
    html! {
        h3 { "Flagged measurements" }
        @if flagged.is_empty() {
            p { "No measurement is flagged as doubtful." }
        } @else {
            p {
                @if let Some(said) = validity::flags_in_words(comparison) { (said) ". " }
                "A busy or late load generator and an error of Little's law make latencies, throughput and the highest rate \
                 doubtful, but not CPU; time stolen by the host makes everything doubtful. No measurement is dropped. \
                 Every figure is tested twice, with and without the rounds that are flagged for it: there is a verdict \
    only if both agree and at most a third of its rounds are flagged."
                @if !columns.is_empty() {
                    " Most flagged rounds of one server: "
                    @for (index, (column, rounds)) in columns.iter().enumerate() {
                        @if index > 0 { ", " }
                        (title_in_words(comparison, column)) " " (rounds) " of " (assessment.rounds)
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
    let handlers = validity::handlers(comparison);
    html! {
        h2 { "Conditions" }
        dl { @for (name, value) in &contents.conditions { dt { (name) } dd { (value) } } }
        @if !handlers.is_empty() {
            h3 { "Where each of " (count(handlers.len(), "server", "servers")) " runs the handler" }
            dl { @for (name, place) in &handlers { dt { (name) } dd { (place) } } }
        }
    }
}

/// The terms of the page.
const GLOSSARY: [(&str, &str); 12] = [
    (
        "CPU per message",
        "CPU time of the server's processes, kernel included, for each reply: the cost of a message.",
    ),
    (
        "better, worse",
        "the difference from the reference is larger than the noise, and if all servers were equal, chance would produce \
such a difference anywhere in the column in at most 5 of 100 comparisons.",
    ),
    ("same", "no relevant difference: it is at most as large as the cell says, and never more than 10 %."),
    ("no verdict", "the rounds don't support a verdict; a note below the first table says why."),
    (
        "interval",
        "the range that contains the true figure in 95 of 100 comparisons, derived from the differences between rounds.",
    ),
    (
        "round",
        "every server is started again and measured once, in an order that changes so that none has an advantage.",
    ),
    ("noise, A/A", "how much two runs of the same server differ, measured in the same rounds."),
    (
        "flagged",
        "something makes a round doubtful for a figure: time stolen by the host for every figure, a busy or late load \
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
    (
        DELIVERY,
        "a message that a subscriber has received; its delay counts from the sending of the message to the server.",
    ),
];

/// The term that only pages with subscribers have.
const DELIVERY: &str = "delivery";

/// How to read it.
pub(super) fn glossary(comparison: &Comparison) -> Markup {
    let used = GLOSSARY.iter().filter(|(word, _)| *word != DELIVERY || comparison.has_subscribers());
    html! {
        h2 { "How to read it" }
        p.note {
            "Start with the column that matters to you: CPU per message at your rate, memory if you have many idle \
    connections, p99 latency if users wait. Marked figures are the best of their column, or can't be told apart \
    from the best. If all servers were equal, at most 5 of 100 comparisons would call any of them better or worse \
    in a column."
        }
        p.note {
            "For statisticians: intervals and p come from Wilcoxon's signed rank test of the rounds' ratios. Because several \
    servers are tested at once, p is at least that of Friedman's test that all are equal, and is adjusted by Holm's \
    method, once among the comparisons with the reference and once among all pairs."
        }
        dl.glossary { @for (word, meaning) in used { dt { (word) } dd { (meaning) } } }
    }
}
