//! All that may be concluded from a comparison, for each load and metric.

use super::super::metric::Metric;
use super::super::rounds::{self, Round, control_of, levels, ratios, runs_of};
use super::estimate::Estimate;
use super::verdict::{Floor, Verdict};
use crate::Comparison;

/// All that may be concluded from a comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Assessment {
    /// Whom the others are compared with: the one that has a control, because only against it the noise is
    /// known; if that failed, the first who did not.
    pub reference: Option<usize>,
    /// The second run of the reference.
    pub control: Option<usize>,
    /// Who is ranked: all but controls, servers that were written by hand, and those that failed or can't run here.
    pub ranked: Vec<usize>,
    /// Who failed, and why.
    pub failed: Vec<(usize, String)>,
    /// Who can't run on this machine, and why.
    pub unavailable: Vec<(usize, String)>,
    /// How many rounds were measured.
    pub rounds: usize,
    /// Rounds in which a measurement is doubtful by the headline metric.
    pub flagged_rounds: Vec<usize>,
    /// The load that the verdict rests on: the first with an offered rate, because CPU per message is only
    /// comparable at equal work; without any, the first that at least two subjects ran.
    pub headline_shape: Option<usize>,
    /// For each load, in the order of [`Comparison::shapes`].
    pub shapes: Vec<ShapeAssessment>,
}

/// What may be concluded under one load.
#[derive(Clone, Debug, PartialEq)]
pub struct ShapeAssessment {
    /// Whom the others are compared with under this load.
    pub reference: Option<usize>,
    /// How much two runs of the same differ, by metric.
    pub floors: Vec<(Metric, Floor)>,
    /// Everybody who ran, controls and failed ones excepted, by metric.
    pub rows: Vec<Row>,
}

/// What may be concluded of one subject by one metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Index into [`Comparison::subjects`].
    pub subject: usize,
    /// By which metric.
    pub metric: Metric,
    /// Its value, in the metric's unit.
    pub level: Estimate,
    /// Its value over the reference's; `None` for the reference.
    pub ratio: Option<Estimate>,
    /// What may be said about that.
    pub verdict: Option<Verdict>,
    /// What might be said without the flagged rounds, if there are any; `None` within if none is left.
    pub without_flagged: Option<Option<Verdict>>,
}

/// Who is best by a metric, and who cannot be told from that one.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// The one with the best median.
    pub leader: usize,
    /// All others: their value over the leader's, and what may be said about it.
    pub others: Vec<(usize, Estimate, Verdict)>,
}

/// Concludes all that may be concluded.
pub fn assess(comparison: &Comparison) -> Assessment {
    let subjects = 0..comparison.subjects.len();
    let failed: Vec<_> =
        subjects.clone().filter_map(|index| Some((index, rounds::why_failed(comparison, index)?))).collect();
    let is_ranked = |&index: &usize| {
        let subject = &comparison.subjects[index];
        let is_backend = subject.control_of.is_none() && subject.kind.is_ranked();
        is_backend && subject.unavailable.is_none() && failed.iter().all(|(other, _)| *other != index)
    };
    let ranked: Vec<usize> = subjects.clone().filter(is_ranked).collect();
    let unavailable = |index: usize| Some((index, comparison.subjects[index].unavailable.clone()?));
    let shapes: Vec<_> =
        (0..comparison.shapes.len()).map(|shape| shape_assessment(comparison, shape, &ranked)).collect();
    let ran =
        |shape: &ShapeAssessment| shape.rows.iter().filter(|row| row.metric == Metric::HEADLINE).count();
    let compared = |&index: &usize| ran(&shapes[index]) > 1;
    let candidates: Vec<usize> = (0..shapes.len()).filter(compared).collect();
    let with_rate = candidates.iter().find(|&&index| comparison.shapes[index].rate.is_some());
    let headline_shape = with_rate.or(candidates.first()).copied().or((!shapes.is_empty()).then_some(0));
    let reference = headline_shape.and_then(|shape| shapes[shape].reference).or(ranked.first().copied());
    let mut flagged_rounds: Vec<usize> = comparison
        .samples
        .iter()
        .filter(|sample| sample.flags.iter().any(|flag| Metric::HEADLINE.is_doubted_by(flag)))
        .map(|sample| sample.round)
        .collect();
    flagged_rounds.sort_unstable();
    flagged_rounds.dedup();
    Assessment {
        reference,
        control: reference.and_then(|reference| control_of(comparison, reference)),
        unavailable: subjects.filter_map(unavailable).collect(),
        failed,
        rounds: comparison.samples.iter().map(|sample| sample.round + 1).max().unwrap_or(0),
        flagged_rounds,
        headline_shape,
        shapes,
        ranked,
    }
}

