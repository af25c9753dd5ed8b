//! Whether the objectives were met at the rate that is offered to all.
//!
//! Each round is checked by the latency at the objective's percentile; a rate that was not achieved is a miss. `load`,
//! which has every latency of its run, also counts each message that was never answered as slower than any limit; a
//! round only stores whether the rate was achieved.
//!
//! If the rounds agree, that is the result. Otherwise the interval of the latency must lie on one side of the limit.
//! Flagged rounds count as in other verdicts: the result must hold without them too, and is unknown if more than a
//! third is flagged, or with fewer than [`MIN_ROUNDS`] rounds. A latency that is [`FAR`] from the limit in every round
//! decides in any case.

use load::measurement::too_many_refused;
use load::slo::{Rank, Slo};
use serde::Serialize;

use super::assess::ranked;
use super::column::{Figure, shape_of};
use super::estimate::Estimate;
use super::metric::{Metric, percentile};
use super::verdict::MIN_ROUNDS;
use crate::{Comparison, Sample};

/// Whether a subject met an objective at the rate that is offered to all.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Objective {
    /// The objective, as `--slo` takes it: `p99=5ms`.
    pub slo: String,
    /// Index into [`Comparison::subjects`].
    pub subject: usize,
    /// Index into [`Comparison::shapes`].
    pub shape: usize,
    /// The latency at its percentile, in microseconds, from the rounds that have one; `None` if none has.
    pub latency: Option<Estimate>,
    /// Whether it was met.
    pub result: SloResult,
}

/// Whether an objective was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum SloResult {
    /// It was met.
    Met,
    /// It was missed.
    Missed,
    /// The rounds don't decide it.
    Unknown,
}

/// The results of every objective, in the order of the settings, for each ranked subject that was measured at the rate.
/// Objectives that can't be parsed are left out.
pub fn objectives(comparison: &Comparison) -> Vec<Objective> {
    let ranked = ranked(comparison);
    let Some(shape) = shape_of(comparison, Figure::TailLatency, &ranked) else { return Vec::new() };
    let mut objectives = Vec::new();
    for written in &comparison.conditions.slos {
        let Ok(slo) = written.parse::<Slo>() else { continue };
        for &subject in &ranked {
            let of_it = |sample: &&Sample| sample.shape == shape && sample.subject == subject;
            let samples: Vec<&Sample> = comparison.samples.iter().filter(of_it).collect();
            if !samples.is_empty() {
                let (latency, result) = judge(&slo, &samples, comparison.conditions.allow_refusals);
                objectives.push(Objective { slo: written.clone(), subject, shape, latency, result });
            }
        }
    }
    objectives
}

/// A latency longer than any limit, in microseconds: for an overloaded server.
const NEVER: f64 = 1e15;

/// A latency that differs from the limit by this factor can be explained neither by chance nor by what makes a round
/// doubtful.
const FAR: f64 = 10.0;

/// The latency of a round, and whether it is doubtful.
type Observation = (f64, bool);

fn judge(slo: &Slo, samples: &[&Sample], allow_refusals: bool) -> (Option<Estimate>, SloResult) {
    let is_doubtful = |sample: &Sample| sample.flags.iter().any(|of| Metric::TailLatency.is_doubted_by(of));
    let shown = |sample: &&Sample| Some((latency(slo.rank, sample, allow_refusals)?, is_doubtful(sample)));
    let known: Vec<Observation> = samples.iter().filter_map(shown).collect();
    let limit = slo.limit_in_microseconds();
    let sound: Vec<f64> = known.iter().filter(|of| !of.1).map(|of| of.0).collect();
    let all: Vec<f64> = known.iter().map(|of| of.0).collect();
    let measured: Vec<f64> = all.iter().copied().filter(|latency| *latency < NEVER).collect();
    // If it is unknown in more than a third of the rounds, it is unknown.
    let is_unknown = |known: usize| (samples.len() - known) * 3 > samples.len();
    let result = match by_far(&known, limit) {
        _ if is_unknown(all.len()) => SloResult::Unknown,
        Some(by_far) => by_far,
        None if all.len() < MIN_ROUNDS || is_unknown(sound.len()) => SloResult::Unknown,
        None if side(&all, limit) == side(&sound, limit) => side(&all, limit),
        None => SloResult::Unknown,
    };
    (estimate(&measured), result)
}

