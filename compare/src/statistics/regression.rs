//! A comparison compared with one that was stored before.
//!
//! The rounds of two comparisons are not paired, so a change is the ratio of two levels, each with its own interval;
//! the interval of the ratio is made of both (Zou and Donner's method of variance estimates recovery). All changes by a
//! metric are tested together: the intervals are so wide that all of them contain the true values in 95 of 100
//! comparisons. The band of the noise combines those of both comparisons.
//!
//! Differences of the machine from one day to the next are not part of the noise of either comparison, and no
//! statistics can detect them. Two builds in the same rounds ([`builds`](super::builds())) are more reliable, and
//! detect smaller changes.

use super::assess::ranked;
use super::baseline::{
    Gap, Incomparable, different_facts, gaps, is_same_load, measured, same_machine, same_work,
};
use super::estimate::{ALPHA, Estimate, Interval};
use super::metric::Metric;
use super::noise::Noise;
use super::rounds::{Series, Source, level};
use super::verdict::{MIN_ROUNDS, RELEVANT_DIFFERENCE, insufficient};
use crate::Comparison;
use crate::report::load;

/// The changes from one comparison to another.
#[derive(Clone, Debug, PartialEq)]
pub struct Changes {
    /// One for each subject and load that both have: server CPU per message first, then p99.
    pub changes: Vec<Change>,
    /// What only one of them measured, so that it could not be compared.
    pub gaps: Vec<Gap>,
    /// The facts in which the machines differ, each with its values then and now, if they were compared nevertheless.
    pub machine: Vec<(String, String, String)>,
}

/// The change of one subject.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The subject's name.
    pub subject: String,
    /// The load, in words.
    pub shape: String,
    /// The metric.
    pub metric: Metric,
    /// Its value then and now, in the unit of the metric.
    pub levels: [f64; 2],
    /// Its value now divided by its value then.
    pub ratio: f64,
    /// The interval of the ratio; `None` with too few rounds.
    pub interval: Option<Interval>,
    /// The approximate smallest detectable change: 0.05 is 5 %. Half the width of the interval, and at least the band
    /// of the noise. A change of just that size is detected in about half of all comparisons, one that is 1.5 times as
    /// large in about 80 of 100. `None` if no change could be detected, however large.
    pub smallest: Option<f64>,
    /// The verdict on it.
    pub drift: Drift,
}

/// The verdict on a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drift {
    /// It has become significantly worse.
    Regressed,
    /// It has become significantly better.
    Improved,
    /// There is no relevant change: the interval excludes a change of a tenth, and the noise is smaller than that.
    Unchanged,
    /// No change was detected, but a change of a tenth is not excluded.
    Undecided,
}

/// The result for an automatic check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing has become worse.
    Passed,
    /// Something has become worse.
    Regressed,
    /// The rounds don't decide it.
    Undecided,
}

/// The changes since a stored comparison. Different machines are refused unless `even_so`; different work always is.
///
/// # Errors
/// Why the two can't be compared.
pub fn against(baseline: &Comparison, now: &Comparison, even_so: bool) -> Result<Changes, Incomparable> {
    same_work(baseline, now)?;
    same_machine(baseline, now, even_so)?;
    let mut changes = Vec::new();
    for metric in [Metric::Cpu, Metric::TailLatency] {
        let pairs = pairs(baseline, now, metric);
        let count = pairs.len();
        changes.extend(pairs.into_iter().map(|pair| pair.change(metric, count)));
    }
    if changes.is_empty() {
        return Err(Incomparable::NothingInCommon(measured(baseline), measured(now)));
    }
    Ok(Changes { changes, gaps: gaps(baseline, now), machine: different_facts(baseline, now) })
}

impl Changes {
    /// The result for an automatic check, by server CPU per message alone: it has the least noise, whereas a check of
    /// tail latency would fail by chance or never decide. What could not be compared counts as undecided.
    pub fn outcome(&self) -> Outcome {
        let drifts =
            || self.changes.iter().filter(|change| change.metric == Metric::Cpu).map(|change| change.drift);
        let lacks = self.gaps.iter().any(|gap| gap.is_in_baseline);
        if drifts().any(|drift| drift == Drift::Regressed) {
            Outcome::Regressed
        } else if lacks || drifts().next().is_none() || drifts().any(|drift| drift == Drift::Undecided) {
            Outcome::Undecided
        } else {
            Outcome::Passed
        }
    }

