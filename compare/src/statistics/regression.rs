//! A comparison against one that was stored before.
//!
//! Rounds of two comparisons are no pairs, so a change is the ratio of two levels, each with its own interval; the
//! interval of the ratio is made of both (Zou and Donner's recovery of variance estimates). All changes by a metric are
//! judged together: each interval misses so seldom that all of them hold in 95 of 100 comparisons. The band of the noise
//! is that of both comparisons.
//!
//! What a machine does otherwise from one day to the next is in neither comparison, and no statistics finds it. Two builds
//! in the same rounds ([`builds`](super::builds)) tell more, and smaller changes.

use super::assess::ranked;
use super::contest::lacking;
use super::estimate::{Estimate, Interval, MISS};
use super::gaps::{Gap, gaps, measured};
use super::metric::Metric;
use super::noise::Noise;
use super::refusal::{Refusal, different_facts, same_machine, same_work};
use super::rounds::{Series, Source, level};
use super::told::{FEWEST, WORTHWHILE};
use crate::Comparison;

/// What has changed from one comparison to another.
#[derive(Clone, Debug, PartialEq)]
pub struct Changes {
    /// Of everybody who was measured under the same load in both: server CPU per message first, then p99.
    pub changes: Vec<Change>,
    /// What was measured in one of them alone, so that it could not be compared.
    pub gaps: Vec<Gap>,
    /// In what the machines differ, each with the values then and now, if they were compared even so.
    pub machine: Vec<(String, String, String)>,
}

/// By how much a subject has changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The subject's name.
    pub subject: String,
    /// The load's name.
    pub shape: String,
    /// By which metric.
    pub metric: Metric,
    /// Its value then and now, in the unit of the metric.
    pub levels: [f64; 2],
    /// Its value now over its value then.
    pub ratio: f64,
    /// Where that lies; `None` with too few rounds for an interval.
    pub interval: Option<Interval>,
    /// The smallest change that could have been seen, as a part: 0.05 is 5 %. `None` if none could, however large.
    pub smallest: Option<f64>,
    /// What may be said about it.
    pub drift: Drift,
}

/// What may be said about a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drift {
    /// It has become worse, beyond what may be chance.
    Regressed,
    /// It has become better, beyond what may be chance.
    Improved,
    /// Nothing that could not be chance, and a change of a tenth would have been seen.
    Unchanged,
    /// Nothing was seen, and a change of a tenth might not have been seen.
    NotTold,
}

/// What an automatic check is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing has become worse.
    Passed,
    /// Something has become worse.
    Regressed,
    /// The rounds could not tell.
    CouldNotTell,
}

/// How each subject has changed since a stored comparison. Different machines are refused unless `even_so`; different
/// work always is.
///
/// # Errors
/// Why the two can't be held against each other.
pub fn against(baseline: &Comparison, now: &Comparison, even_so: bool) -> Result<Changes, Refusal> {
    same_work(baseline, now)?;
    same_machine(baseline, now, even_so)?;
    let mut changes = Vec::new();
    for metric in [Metric::Cpu, Metric::TailLatency] {
        let pairs = pairs(baseline, now, metric);
        let count = pairs.len();
        changes.extend(pairs.into_iter().map(|pair| pair.change(metric, count)));
    }
    if changes.is_empty() {
        return Err(Refusal::NothingInCommon(measured(baseline), measured(now)));
    }
    Ok(Changes { changes, gaps: gaps(baseline, now), machine: different_facts(baseline, now) })
}

impl Changes {
    /// What an automatic check is to do, by server CPU per message alone: it is the quietest of what costs money, and a
    /// check that rests on a tail fails by chance, or never tells. What could not be compared counts as not told.
    pub fn outcome(&self) -> Outcome {
        let drifts =
            || self.changes.iter().filter(|change| change.metric == Metric::Cpu).map(|change| change.drift);
        let lacks = self.gaps.iter().any(|gap| gap.is_in_baseline);
        if drifts().any(|drift| drift == Drift::Regressed) {
            Outcome::Regressed
        } else if lacks || drifts().next().is_none() || drifts().any(|drift| drift == Drift::NotTold) {
            Outcome::CouldNotTell
        } else {
            Outcome::Passed
        }
    }

    /// The smallest change in server CPU per message that could have been seen everywhere; `None` if none could.
    pub fn smallest(&self) -> Option<f64> {
        let of_cpu = self.changes.iter().filter(|change| change.metric == Metric::Cpu);
        of_cpu.map(|change| change.smallest).try_fold(0.0, |most: f64, smallest| Some(most.max(smallest?)))
    }
}