/// The result if the latency is far from the limit in every round. A flagged round that did not achieve the rate
/// doesn't count as far: another program may have used the machine.
fn by_far(known: &[Observation], limit: f64) -> Option<SloResult> {
    let is_far =
        |&(latency, is_doubtful): &Observation| latency > limit * FAR && !(is_doubtful && latency >= NEVER);
    match known {
        [] => None,
        _ if known.iter().all(|of| of.0 * FAR <= limit) => Some(SloResult::Met),
        _ if known.iter().all(is_far) => Some(SloResult::Missed),
        _ => None,
    }
}

/// The side of the limit on which the latencies are: all of them, or their interval.
fn side(latencies: &[f64], limit: f64) -> SloResult {
    let kept = latencies.iter().filter(|latency| **latency <= limit).count();
    match estimate(latencies).and_then(|estimate| estimate.interval) {
        _ if kept == latencies.len() => SloResult::Met,
        _ if kept == 0 => SloResult::Missed,
        Some(interval) if interval.high <= limit => SloResult::Met,
        Some(interval) if interval.low > limit => SloResult::Missed,
        _ => SloResult::Unknown,
    }
}

fn estimate(latencies: &[f64]) -> Option<Estimate> {
    Estimate::of(&latencies.iter().map(|latency| latency.ln()).collect::<Vec<_>>())
}

/// The latency at a percentile in a sample, if it is known.
fn latency(rank: Rank, sample: &Sample, allow_refusals: bool) -> Option<f64> {
    if sample.generator_limited {
        return None;
    }
    let refuses = !allow_refusals && too_many_refused(sample.refused, sample.replies);
    if sample.overloaded || sample.bad > 0 || refuses {
        return Some(NEVER);
    }
    let latency = match rank {
        Rank::Percentile(wanted) => percentile(&sample.latency, wanted),
        Rank::Max => sample.timeline.iter().map(|tick| tick.max).reduce(f64::max),
    };
    latency.filter(|latency| latency.is_finite() && *latency > 0.0)
}

#[cfg(test)]
mod tests {
    use load::measurement::Tick;

    use super::*;
    use crate::{Conditions, Shape, Subject};

    /// Thirteen rounds of one subject, with these p99 and p50 a tenth of that.
    fn comparison(slos: &[&str], p99: impl Fn(usize) -> f64) -> Comparison {
        let sample = |round| Sample {
            round,
            latency: vec![(50.0, p99(round) / 10.0), (99.0, p99(round))],
            timeline: vec![Tick { at: 0.0, replies: 1, max: p99(round) * 3.0 }],
            ..Sample::default()
        };
        Comparison {
            conditions: Conditions {
                slos: slos.iter().map(|slo| (*slo).to_owned()).collect(),
                ..Conditions::default()
            },
            subjects: vec![Subject::default()],
            shapes: vec![Shape { rate: Some(1e3), ..Shape::default() }],
            samples: (0..13).map(sample).collect(),
            ..Comparison::default()
        }
    }

    fn kept(comparison: &Comparison) -> Vec<SloResult> {
        objectives(comparison).into_iter().map(|objective| objective.result).collect()
    }

    #[test]
    fn each_objective_is_checked_by_its_percentile() {
        let slos = ["p99=5ms", "p50=450us", "max=20ms", "max=10ms", "p99.9=1s", "nonsense"];
        let comparison = comparison(&slos, |round| 4800.0 + round as f64);
        let expected =
            [SloResult::Met, SloResult::Missed, SloResult::Met, SloResult::Missed, SloResult::Unknown];
        assert_eq!(kept(&comparison), expected, "p99.9 was not measured, and nonsense can't be parsed");
        let latency = objectives(&comparison)[2].latency.unwrap().median;
        assert!((14_400.0..14_440.0).contains(&latency), "{latency}");
    }