    /// The largest [`smallest`](Change::smallest) of the changes in server CPU per message; `None` if one has none.
    pub fn smallest(&self) -> Option<f64> {
        let of_cpu = self.changes.iter().filter(|change| change.metric == Metric::Cpu);
        of_cpu.map(|change| change.smallest).try_fold(0.0, |most: f64, smallest| Some(most.max(smallest?)))
    }
}

/// A subject and a load that both comparisons have.
struct Pair {
    subject: String,
    shape: String,
    then: Series,
    now: Series,
    /// Only a larger relative change counts.
    band: f64,
}

fn pairs(baseline: &Comparison, now: &Comparison, metric: Metric) -> Vec<Pair> {
    let (before, ranked) = (ranked(baseline), ranked(now));
    let mut pairs = Vec::new();
    for (index, shape) in now.shapes.iter().enumerate() {
        let Some(same) = baseline.shapes.iter().position(|other| is_same_load(other, shape)) else {
            continue;
        };
        let sources = [Source::Samples(same, metric), Source::Samples(index, metric)];
        let bands = [Noise::of(baseline, sources[0]).band, Noise::of(now, sources[1]).band];
        for &subject in &ranked {
            let name = &now.subjects[subject].name;
            let of_it = |&&other: &&usize| baseline.subjects[other].name == *name;
            let Some(&other) = before.iter().find(of_it) else { continue };
            let (then, now) = (level(baseline, sources[0], other), level(now, sources[1], subject));
            if !then.rounds.is_empty() && !now.rounds.is_empty() {
                let (subject, shape) = (name.clone(), load(shape));
                pairs.push(Pair { subject, shape, then, now, band: bands[0].hypot(bands[1]) });
            }
        }
    }
    pairs
}

impl Pair {
    /// The change, if `count` changes are tested together.
    fn change(self, metric: Metric, count: usize) -> Change {
        let all = Ratio::of(&self.then.logarithms(), &self.now.logarithms(), count);
        let tell = |ratio: &Ratio| ratio.drift(self.band, metric.more_is_better());
        let mut drift = tell(&all);
        let is_flagged = self.then.flagged() + self.now.flagged() > 0;
        if is_flagged && drift != tell(&Ratio::of(&self.then.unflagged(), &self.now.unflagged(), 1))
            || insufficient(&self.then).or(insufficient(&self.now)).is_some()
        {
            drift = Drift::Undecided;
        }
        let smallest = all.interval.map(|interval| interval.half_width().max(self.band));
        Change {
            subject: self.subject,
            shape: self.shape,
            metric,
            levels: all.levels,
            ratio: all.levels[1] / all.levels[0],
            interval: all.interval,
            smallest,
            drift,
        }
    }
}

/// Two levels that were measured independently of each other.
struct Ratio {
    levels: [f64; 2],
    interval: Option<Interval>,
}

impl Ratio {
    fn of(then: &[f64], now: &[f64], count: usize) -> Self {
        let alpha = ALPHA / count.max(1) as f64;
        let estimates = [then, now].map(|logarithms| Estimate::with_alpha(logarithms, alpha));
        let levels = estimates.map(|estimate| estimate.map_or(f64::NAN, |estimate| estimate.median));
        // With fewer rounds there is an interval as well, but its coverage is too low.
        let is_sure =
            |estimate: &Estimate| estimate.rounds >= MIN_ROUNDS && estimate.confidence >= 1.0 - alpha;
        let sure = estimates.map(|estimate| estimate.filter(is_sure).and_then(|estimate| estimate.interval));
        let interval = sure[0].zip(sure[1]).map(|(then, now)| {
            let (ratio, [before, after]) = (levels[1] / levels[0], levels);
            let down = (after / now.low).ln().hypot((then.high / before).ln());
            let up = (now.high / after).ln().hypot((before / then.low).ln());
            Interval { low: ratio * (-down).exp(), high: ratio * up.exp() }
        });
        Self { levels, interval }
    }

    fn drift(&self, band: f64, more_is_better: bool) -> Drift {
        let Some(interval) = self.interval else { return Drift::Undecided };
        let ratio = self.levels[1] / self.levels[0];
        if !interval.contains(1.0) && ratio.max(1.0 / ratio) - 1.0 > band {
            return if (ratio > 1.0) == more_is_better { Drift::Improved } else { Drift::Regressed };
        }
        if interval.reach().max(band) <= RELEVANT_DIFFERENCE { Drift::Unchanged } else { Drift::Undecided }
    }
}

#[cfg(test)]
mod tests;