/// A subject under a load that both comparisons have.
struct Pair {
    subject: String,
    shape: String,
    then: Series,
    now: Series,
    /// The part of a change that counts as noise.
    band: f64,
}

fn pairs(baseline: &Comparison, now: &Comparison, metric: Metric) -> Vec<Pair> {
    let (before, ranked) = (ranked(baseline), ranked(now));
    let mut pairs = Vec::new();
    for (index, shape) in now.shapes.iter().enumerate() {
        let Some(same) = baseline.shapes.iter().position(|other| other == shape) else { continue };
        let sources = [Source::Samples(same, metric), Source::Samples(index, metric)];
        let bands = [Noise::of(baseline, sources[0]).band, Noise::of(now, sources[1]).band];
        for &subject in &ranked {
            let name = &now.subjects[subject].name;
            let of_it = |&&other: &&usize| baseline.subjects[other].name == *name;
            let Some(&other) = before.iter().find(of_it) else { continue };
            let (then, now) = (level(baseline, sources[0], other), level(now, sources[1], subject));
            if !then.rounds.is_empty() && !now.rounds.is_empty() {
                let (subject, shape) = (name.clone(), shape.name.clone());
                pairs.push(Pair { subject, shape, then, now, band: bands[0].hypot(bands[1]) });
            }
        }
    }
    pairs
}

impl Pair {
    /// What has changed, where so many are judged together.
    fn change(self, metric: Metric, count: usize) -> Change {
        let all = Ratio::of(&self.then.logarithms(), &self.now.logarithms(), count);
        let tell = |ratio: &Ratio| ratio.drift(self.band, metric.more_is_better());
        let mut drift = tell(&all);
        let is_flagged = self.then.flagged() + self.now.flagged() > 0;
        if is_flagged && drift != tell(&Ratio::of(&self.then.unflagged(), &self.now.unflagged(), 1))
            || lacking(&self.then).or(lacking(&self.now)).is_some()
        {
            drift = Drift::NotTold;
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
        let miss = MISS / count.max(1) as f64;
        let estimates = [then, now].map(|logarithms| Estimate::missing(logarithms, miss));
        let levels = estimates.map(|estimate| estimate.map_or(f64::NAN, |estimate| estimate.median));
        // With fewer rounds there is an interval as well, but it misses more often than it may.
        let is_sure = |estimate: &Estimate| estimate.rounds >= FEWEST && estimate.confidence >= 1.0 - miss;
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
        let Some(interval) = self.interval else { return Drift::NotTold };
        let ratio = self.levels[1] / self.levels[0];
        if !interval.contains(1.0) && ratio.max(1.0 / ratio) - 1.0 > band {
            return if (ratio > 1.0) == more_is_better { Drift::Improved } else { Drift::Regressed };
        }
        if interval.half_width().max(band) <= WORTHWHILE { Drift::Unchanged } else { Drift::NotTold }
    }
}

#[cfg(test)]
mod tests {
    use super::super::refusal::check;
    use super::*;
    use crate::{Conditions, Sample, Shape, Subject};

    fn run(cpu: f64, cores: &str) -> Comparison {
        let control =
            Subject { name: "again".to_owned(), control_of: Some("a".to_owned()), ..Subject::default() };
        let sample = |round, subject| Sample {
            round,
            subject,
            cpu_user: cpu * (1.0 + (round * 7 % 5 + subject) as f64 / 100.0),
            ..Sample::default()
        };
        let machine = [("cores", cores), ("commit", cores), ("load average", cores)];
        Comparison {
            conditions: Conditions {
                machine: machine.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
                ..Conditions::default()
            },
            subjects: vec![Subject { name: "a".to_owned(), ..Subject::default() }, control],
            shapes: vec![Shape { name: "1 x 1".to_owned(), ..Shape::default() }],
            samples: (0..13).flat_map(|round| [sample(round, 0), sample(round, 1)]).collect(),
            ..Comparison::default()
        }
    }

    #[test]
    fn a_change_beyond_the_noise_of_both_is_one() {
        let drift = |now| {
            let changes = against(&run(10.0, "2"), &run(now, "2"), false).unwrap();
            assert_eq!(changes.changes.len(), 1, "only the CPU time has values");
            assert!(changes.smallest().is_some_and(|smallest| smallest < 0.06), "{changes:?}");
            (changes.changes[0].drift, changes.outcome())
        };
        assert_eq!(drift(10.0), (Drift::Unchanged, Outcome::Passed));
        assert_eq!(drift(10.4), (Drift::Unchanged, Outcome::Passed));
        assert_eq!(drift(13.0), (Drift::Regressed, Outcome::Regressed));
        assert_eq!(drift(7.0), (Drift::Improved, Outcome::Passed));
    }

