//! What has become better or worse: since a stored comparison, and from another build to this one.

use compare::Comparison;
use compare::statistics::{Build, Change, Changes, Drift, Estimate, Interval, Told, Why, builds};
use compare::statistics::{Outcome as Verdict, WORTHWHILE};

use crate::exit::Outcome;

/// What has changed since a stored comparison, and how that ends.
pub(super) fn since(changes: &Changes) -> (String, Outcome) {
    let mut text = String::from("since the baseline\n");
    for (name, then, now) in &changes.machine {
        text.push_str(&format!("  compared even so: {name} was {then}, and is {now}\n"));
    }
    for gap in &changes.gaps {
        text.push_str(&format!("  {gap}\n"));
    }
    let mut said = changes.changes.iter().filter_map(line).peekable();
    if said.peek().is_none() {
        text.push_str("  nothing became better or worse that could not be chance\n");
    }
    said.for_each(|line| text.push_str(&line));
    text.push_str(&match changes.smallest() {
        Some(part) => {
            format!("  a change of {:.0} % in server CPU per message would have been seen\n", part * 100.0)
        }
        None => "  there are too few rounds to see any change in server CPU per message\n".to_owned(),
    });
    let outcome = match changes.outcome() {
        Verdict::Passed => Outcome::Passed,
        Verdict::Regressed => Outcome::Regressed,
        Verdict::CouldNotTell => Outcome::Undecided,
    };
    (text, outcome)
}

/// What is said of a change, if it is more than that there is none.
fn line(change: &Change) -> Option<String> {
    let what = match (change.drift, change.smallest) {
        (Drift::Regressed, _) => "WORSE".to_owned(),
        (Drift::Improved, _) => "better".to_owned(),
        (Drift::Unchanged, _) => return None,
        (Drift::NotTold, Some(part)) => {
            format!("not told; the smallest change that could have been seen is {:.0} %", part * 100.0)
        }
        (Drift::NotTold, None) => "not told; there are too few rounds".to_owned(),
    };
    let Change { subject, shape, metric, ratio, interval, .. } = change;
    Some(format!("  {subject} {shape}, {}: {}: {what}\n", metric.name(), ratio_in_words(*ratio, *interval)))
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
        Told::Same { up_to } => format!("same, within {:.0} %", up_to * 100.0),
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