impl Assessment {
    /// How the ranked stand to each other by a metric under a load; `None` if nobody has a value.
    pub fn standing(&self, comparison: &Comparison, shape: usize, metric: Metric) -> Option<Standing> {
        let of_metric = |row: &&Row| row.metric == metric;
        let rows: Vec<&Row> = self.shapes.get(shape)?.rows.iter().filter(of_metric).collect();
        let worth = |row: &Row| if metric.more_is_better() { -row.level.median } else { row.level.median };
        let mut leader = rows.iter().min_by(|one, other| worth(one).total_cmp(&worth(other)))?.subject;
        let floor = self.shapes[shape].floor(metric);
        let against = |leader: usize| -> Vec<(usize, Estimate, Verdict)> {
            let rivals = rows.iter().map(|row| row.subject).filter(|&subject| subject != leader);
            let contest = |subject| {
                let (estimate, verdict) = contest(comparison, shape, metric, subject, leader, floor)?;
                Some((subject, estimate, verdict))
            };
            rivals.filter_map(contest).collect()
        };
        let mut others = against(leader);
        // Medians over all rounds may rank two otherwise than the rounds that both have.
        for _ in 0..rows.len() {
            let better =
                |(.., verdict): &&(usize, Estimate, Verdict)| matches!(verdict, Verdict::Better { .. });
            let Some(&(subject, ..)) = others.iter().find(better) else { break };
            leader = subject;
            others = against(leader);
        }
        Some(Standing { leader, others })
    }

    /// The standing that the verdict rests on.
    pub fn headline(&self, comparison: &Comparison) -> Option<Standing> {
        self.standing(comparison, self.headline_shape?, Metric::HEADLINE)
    }

    /// A subject's row under a load by a metric.
    pub fn row(&self, shape: usize, subject: usize, metric: Metric) -> Option<&Row> {
        self.shapes.get(shape)?.rows.iter().find(|row| row.subject == subject && row.metric == metric)
    }

    /// Whether nothing could be told because the rounds differ too much: nobody stands out by the headline
    /// metric, and of somebody it can't even be said that the difference is small.
    pub fn is_too_noisy(&self, comparison: &Comparison) -> bool {
        self.headline(comparison).is_some_and(|standing| {
            let verdicts = || standing.others.iter().map(|(.., verdict)| verdict);
            !verdicts().any(Verdict::is_difference)
                && verdicts().any(|verdict| matches!(verdict, Verdict::TooNoisy { .. }))
        })
    }

    /// Loads and subjects whose verdict by the headline metric would be another without the flagged rounds;
    /// `None` if no round is flagged.
    pub fn changed_by_flags(&self) -> Option<Vec<(usize, usize)>> {
        let mut changed = Vec::new();
        for (index, shape) in self.shapes.iter().enumerate() {
            for row in shape.rows.iter().filter(|row| row.metric == Metric::HEADLINE) {
                let Some(without) = row.without_flagged else { continue };
                let same = match (row.verdict, without) {
                    (Some(verdict), Some(without)) => verdict.agrees(&without),
                    (verdict, without) => verdict.is_some() == without.is_some(),
                };
                if !same {
                    changed.push((index, row.subject));
                }
            }
        }
        (!self.flagged_rounds.is_empty()).then_some(changed)
    }
}