    #[test]
    fn rounds_that_disagree_need_an_interval_on_one_side() {
        let wild = |bad: usize| move |round: usize| if round < bad { 9000.0 } else { 1000.0 + round as f64 };
        assert_eq!(kept(&comparison(&["p99=5ms"], wild(2))), [SloResult::Met]);
        assert_eq!(kept(&comparison(&["p99=5ms"], wild(7))), [SloResult::Unknown]);
        assert_eq!(kept(&comparison(&["p99=5ms"], wild(13))), [SloResult::Missed]);
    }

    fn flag(mut comparison: Comparison, rounds: usize) -> Comparison {
        let flagged = comparison.samples.iter_mut().take(rounds);
        flagged.for_each(|sample| sample.flags = vec!["steal 9 %".to_owned()]);
        comparison
    }

    #[test]
    fn flagged_rounds_count_as_in_the_verdicts() {
        let of = |p99: f64, flagged| kept(&flag(comparison(&["p99=5ms"], |_| p99), flagged));
        assert_eq!((of(4000.0, 4), of(6000.0, 4)), (vec![SloResult::Met], vec![SloResult::Missed]));
        assert_eq!((of(4000.0, 5), of(6000.0, 5)), (vec![SloResult::Unknown], vec![SloResult::Unknown]));
        assert_eq!(
            (of(400.0, 13), of(60_000.0, 13)),
            (vec![SloResult::Met], vec![SloResult::Missed]),
            "by far"
        );
        let wild = |round: usize| if round < 4 { 9000.0 } else { 4000.0 + round as f64 };
        assert_eq!(kept(&comparison(&["p99=5ms"], wild)), [SloResult::Unknown]);
        assert_eq!(
            kept(&flag(comparison(&["p99=5ms"], wild), 4)),
            [SloResult::Unknown],
            "it depends on them"
        );
    }

    #[test]
    fn few_rounds_decide_only_latencies_far_from_the_limit() {
        let few = |p99: f64, rounds| {
            let mut comparison = comparison(&["p99=5ms"], |_| p99);
            comparison.samples.truncate(rounds);
            kept(&comparison)
        };
        assert_eq!((few(4000.0, 5), few(6000.0, 5)), (vec![SloResult::Unknown], vec![SloResult::Unknown]));
        assert_eq!((few(4000.0, 6), few(6000.0, 6)), (vec![SloResult::Met], vec![SloResult::Missed]));
        assert_eq!((few(400.0, 1), few(60_000.0, 1)), (vec![SloResult::Met], vec![SloResult::Missed]));
    }

    #[test]
    fn a_doubtful_round_that_missed_the_rate_is_not_far_from_the_limit() {
        let mut overloaded = comparison(&["p99=5ms"], |_| 10.0);
        overloaded.samples.iter_mut().for_each(|sample| sample.overloaded = true);
        assert_eq!(kept(&flag(overloaded, 13)), [SloResult::Unknown]);
    }

    #[test]
    fn refusals_miss_an_objective_unless_they_are_allowed() {
        let mut refused = comparison(&["p99=5ms"], |_| 10.0);
        refused.samples.iter_mut().for_each(|sample| (sample.replies, sample.refused) = (1000, 250));
        assert_eq!(kept(&refused), [SloResult::Missed]);
        refused.conditions.allow_refusals = true;
        assert_eq!(kept(&refused), [SloResult::Met]);
    }

    #[test]
    fn an_unachieved_rate_is_a_miss_and_a_busy_generator_is_unknown() {
        let mut overloaded = comparison(&["p99=5ms"], |_| 10.0);
        overloaded.samples.iter_mut().for_each(|sample| sample.overloaded = true);
        assert_eq!(kept(&overloaded), [SloResult::Missed]);
        assert_eq!(objectives(&overloaded)[0].latency, None);
        overloaded.samples.iter_mut().skip(6).for_each(|sample| sample.overloaded = false);
        assert_eq!(kept(&overloaded), [SloResult::Unknown], "six of thirteen");
        let mut limited = comparison(&["p99=5ms"], |_| 10.0);
        limited.samples.iter_mut().take(5).for_each(|sample| sample.generator_limited = true);
        assert_eq!(kept(&limited), [SloResult::Unknown]);
        assert_eq!(kept(&Comparison { samples: Vec::new(), ..limited }), []);
    }
}
