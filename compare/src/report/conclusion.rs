//! The verdict in one paragraph. A name stands between two pairs of asterisks, as in Markdown.

use super::summary::{bytes_per_connection, shape_title, sustained};
use super::wording::{bytes, interval, list, percent, rate, ratio, time, value};
use crate::Comparison;
use crate::statistics::former::estimate::{ENOUGH_TO_RESAMPLE, Method};
use crate::statistics::former::{Assessment, Estimate, Metric, Standing, Verdict, assess};

/// The verdict in a few plain sentences, the first of which stands alone.
pub fn conclude(comparison: &Comparison) -> Vec<String> {
    sentences(comparison, &assess(comparison))
}

pub(super) fn sentences(comparison: &Comparison, assessment: &Assessment) -> Vec<String> {
    let mut sentences = headline(comparison, assessment);
    sentences.extend(elsewhere(comparison, assessment));
    sentences.extend(curves(comparison, assessment));
    for (subject, why) in &assessment.failed {
        sentences.push(format!("{} FAILED and is not ranked: {why}.", name(comparison, *subject)));
    }
    for (subject, why) in &assessment.unavailable {
        sentences.push(format!("{} is not available here: {why}.", name(comparison, *subject)));
    }
    sentences.extend(doubts(comparison, assessment));
    sentences
}

fn name(comparison: &Comparison, subject: usize) -> String {
    format!("**{}**", comparison.subjects.get(subject).map_or("unknown", |subject| &subject.name))
}

fn names<'a>(comparison: &Comparison, subjects: impl IntoIterator<Item = &'a usize>) -> String {
    list(&subjects.into_iter().map(|&subject| name(comparison, subject)).collect::<Vec<_>>())
}

/// Who is best by the headline metric, by how much, and how sure that is.
fn headline(comparison: &Comparison, assessment: &Assessment) -> Vec<String> {
    let standing = assessment.headline(comparison);
    let (Some(shape), Some(standing)) = (assessment.headline_shape, standing) else {
        return vec!["Nothing was measured from which something could be concluded.".to_owned()];
    };
    let place = format!("Serving {} to {}", comparison.conditions.handler, shape_title(comparison, shape));
    let leader = name(comparison, standing.leader);
    let level = assessment.row(shape, standing.leader, Metric::HEADLINE).map(|row| row.level);
    let cost = level.map(|level| time(level.median)).unwrap_or_default();
    if standing.others.is_empty() {
        return vec![format!(
            "{place}, {leader} uses {cost} of server CPU per message; nobody else was measured."
        )];
    }
    let beside = beside_another(comparison, assessment, shape, &standing);
    let equals: Vec<usize> = standing.equals().map(|&(subject, ..)| subject).collect();
    let mut said = Vec::new();
    if equals.len() == standing.others.len() {
        said.push(format!(
            "{place}, no backend can be told from the others by server CPU per message. {leader} has the lowest \
             median, {cost}{beside}."
        ));
    } else if equals.is_empty() {
        said.push(format!("{place}, {leader} uses the least server CPU per message: {cost}{beside}."));
    } else {
        let together: Vec<usize> = std::iter::once(standing.leader).chain(equals).collect();
        said.push(format!(
            "{place}, {} use the least server CPU per message, and the rounds don't tell which of them. {leader} \
             has the lowest median, {cost}{beside}.",
            names(comparison, &together)
        ));
    }
    said.extend(uncertainty(comparison, &standing));
    said
}