impl ShapeAssessment {
    /// How much two runs of the same differ by a metric.
    pub fn floor(&self, metric: Metric) -> Floor {
        let known = self.floors.iter().find(|(of, _)| *of == metric);
        known.map_or_else(|| Floor::of(None), |&(_, floor)| floor)
    }
}

impl Standing {
    /// Those that can't be told from the leader.
    pub fn equals(&self) -> impl Iterator<Item = &(usize, Estimate, Verdict)> {
        self.others.iter().filter(|(.., verdict)| !verdict.is_difference())
    }
}

fn shape_assessment(comparison: &Comparison, shape: usize, ranked: &[usize]) -> ShapeAssessment {
    let ran = |subject: usize| comparison.samples.iter().any(|of| of.shape == shape && of.subject == subject);
    let here = || ranked.iter().copied().filter(|&subject| ran(subject));
    let reference =
        here().find(|&subject| control_of(comparison, subject).is_some_and(ran)).or_else(|| here().next());
    let floors: Vec<_> =
        Metric::ALL.into_iter().map(|metric| (metric, floor_of(comparison, shape, metric))).collect();
    let mut rows = Vec::new();
    for &subject in ranked {
        for &(metric, floor) in &floors {
            rows.extend(row(comparison, shape, metric, subject, reference, floor));
        }
    }
    ShapeAssessment { reference, floors, rows }
}

/// From the first control that ran with its twin under this load.
fn floor_of(comparison: &Comparison, shape: usize, metric: Metric) -> Floor {
    let twins = (0..comparison.subjects.len())
        .filter(|&subject| rounds::why_failed(comparison, subject).is_none())
        .filter_map(|subject| Some((control_of(comparison, subject)?, subject)));
    let against_itself = twins.map(|(control, subject)| ratios(comparison, shape, metric, control, subject));
    let rounds = against_itself.into_iter().find(|rounds| !rounds.is_empty()).unwrap_or_default();
    Floor::of(estimate(comparison, metric, &rounds))
}

fn row(
    comparison: &Comparison,
    shape: usize,
    metric: Metric,
    subject: usize,
    reference: Option<usize>,
    floor: Floor,
) -> Option<Row> {
    let level = estimate(comparison, metric, &levels(comparison, shape, metric, subject))?;
    let mut row = Row { subject, metric, level, ratio: None, verdict: None, without_flagged: None };
    if let Some(reference) = reference.filter(|&reference| reference != subject) {
        let all = ratios(comparison, shape, metric, subject, reference);
        let floor = floor_between(comparison, subject, reference, floor);
        let decide = |estimate: &Estimate| Verdict::of(estimate, floor, metric.more_is_better());
        row.ratio = estimate(comparison, metric, &all);
        row.verdict = row.ratio.as_ref().map(decide);
        if all.iter().any(|round| round.flagged) {
            let quiet: Vec<Round> = all.into_iter().filter(|round| !round.flagged).collect();
            row.without_flagged = Some(estimate(comparison, metric, &quiet).as_ref().map(decide));
        }
    }
    Some(row)
}

/// A subject's value over another's, and what may be said about it.
fn contest(
    comparison: &Comparison,
    shape: usize,
    metric: Metric,
    subject: usize,
    against: usize,
    floor: Floor,
) -> Option<(Estimate, Verdict)> {
    let ratio = estimate(comparison, metric, &ratios(comparison, shape, metric, subject, against))?;
    let floor = floor_between(comparison, subject, against, floor);
    Some((ratio, Verdict::of(&ratio, floor, metric.more_is_better())))
}

fn floor_between(comparison: &Comparison, subject: usize, against: usize, floor: Floor) -> Floor {
    let (above, below) = (runs_of(comparison, subject, against), runs_of(comparison, against, subject));
    floor.for_runs(above.len(), below.len())
}

/// One seed for all: each estimate resamples the same rounds, so that they can be held against each other.
fn estimate(comparison: &Comparison, metric: Metric, rounds: &[Round]) -> Option<Estimate> {
    let logarithms: Vec<f64> = rounds.iter().map(|round| round.logarithm).collect();
    Estimate::of(&logarithms, metric.confidence(), comparison.conditions.seed)
}
