//! The verdict in one paragraph. A name stands between two pairs of asterisks, as in Markdown.

use super::summary::{bytes_per_connection, shape_title, sustained};
use super::wording::{bytes, interval, list, percent, rate, ratio, time, value};
use crate::comparison::Comparison;
use crate::statistics::estimate::{ENOUGH_TO_RESAMPLE, Method};
use crate::statistics::{Assessment, Metric, Standing, Verdict, assess};

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
    let place =
        format!("With the handler {} at {}", comparison.conditions.handler, shape_title(comparison, shape));
    let leader = name(comparison, standing.leader);
    let level = assessment.row(shape, standing.leader, Metric::HEADLINE).map(|row| row.level);
    let mut cost = level.map(|level| time(level.median)).unwrap_or_default();
    if let Some(range) = level.and_then(|level| level.interval) {
        cost = format!("{cost} (95 % interval {} to {})", time(range.low), time(range.high));
    }
    if standing.others.is_empty() {
        return vec![format!(
            "{place}, {leader} uses {cost} of server CPU for each message; nobody else was measured."
        )];
    }
    let equals: Vec<usize> = standing.equals().map(|&(subject, ..)| subject).collect();
    let mut said = Vec::new();
    if equals.len() == standing.others.len() {
        said.push(format!("{place}, no backend can be told from {leader}, whose median is the lowest, by server CPU per message: {cost}."));
    } else if equals.is_empty() {
        said.push(format!("{place}, {leader} uses the least server CPU per message: {cost}."));
    } else {
        let others = names(comparison, &equals);
        said.push(format!(
            "{place}, {leader} uses the least server CPU per message: {cost}; {others} can't be told from it."
        ));
    }
    said.extend(against_reference(comparison, assessment, shape, &standing));
    said.extend(uncertainty(comparison, &standing));
    said
}

/// The leader's ratio to the reference; if it is the reference itself, that of the next.
fn against_reference(
    comparison: &Comparison,
    assessment: &Assessment,
    shape: usize,
    standing: &Standing,
) -> Option<String> {
    let noise = match assessment.shapes[shape].floor(Metric::HEADLINE).control {
        Some(control) => {
            let half = control.interval.map_or(0.0, |interval| interval.half_width());
            format!("two runs of the same backend differ by ±{}", percent(half))
        }
        None => "how much two runs of the same backend differ is not known".to_owned(),
    };
    let reference = assessment.shapes[shape].reference?;
    if reference == standing.leader {
        let told = standing.others.iter().filter(|(.., verdict)| verdict.is_difference());
        let (subject, estimate, _) = told.min_by(|one, other| one.1.median.total_cmp(&other.1.median))?;
        let range = estimate.interval.map(interval).unwrap_or_default();
        let next = name(comparison, *subject);
        return Some(format!(
            "The next, {next}, uses {} as much ({range}; {noise}).",
            ratio(estimate.median)
        ));
    }
    let row = assessment.row(shape, standing.leader, Metric::HEADLINE)?;
    let (estimate, reference) = (row.ratio?, name(comparison, reference));
    let range = estimate.interval.map(interval).unwrap_or_default();
    Some(format!("That is {} of what {reference} uses ({range}; {noise}).", ratio(estimate.median)))
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
        said.push(if equals.len() == standing.others.len() {
            format!("With {place} no backend can be told from the others by {}.", metric.name())
        } else if equals.is_empty() {
            format!("With {place} {leader} {best}: {what}.")
        } else {
            let others = names(comparison, &equals);
            format!("With {place} {leader} {best}, {what}, but {others} can't be told from it.")
        });
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
            "In one screening pass {who} kept up with the highest rate{limit}: {}.",
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
        said.push(match assessment.flags_change_verdicts() {
            Some(true) => format!("{flagged} of {rounds} rounds {verb} flagged as doubtful, and without them a verdict would be another."),
            _ if flagged == rounds => "All rounds are flagged as doubtful.".to_owned(),
            _ => format!("{flagged} of {rounds} rounds {verb} flagged as doubtful; without them the verdicts are the same."),
        });
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

pub(super) fn is_by_student(assessment: &Assessment) -> bool {
    let mut rows = assessment.shapes.iter().flat_map(|shape| &shape.rows);
    rows.any(|row| row.level.method == Method::Student && row.level.interval.is_some())
}
