//! Whether the objectives were kept at the rate that is offered to all.
//!
//! Each round is judged by the latency of the objective's own rank, and a rate that was not achieved is a miss. `load`,
//! which has every latency of its run, also counts each message that was never answered as slower than any limit; a round
//! keeps no more of these than whether the rate was achieved.
//!
//! Where the rounds agree that is the verdict. Where they don't, the interval of the latency must lie on one side of the
//! limit. Rounds that are flagged as doubtful count as in the other verdicts: what is said must hold without them too, and
//! where more than a third is flagged, nothing is said. Nor is it from fewer than [`FEWEST`] rounds. What is [`FAR`] from
//! the limit in every round is said all the same.

use load::measurement::too_many_refused;
use load::slo::{Rank, Slo};
use serde::Serialize;

use super::assess::ranked;
use super::column::{Figure, shape_of};
use super::estimate::Estimate;
use super::metric::{Metric, percentile};
use super::verdict::FEWEST;
use crate::{Comparison, Sample};

/// Whether a subject kept an objective at the rate that is offered to all.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Objective {
    /// The objective, as it was written: `p99=5ms`.
    pub slo: String,
    /// Index into [`Comparison::subjects`].
    pub subject: usize,
    /// Index into [`Comparison::shapes`].
    pub shape: usize,
    /// The latency that it limits, in microseconds, of the rounds that have one; `None` if none has.
    pub latency: Option<Estimate>,
    /// Whether it was kept.
    pub kept: Kept,
}

/// Whether an objective was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Kept {
    /// It was.
    Kept,
    /// It was not.
    Missed,
    /// The rounds don't tell.
    Unknown,
}

/// Every objective, in the order in which they were written, for everybody who is ranked and was measured at the rate.
/// One that can't be read is left out.
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
                let (latency, kept) = judge(&slo, &samples, comparison.conditions.allow_refusals);
                objectives.push(Objective { slo: written.clone(), subject, shape, latency, kept });
            }
        }
    }
    objectives
}

/// A latency longer than any limit, in microseconds: that of a server which could not keep up.
const NEVER: f64 = 1e15;

/// By which factor a latency is so far from the limit that neither chance nor what makes a round doubtful explains it.
const FAR: f64 = 10.0;

/// What a round has shown: a latency, and whether it is doubtful.
type Shown = (f64, bool);

fn judge(slo: &Slo, samples: &[&Sample], allow_refusals: bool) -> (Option<Estimate>, Kept) {
    let is_doubtful = |sample: &Sample| sample.flags.iter().any(|of| Metric::TailLatency.is_doubted_by(of));
    let shown = |sample: &&Sample| Some((latency(slo.rank, sample, allow_refusals)?, is_doubtful(sample)));
    let known: Vec<Shown> = samples.iter().filter_map(shown).collect();
    let limit = slo.limit_in_microseconds();
    let sound: Vec<f64> = known.iter().filter(|of| !of.1).map(|of| of.0).collect();
    let all: Vec<f64> = known.iter().map(|of| of.0).collect();
    let told: Vec<f64> = all.iter().copied().filter(|latency| *latency < NEVER).collect();
    // What is not known in more than a third of the rounds is not known.
    let is_unknown = |known: usize| (samples.len() - known) * 3 > samples.len();
    let verdict = match by_far(&known, limit) {
        _ if is_unknown(all.len()) => Kept::Unknown,
        Some(kept) => kept,
        None if all.len() < FEWEST || is_unknown(sound.len()) => Kept::Unknown,
        None if side(&all, limit) == side(&sound, limit) => side(&all, limit),
        None => Kept::Unknown,
    };
    (estimate(&told), verdict)
}

/// What is far from the limit in every round. A flagged round in which the rate was not achieved is not: the machine may
/// have been given to others.
fn by_far(known: &[Shown], limit: f64) -> Option<Kept> {
    let is_far =
        |&(latency, is_doubtful): &Shown| latency > limit * FAR && !(is_doubtful && latency >= NEVER);
    match known {
        [] => None,
        _ if known.iter().all(|of| of.0 * FAR <= limit) => Some(Kept::Kept),
        _ if known.iter().all(is_far) => Some(Kept::Missed),
        _ => None,
    }
}

/// On which side of the limit latencies are: all of them, or their interval.
fn side(latencies: &[f64], limit: f64) -> Kept {
    let kept = latencies.iter().filter(|latency| **latency <= limit).count();
    match estimate(latencies).and_then(|estimate| estimate.interval) {
        _ if kept == latencies.len() => Kept::Kept,
        _ if kept == 0 => Kept::Missed,
        Some(interval) if interval.high <= limit => Kept::Kept,
        Some(interval) if interval.low > limit => Kept::Missed,
        _ => Kept::Unknown,
    }
}

fn estimate(latencies: &[f64]) -> Option<Estimate> {
    Estimate::of(&latencies.iter().map(|latency| latency.ln()).collect::<Vec<_>>())
}