    #[test]
    fn what_could_not_be_seen_is_not_told() {
        let few = |mut comparison: Comparison| {
            comparison.samples.retain(|sample| sample.round < 5);
            comparison
        };
        let changes = against(&run(10.0, "2"), &few(run(20.0, "2")), false).unwrap();
        assert_eq!((changes.changes[0].drift, changes.outcome()), (Drift::NotTold, Outcome::CouldNotTell));
        assert_eq!((changes.smallest(), changes.changes[0].interval), (None, None));
        let mut noisy = run(10.0, "2");
        noisy.samples.iter_mut().for_each(|sample| sample.cpu_user *= 1.0 + (sample.round % 3) as f64 / 2.0);
        let changes = against(&noisy, &noisy, false).unwrap();
        assert_eq!(changes.outcome(), Outcome::CouldNotTell);
        assert!(changes.smallest().is_some_and(|smallest| smallest > 0.10), "{changes:?}");
    }

    #[test]
    fn flagged_rounds_must_not_matter() {
        let mut now = run(13.0, "2");
        let flag = |now: &mut Comparison, rounds| {
            for sample in now.samples.iter_mut().filter(|sample| sample.round < rounds) {
                sample.flags = vec!["steal 9 %".to_owned()];
            }
        };
        flag(&mut now, 2);
        assert_eq!(against(&run(10.0, "2"), &now, false).unwrap().outcome(), Outcome::Regressed);
        flag(&mut now, 5);
        assert_eq!(against(&run(10.0, "2"), &now, false).unwrap().outcome(), Outcome::CouldNotTell);
    }

    #[test]
    fn what_only_the_baseline_has_is_named_and_not_told() {
        let mut before = run(10.0, "2");
        before.subjects.push(named("b"));
        before.samples.push(Sample { subject: 2, cpu_user: 1.0, ..Sample::default() });
        let changes = against(&before, &run(10.0, "2"), false).unwrap();
        assert_eq!(changes.gaps[0].to_string(), "b was not measured this time");
        assert_eq!(changes.outcome(), Outcome::CouldNotTell);
    }

    #[test]
    fn another_machine_is_refused_unless_forced() {
        let refusal = against(&run(10.0, "2"), &run(10.0, "64"), false).unwrap_err();
        let facts = vec![("cores".to_owned(), "2".to_owned(), "64".to_owned())];
        assert_eq!(refusal, Refusal::Machine(facts), "the commit may differ, the load average does");
        assert!(refusal.to_string().contains("cores was \"2\", is \"64\""));
        let changes = against(&run(10.0, "2"), &run(10.0, "64"), true).unwrap();
        assert_eq!(changes.machine.len(), 1, "{changes:?}");
    }

    #[test]
    fn other_work_is_always_refused() {
        let mut other = run(10.0, "2");
        other.conditions.handler = "echo".to_owned();
        assert!(matches!(against(&other, &run(10.0, "2"), true), Err(Refusal::Work(..))));
        other = run(10.0, "2");
        other.shapes[0].connections = 9;
        let refusal = against(&other, &run(10.0, "2"), true).unwrap_err();
        assert!(matches!(refusal, Refusal::NothingInCommon(..)), "{refusal}");
    }

    #[test]
    fn what_can_not_be_held_against_a_baseline_is_known_before_it_is_measured() {
        let baseline = run(10.0, "2");
        let planned = Comparison { samples: Vec::new(), ..run(10.0, "2") };
        assert_eq!(check(&baseline, &planned, false), Ok(()));
        let other = Comparison { samples: Vec::new(), ..run(10.0, "64") };
        assert!(matches!(check(&baseline, &other, false), Err(Refusal::Machine(_))));
        assert_eq!(check(&baseline, &other, true), Ok(()));
        let nobody = Comparison { subjects: vec![named("b")], ..planned.clone() };
        let text = check(&baseline, &nobody, false).unwrap_err().to_string();
        assert!(text.contains("it has a under 1 x 1, and here it is b under 1 x 1"), "{text}");
        let empty = Comparison { samples: Vec::new(), ..run(10.0, "2") };
        let text = check(&empty, &planned, false).unwrap_err().to_string();
        assert!(text.contains("it has nothing"), "{text}");
    }

    fn named(name: &str) -> Subject {
        Subject { name: name.to_owned(), ..Subject::default() }
    }
}
