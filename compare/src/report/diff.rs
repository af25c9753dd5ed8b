//! What has become better or worse: since a stored comparison, or between another build and this one.

use super::contents::{Cell, Column, Row, Table, Tone};
use super::matrix::word_and_tone;
use super::ranking::{why_clause, why_in_short};
use super::text::{Style, table_to_text};
use super::wording::{interval, list, load_in_words, percent, ratio, value};
use crate::Comparison;
use crate::statistics::{Change, Changes, Drift, Metric, RELEVANT_DIFFERENCE, Verdict, Why, builds};

/// The changes between two comparisons, for a terminal: a row for each server, a column for each load and metric, and
/// notes on what could not be compared and the smallest change that could be detected.
pub fn changes_to_text(changes: &Changes, style: Style) -> String {
    table_to_text(&since(changes), style)
}

fn since(changes: &Changes) -> Table {
    let mut columns: Vec<(&str, Metric)> = Vec::new();
    let mut names: Vec<&str> = Vec::new();
    for change in &changes.changes {
        let column = (change.shape.as_str(), change.metric);
        if !columns.contains(&column) {
            columns.push(column);
        }
        if !names.contains(&change.subject.as_str()) {
            names.push(&change.subject);
        }
    }
    let of = |name: &str, column: &(&str, Metric)| {
        let is_it =
            |change: &&Change| change.subject == name && (change.shape.as_str(), change.metric) == *column;
        changes.changes.iter().find(is_it).map(cell).unwrap_or_default()
    };
    let row = |name: &&str| Row::Figures {
        subject: 0,
        name: (*name).to_owned(),
        remark: String::new(),
        cells: columns.iter().map(|column| of(name, column)).collect(),
    };
    let heading = |(shape, metric): &(&str, Metric)| Column {
        heading: metric.name().to_owned(),
        under: (*shape).to_owned(),
        absent: None,
    };
    Table {
        title: "Since the baseline".to_owned(),
        rows: names.iter().map(row).collect(),
        columns: columns.iter().map(heading).collect(),
        notes: notes(changes),
    }
}

fn cell(change: &Change) -> Cell {
    let (word, tone) = match change.drift {
        Drift::Regressed => ("WORSE", Tone::Bad),
        Drift::Improved => ("better", Tone::Good),
        Drift::Unchanged => ("same", Tone::Plain),
        Drift::Undecided => ("no verdict", Tone::Faint),
    };
    let range = change.interval.map_or(String::new(), |of| format!(" ({})", interval(of)));
    let evidence = match (change.drift, change.smallest) {
        (Drift::Undecided, Some(smallest)) if smallest.is_finite() && smallest > RELEVANT_DIFFERENCE => {
            format!("(below {} not detectable)", percent(smallest))
        }
        (Drift::Undecided, None) => "(too few rounds)".to_owned(),
        _ => format!("{}{range}", ratio(change.ratio)),
    };
    Cell {
        figure: value(change.metric, change.levels[1]),
        word: word.to_owned(),
        evidence,
        tone,
        ..Cell::default()
    }
}

fn notes(changes: &Changes) -> Vec<String> {
    let mut notes = vec![
        "Each figure is the new one. The ratio after it is the new figure divided by the baseline's."
            .to_owned(),
    ];
    notes.extend(changes.gaps.iter().map(|gap| format!("Not compared: {gap}.")));
    let differs = |(name, then, now): &(String, String, String)| format!("{name} was {then} and is {now}");
    let different: Vec<String> = changes.machine.iter().map(differs).collect();
    if !different.is_empty() {
        notes.push(format!("Compared although the machines differ: {}.", list(&different)));
    }
    let is_seen = |change: &Change| matches!(change.drift, Drift::Regressed | Drift::Improved);
    if !changes.changes.iter().any(is_seen) {
        notes.push("No change was detected.".to_owned());
    }
    notes.push(match changes.smallest() {
        Some(part) => {
            let part = percent(part);
            format!(
                "The smallest detectable change in server CPU per message is {part}. A change of that size is detected in \
                 about half of all comparisons."
            )
        }
        None => "No change in server CPU per message could be detected, however large: there are too few rounds in one of \
                 them."
            .to_owned(),
    });
    notes
}