/// The latency of a rank in a sample, if that is known.
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

    fn kept(comparison: &Comparison) -> Vec<Kept> {
        objectives(comparison).into_iter().map(|objective| objective.kept).collect()
    }

    #[test]
    fn each_objective_is_judged_by_its_own_rank() {
        let slos = ["p99=5ms", "p50=450us", "max=20ms", "max=10ms", "p99.9=1s", "nonsense"];
        let comparison = comparison(&slos, |round| 4800.0 + round as f64);
        let expected = [Kept::Kept, Kept::Missed, Kept::Kept, Kept::Missed, Kept::Unknown];
        assert_eq!(kept(&comparison), expected, "p99.9 was not told, and nonsense is none");
        let latency = objectives(&comparison)[2].latency.unwrap().median;
        assert!((14_400.0..14_440.0).contains(&latency), "{latency}");
    }

    #[test]
    fn rounds_that_disagree_need_an_interval_on_one_side() {
        let wild = |bad: usize| move |round: usize| if round < bad { 9000.0 } else { 1000.0 + round as f64 };
        assert_eq!(kept(&comparison(&["p99=5ms"], wild(2))), [Kept::Kept]);
        assert_eq!(kept(&comparison(&["p99=5ms"], wild(7))), [Kept::Unknown]);
        assert_eq!(kept(&comparison(&["p99=5ms"], wild(13))), [Kept::Missed]);
    }

    fn flag(mut comparison: Comparison, rounds: usize) -> Comparison {
        let flagged = comparison.samples.iter_mut().take(rounds);
        flagged.for_each(|sample| sample.flags = vec!["steal 9 %".to_owned()]);
        comparison
    }

    #[test]
    fn flagged_rounds_count_as_in_the_verdicts() {
        let of = |p99: f64, flagged| kept(&flag(comparison(&["p99=5ms"], |_| p99), flagged));
        assert_eq!((of(4000.0, 4), of(6000.0, 4)), (vec![Kept::Kept], vec![Kept::Missed]));
        assert_eq!((of(4000.0, 5), of(6000.0, 5)), (vec![Kept::Unknown], vec![Kept::Unknown]));
        assert_eq!((of(400.0, 13), of(60_000.0, 13)), (vec![Kept::Kept], vec![Kept::Missed]), "by far");
        let wild = |round: usize| if round < 4 { 9000.0 } else { 4000.0 + round as f64 };
        assert_eq!(kept(&comparison(&["p99=5ms"], wild)), [Kept::Unknown]);
        assert_eq!(kept(&flag(comparison(&["p99=5ms"], wild), 4)), [Kept::Unknown], "it depends on them");
    }

    #[test]
    fn few_rounds_tell_only_what_is_far_from_the_limit() {
        let few = |p99: f64, rounds| {
            let mut comparison = comparison(&["p99=5ms"], |_| p99);
            comparison.samples.truncate(rounds);
            kept(&comparison)
        };
        assert_eq!((few(4000.0, 5), few(6000.0, 5)), (vec![Kept::Unknown], vec![Kept::Unknown]));
        assert_eq!((few(4000.0, 6), few(6000.0, 6)), (vec![Kept::Kept], vec![Kept::Missed]));
        assert_eq!((few(400.0, 1), few(60_000.0, 1)), (vec![Kept::Kept], vec![Kept::Missed]));
    }

    #[test]
    fn a_doubtful_round_without_the_rate_is_no_miss_by_far() {
        let mut overloaded = comparison(&["p99=5ms"], |_| 10.0);
        overloaded.samples.iter_mut().for_each(|sample| sample.overloaded = true);
        assert_eq!(kept(&flag(overloaded, 13)), [Kept::Unknown]);
    }

    #[test]
    fn refusals_miss_an_objective_unless_they_are_allowed() {
        let mut refused = comparison(&["p99=5ms"], |_| 10.0);
        refused.samples.iter_mut().for_each(|sample| (sample.replies, sample.refused) = (1000, 250));
        assert_eq!(kept(&refused), [Kept::Missed]);
        refused.conditions.allow_refusals = true;
        assert_eq!(kept(&refused), [Kept::Kept]);
    }

    #[test]
    fn a_rate_that_is_not_achieved_is_a_miss_and_a_busy_generator_tells_nothing() {
        let mut overloaded = comparison(&["p99=5ms"], |_| 10.0);
        overloaded.samples.iter_mut().for_each(|sample| sample.overloaded = true);
        assert_eq!(kept(&overloaded), [Kept::Missed]);
        assert_eq!(objectives(&overloaded)[0].latency, None);
        overloaded.samples.iter_mut().skip(6).for_each(|sample| sample.overloaded = false);
        assert_eq!(kept(&overloaded), [Kept::Unknown], "six of thirteen");
        let mut limited = comparison(&["p99=5ms"], |_| 10.0);
        limited.samples.iter_mut().take(5).for_each(|sample| sample.generator_limited = true);
        assert_eq!(kept(&limited), [Kept::Unknown]);
        assert_eq!(kept(&Comparison { samples: Vec::new(), ..limited }), []);
    }
}
