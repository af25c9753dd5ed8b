//! What has become better or worse: since a stored comparison, and from another build to this one.

use compare::Comparison;
use compare::statistics::{Build, Change, Changes, Drift, Estimate, Interval, Told, Why, builds};
use compare::statistics::{Outcome as Verdict, WORTHWHILE};

use crate::exit::Outcome;

/// What has changed since a stored comparison, and how that ends.
pub(super) fn since(changes: &Changes) -> (String, Outcome) {
    let outcome = match changes.outcome() {
        Verdict::Passed => Outcome::Passed,
        Verdict::Regressed => Outcome::Regressed,
        Verdict::CouldNotTell => Outcome::Undecided,
    };
    let lines: String = describe(changes).iter().map(|line| format!("  {line}\n")).collect();
    (lines, outcome)
}

/// What has changed, a line for each fact.
fn describe(changes: &Changes) -> Vec<String> {
    let differs = |(name, then, now): &(String, String, String)| {
        format!("another machine: {name} was {then:?}, is {now:?}, so a change may be the machine's")
    };
    let mut lines: Vec<String> = changes.machine.iter().map(differs).collect();
    lines.extend(changes.gaps.iter().map(ToString::to_string));
    lines.extend(changes.changes.iter().filter_map(line));
    if changes.changes.iter().all(|change| matches!(change.drift, Drift::Unchanged | Drift::NotTold)) {
        lines.push("no change was seen".to_owned());
    }
    lines.push(match changes.smallest() {
        Some(smallest) => {
            format!("the smallest change in server CPU per message that could be seen: {}", percent(smallest))
        }
        None => "no change could be seen, however large: there are too few rounds in one of them".to_owned(),
    });
    lines
}

/// A change, or why it is not known whether there is one; `None` if nothing has changed.
fn line(change: &Change) -> Option<String> {
    let Change { subject, shape, metric, ratio, interval, .. } = change;
    let of_what = format!("{subject} {shape}, {}", metric.name());
    let known = |word| Some(format!("{of_what}: {}: {word}", ratio_in_words(*ratio, *interval)));
    match change.drift {
        Drift::Regressed => known("WORSE"),
        Drift::Improved => known("better"),
        Drift::Unchanged => None,
        Drift::NotTold => Some(match change.smallest.filter(|smallest| *smallest > WORTHWHILE) {
            Some(smallest) => {
                format!("{of_what}: could not tell; a change below {} could not be seen", percent(smallest))
            }
            None => format!("{of_what}: could not tell; too few rounds, or too many that are flagged"),
        }),
    }
}

/// What this build does better or worse than the other one, and how that ends; nothing if there is no other build.
pub(super) fn between_builds(comparison: &Comparison) -> Option<(String, Outcome)> {
    let builds = builds(comparison);
    if builds.is_empty() {
        return None;
    }
    let mut text = String::from("this build against the other, by server CPU per message\n");
    for build in &builds {
        text.push_str(&build_line(comparison, build));
    }
    let outcome = Outcome::of(&[
        (builds.iter().any(|build| matches!(build.told, Told::NotTold(_))), Outcome::Undecided),
        (builds.iter().any(|build| build.told == Told::Worse), Outcome::Regressed),
    ]);
    Some((text, outcome))
}

fn build_line(comparison: &Comparison, build: &Build) -> String {
    let name = &comparison.subjects[build.subject].name;
    let load = &comparison.shapes[build.shape].name;
    let ratio = build.ratio.map_or(String::new(), |Estimate { median, interval, .. }| {
        format!(" {}:", ratio_in_words(median, interval))
    });
    format!("  {name} {load}:{ratio} {}\n", told(build.told))
}

fn told(told: Told) -> String {
    match told {
        Told::Reference => "the reference".to_owned(),
        Told::Better => "better".to_owned(),
        Told::Worse => "WORSE".to_owned(),
        Told::Same { up_to } => format!("same, within {}", percent(up_to)),
        Told::NotTold(why) => format!("not told; {}", reason(why)),
    }
}

fn reason(why: Why) -> String {
    match why {
        Why::TooNoisy { more_rounds } => {
            format!("the rounds differ too much; about {more_rounds} more would tell")
        }
        Why::Flagged { of } | Why::DependsOnFlagged { of } => format!("{of} rounds are flagged as doubtful"),
        Why::FewRounds { needed } => format!("it takes {needed} rounds or more"),
        Why::GeneratorLimited => "the generator was the limit".to_owned(),
        Why::Overloaded => "it was overloaded".to_owned(),
        Why::OnePass => "it was measured once".to_owned(),
        Why::Failed => "it failed".to_owned(),
        Why::NotMeasured => {
            format!(
                "it was not measured, so that a change of {:.0} % may be there unseen",
                WORTHWHILE * 100.0
            )
        }
    }
}

fn ratio_in_words(ratio: f64, interval: Option<Interval>) -> String {
    match interval {
        Some(Interval { low, high, .. }) => format!("{ratio:.2}x ({low:.2} to {high:.2})"),
        None => format!("{ratio:.2}x"),
    }
}

fn percent(part: f64) -> String {
    format!("{:.0} %", part * 100.0)
}