/// Each backend of this build compared with the same backend of the other build; `None` if there is no other build.
pub(super) fn between_builds(comparison: &Comparison) -> Option<Table> {
    let builds = builds(comparison);
    let (mut shapes, mut subjects) = (Vec::new(), Vec::new());
    for build in &builds {
        if !shapes.contains(&build.shape) {
            shapes.push(build.shape);
        }
        if !subjects.contains(&build.subject) {
            subjects.push(build.subject);
        }
    }
    let cell = |subject: usize, shape: usize| {
        let Some(build) = builds.iter().find(|of| of.subject == subject && of.shape == shape) else {
            return Cell::default();
        };
        let (word, tone) = word_and_tone(&build.verdict);
        let range = build
            .ratio
            .and_then(|ratio| ratio.interval)
            .map_or(String::new(), |of| format!("({})", interval(of)));
        let evidence = match build.verdict {
            Verdict::Undecided(why) => format!("({})", why_in_short(why)),
            Verdict::Same { up_to } => format!("within\u{a0}{}", percent(up_to)),
            _ => range.clone(),
        };
        let figure = build.ratio.map_or(String::new(), |of| ratio(of.median));
        Cell { figure, word: word.to_owned(), evidence, detail: range, tone, is_best: false }
    };
    let row = |&subject: &usize| Row::Figures {
        subject,
        name: comparison.subjects[subject].name.clone(),
        remark: String::new(),
        cells: shapes.iter().map(|&shape| cell(subject, shape)).collect(),
    };
    let column = |&shape: &usize| Column { heading: load_in_words(comparison, shape), ..Column::default() };
    let mut notes =
        vec!["Each figure is this build's server CPU per message divided by the other's: below 1× this build uses \
              less. All are tested together."
            .to_owned()];
    let why = builds.iter().find_map(|build| match build.verdict {
        Verdict::Undecided(why) if why != Why::NotMeasured => Some(why),
        _ => None,
    });
    notes.extend(why.map(|why| format!("Some have no verdict, because {}.", why_clause(why))));
    (!builds.is_empty()).then(|| Table {
        title: "This build compared with the other, by server CPU".to_owned(),
        rows: subjects.iter().map(row).collect(),
        columns: shapes.iter().map(column).collect(),
        notes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::{Gap, Interval};

    fn change(subject: &str, metric: Metric, ratio: f64, drift: Drift) -> Change {
        Change {
            subject: subject.to_owned(),
            shape: "64 × 16".to_owned(),
            metric,
            levels: [10.0, 10.0 * ratio],
            ratio,
            interval: Some(Interval { low: ratio * 0.97, high: ratio * 1.03 }),
            smallest: Some(0.06),
            drift,
        }
    }

    #[test]
    fn changes_gaps_and_the_smallest_detectable_change_are_reported() {
        let changes = Changes {
            changes: vec![
                change("smol", Metric::Cpu, 1.2, Drift::Regressed),
                change("tokio", Metric::Cpu, 0.8, Drift::Improved),
                Change { smallest: Some(0.2), ..change("smol", Metric::TailLatency, 1.0, Drift::Undecided) },
                change("tokio", Metric::TailLatency, 1.08, Drift::Undecided),
            ],
            gaps: vec![Gap { name: "uring".to_owned(), is_load: false, is_in_baseline: true }],
            machine: vec![("CPU".to_owned(), "A".to_owned(), "B".to_owned())],
        };
        let text = changes_to_text(&changes, Style { width: 120, ..Style::default() });
        let line = |name: &str| text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        assert!(line("smol").contains("12 us  WORSE 1.20x (1.16-1.24)"), "{text}");
        assert!(line("smol").contains("no verdict (below 20 % not detectable)"), "{text}");
        assert!(line("tokio").contains("no verdict 1.08x (1.05-1.11)"), "{text}");
        assert!(line("tokio").contains("8 us  better 0.80x (0.78-0.82)"), "{text}");
        for said in [
            "Not compared: uring was not measured this time.",
            "the machines differ: CPU was A and is B",
            "smallest detectable change in server CPU per message is 6 %.",
        ] {
            assert!(text.contains(said), "{said}: {text}");
        }
    }
}