/// The leader's ratio to the reference, with interval and noise; if it is the reference itself, that of the next
/// to it.
fn beside_another(
    comparison: &Comparison,
    assessment: &Assessment,
    shape: usize,
    standing: &Standing,
) -> String {
    let noise = match assessment.shapes[shape].floor(Metric::HEADLINE).control.and_then(|of| of.interval) {
        Some(control) => format!("two runs of the same differ by ±{}", percent(control.half_width())),
        None => "how much two runs of the same differ is not known".to_owned(),
    };
    let range = |estimate: &Estimate| match estimate.interval {
        Some(range) => format!("95 % interval {}", interval(range)),
        None => "from one round".to_owned(),
    };
    let Some(reference) = assessment.shapes[shape].reference else { return String::new() };
    if reference == standing.leader {
        let told = standing.others.iter().filter(|(.., verdict)| verdict.is_difference());
        let next = told.min_by(|one, other| one.1.median.total_cmp(&other.1.median));
        return next.map_or(String::new(), |(subject, estimate, _)| {
            let (next, times) = (name(comparison, *subject), ratio(estimate.median));
            format!(
                "; {next}, the next that is told from it, uses {times} as much ({}; {noise})",
                range(estimate)
            )
        });
    }
    let against = standing.others.iter().find(|(subject, ..)| *subject == reference);
    let row = assessment.row(shape, standing.leader, Metric::HEADLINE);
    let (Some((.., verdict)), Some(estimate)) = (against, row.and_then(|row| row.ratio)) else {
        return String::new();
    };
    let (times, reference) = (ratio(estimate.median), name(comparison, reference));
    let within = if verdict.is_difference() { "" } else { ", which may be chance" };
    format!(", {times} what {reference} uses{within} ({}; {noise})", range(&estimate))
}

/// How large the differences may be that were not seen, and what would show them.
fn uncertainty(comparison: &Comparison, standing: &Standing) -> Option<String> {
    let mut largest: f64 = 0.0;
    let mut noisy = Vec::new();
    let mut rounds = 0;
    for (subject, _, verdict) in &standing.others {
        match verdict {
            Verdict::NoDifferenceSeen { up_to } => largest = largest.max(*up_to),
            Verdict::TooNoisy { more_rounds } => {
                rounds = rounds.max(*more_rounds);
                noisy.push(*subject);
            }
            Verdict::Better { .. } | Verdict::Worse { .. } => {}
        }
    }
    if !noisy.is_empty() {
        let who = names(comparison, &noisy);
        return Some(format!("For {who} it is too noisy to tell; about {rounds} more rounds would."));
    }
    (largest > 0.0)
        .then(|| format!("If there is a difference that wasn't seen, it is at most {}.", percent(largest)))
}

/// Who is best by what users notice: the tail of the latency at an offered rate, throughput in a closed loop.
fn elsewhere(comparison: &Comparison, assessment: &Assessment) -> Vec<String> {
    let mut said = Vec::new();
    let mut untold = Vec::new();
    for (shape, load) in comparison.shapes.iter().enumerate() {
        let metric = if load.rate.is_some() { Metric::TailLatency } else { Metric::Throughput };
        let Some(standing) = assessment.standing(comparison, shape, metric) else { continue };
        let Some(row) = assessment.row(shape, standing.leader, metric) else { continue };
        if standing.others.is_empty() {
            continue;
        }
        let equals: Vec<usize> = standing.equals().map(|&(subject, ..)| subject).collect();
        let (place, what) = (shape_title(comparison, shape), value(metric, row.level.median));
        let best = if load.rate.is_some() { "has the lowest p99" } else { "answers most" };
        let leader = name(comparison, standing.leader);
        if equals.len() == standing.others.len() {
            untold.push(format!("{} with {place}", metric.name()));
        } else if equals.is_empty() {
            said.push(format!("With {place} {leader} {best}: {what}."));
        } else {
            let others = names(comparison, &equals);
            said.push(format!("With {place} {leader} {best}, {what}, but {others} can't be told from it."));
        }
    }
    if !untold.is_empty() {
        said.push(format!("No difference can be told in {}.", list(&untold)));
    }
    said
}

/// What the curves show; they are screening, and say so.
fn curves(comparison: &Comparison, assessment: &Assessment) -> Vec<String> {
    let mut said = Vec::new();
    let of_all = |fact: &dyn Fn(usize) -> Option<f64>| -> Vec<(usize, f64)> {
        assessment.ranked.iter().filter_map(|&subject| Some((subject, fact(subject)?))).collect()
    };
    let last_kept = of_all(&|subject| sustained(comparison, subject));
    let best = last_kept.iter().max_by(|one, other| one.1.total_cmp(&other.1));
    if let Some(&(_, most)) = best.filter(|_| last_kept.len() > 1) {
        let first: Vec<usize> = last_kept.iter().filter(|of| of.1 >= most).map(|of| of.0).collect();
        let limit =
            comparison.conditions.slo.map_or(String::new(), |slo| format!(" with p99 within {}", time(slo)));
        let who = names(comparison, &first);
        said.push(format!(
            "When rates were swept {who} kept up with the highest rate{limit}: {}.",
            rate(most)
        ));
    }
    let slopes = of_all(&|subject| bytes_per_connection(comparison, subject).map(|(slope, _)| slope));
    let least = slopes.iter().min_by(|one, other| one.1.total_cmp(&other.1));
    let most = slopes.iter().max_by(|one, other| one.1.total_cmp(&other.1));
    if let (Some(least), Some(most)) = (least, most)
        && least.0 != most.0
    {
        let (small, large) = (name(comparison, least.0), name(comparison, most.0));
        said.push(format!(
            "An idle connection costs between {} ({small}) and {} ({large}) of memory.",
            bytes(least.1),
            bytes(most.1)
        ));
    }
    said.extend(suffering(comparison, assessment));
    said
}

/// Whose good clients suffer from hostile ones, where these are most.
fn suffering(comparison: &Comparison, assessment: &Assessment) -> Option<String> {
    let share =
        comparison.isolation.iter().map(|point| point.hostile_percent).max().filter(|share| *share > 0)?;
    let at = |subject, percent| {
        comparison.isolation.iter().find(|of| of.subject == subject && of.hostile_percent == percent)
    };
    let suffers = |&subject: &usize| {
        let (alone, beside) = (at(subject, 0)?, at(subject, share)?);
        let who = name(comparison, subject);
        if beside.overloaded {
            return Some(format!("{who} can't keep up with the good ones"));
        }
        let factor = beside.p99 / alone.p99;
        (factor.is_finite() && factor > WORTH_SAYING)
            .then(|| format!("{who}'s p99 for the good ones grows {factor:.0}-fold"))
    };
    let all: Vec<String> = assessment.ranked.iter().filter_map(suffers).collect();
    (!all.is_empty()).then(|| format!("When {share} % of the clients are hostile, {}.", list(&all)))
}

/// A tail that hostile clients make so many times longer is worth saying, even from one pass.
const WORTH_SAYING: f64 = 3.0;

/// What a reader must know before believing any of it.
fn doubts(comparison: &Comparison, assessment: &Assessment) -> Vec<String> {
    let mut said = Vec::new();
    let (flagged, rounds) = (assessment.flagged_rounds.len(), assessment.rounds);
    if flagged > 0 {
        let verb = if flagged == 1 { "is" } else { "are" };
        let consequence = consequence_of_flags(comparison, assessment);
        let metric = Metric::HEADLINE.name();
        said.push(format!(
            "By {metric}, {flagged} of {rounds} rounds {verb} flagged as doubtful; {consequence}."
        ));
    }
    if comparison.interrupted {
        let asked = comparison.conditions.rounds;
        said.push(format!("The comparison was interrupted after {rounds} of {asked} rounds."));
    }
    let leader = assessment.headline(comparison).map(|standing| standing.leader);
    if let Some(subject) = leader.and_then(|leader| comparison.subjects.get(leader))
        && let Some(why) = &subject.legacy
    {
        said.push(format!("**{}** is legacy: {why}.", subject.name));
    }
    if comparison.conditions.tier == "quick" {
        said.push("This was a quick run: screening only.".to_owned());
    }
    if is_by_student(assessment) {
        said.push(format!("With fewer than {ENOUGH_TO_RESAMPLE} rounds the intervals are Student's."));
    }
    said
}

/// What would be otherwise without the flagged rounds, as a clause.
pub(super) fn consequence_of_flags(comparison: &Comparison, assessment: &Assessment) -> String {
    let changed = assessment.changed_by_flags().unwrap_or_default();
    if assessment.flagged_rounds.len() == assessment.rounds {
        return "nothing is left without them".to_owned();
    }
    if changed.is_empty() {
        return "without them the verdicts are the same".to_owned();
    }
    let verdicts: Vec<String> = changed
        .iter()
        .map(|&(shape, subject)| {
            format!("{} ({})", name(comparison, subject), shape_title(comparison, shape))
        })
        .collect();
    match verdicts.as_slice() {
        [one] => format!("without them the verdict on {one} would be another"),
        several => format!("without them the verdicts on {} would be others", list(several)),
    }
}

fn is_by_student(assessment: &Assessment) -> bool {
    let mut rows = assessment.shapes.iter().flat_map(|shape| &shape.rows);
    rows.any(|row| row.level.method == Method::Student && row.level.interval.is_some())
}
