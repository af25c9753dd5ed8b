//! All that may be said of a comparison.

use serde::Serialize;

use super::column::{Column, Detail, Figure};
use super::contest::lacking;
use super::estimate::Estimate;
use super::matrix::column;
use super::metric::Metric;
use super::rounds::{Source, control_of, level, why_failed};
use super::told::{FEWEST, Why};
use crate::Comparison;

/// All that may be said of a comparison.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Assessment {
    /// Whom the others are compared with: the one that has a control, because only against it the noise is known;
    /// if that failed, the first who did not. An index into [`Comparison::subjects`].
    pub reference: Option<usize>,
    /// The second run of the reference.
    pub control: Option<usize>,
    /// Who is ranked: backends and other servers, but no controls, no servers written by hand, no other builds, and
    /// none that failed or can't run here.
    pub ranked: Vec<usize>,
    /// Who failed, and why.
    pub failed: Vec<(usize, String)>,
    /// Who can't run on this machine, and why. That is no failure.
    pub unavailable: Vec<(usize, String)>,
    /// How many rounds were measured.
    pub rounds: usize,
    /// Whether there are fewer rounds than anything can be told from: screening only.
    pub screening: bool,
    /// The matrix: the columns of [`Figure::ALL`], always all of them, in that order.
    pub columns: Vec<Column>,
    /// What else was measured: figures, and no verdicts.
    pub details: Vec<Detail>,
}

/// Concludes all that may be concluded.
pub fn assess(comparison: &Comparison) -> Assessment {
    let subjects = 0..comparison.subjects.len();
    let ranked = ranked(comparison);
    let reference = reference(comparison, &ranked);
    let rounds = comparison.samples.iter().map(|sample| sample.round + 1).max().unwrap_or(0);
    let failed = |index: usize| Some((index, why_failed(comparison, index)?));
    let unavailable = |index: usize| Some((index, comparison.subjects[index].unavailable.clone()?));
    Assessment {
        reference,
        control: reference.and_then(|reference| control_of(comparison, reference)),
        failed: subjects.clone().filter_map(failed).collect(),
        unavailable: subjects.filter_map(unavailable).collect(),
        rounds,
        screening: rounds < FEWEST,
        columns: Figure::ALL.map(|figure| column(comparison, figure, &ranked, reference)).into(),
        details: details(comparison, &ranked),
        ranked,
    }
}

/// Who is ranked.
pub(super) fn ranked(comparison: &Comparison) -> Vec<usize> {
    let is_ranked = |&index: &usize| {
        let subject = &comparison.subjects[index];
        subject.control_of.is_none()
            && subject.kind.is_ranked()
            && subject.unavailable.is_none()
            && why_failed(comparison, index).is_none()
    };
    (0..comparison.subjects.len()).filter(is_ranked).collect()
}

fn reference(comparison: &Comparison, ranked: &[usize]) -> Option<usize> {
    let mut twins = ranked.iter().filter(|&&subject| control_of(comparison, subject).is_some());
    twins.next().or(ranked.first()).copied()
}

fn details(comparison: &Comparison, ranked: &[usize]) -> Vec<Detail> {
    let mut details = Vec::new();
    for shape in 0..comparison.shapes.len() {
        for &subject in ranked {
            for metric in Metric::ALL {
                let series = level(comparison, Source::Samples(shape, metric), subject);
                if series.len() > 0 {
                    let level = Estimate::of(&series.logarithms());
                    let lack = lacking(&series).filter(|why| !matches!(why, Why::Flagged { .. }));
                    details.push(Detail { subject, shape, metric, level, lack, flagged: series.flagged() });
                }
            }
        }
    }
    details
}

impl Assessment {
    /// A column of the matrix.
    pub fn column(&self, figure: Figure) -> Option<&Column> {
        self.columns.iter().find(|column| column.figure == figure)
    }
}

#[cfg(test)]
mod tests {
    use super::super::column::Absent;
    use super::super::told::Told;
    use super::*;
    use crate::{Kind, Sample, Shape, Subject};

    /// Four backends and a control that are nearly the same, seven rounds.
    fn comparison() -> Comparison {
        let named = |n: usize| Subject { name: n.to_string(), ..Subject::default() };
        let mut comparison = Comparison {
            shapes: vec![Shape { rate: Some(1e4), ..Shape::default() }],
            subjects: (0..5).map(named).collect(),
            ..Comparison::default()
        };
        comparison.subjects[4].control_of = Some("0".to_owned());
        for round in 0..7 {
            for subject in 0..5 {
                let cpu_user = 10.0 + (round * 3 + subject * 2) as f64 % 7.0 / 50.0;
                comparison.samples.push(Sample { round, subject, cpu_user, ..Sample::default() });
            }
        }
        comparison
    }

    #[test]
    fn the_same_comparison_is_assessed_the_same() {
        let assessment = assess(&comparison());
        assert_eq!(assess(&comparison()), assessment);
        assert_eq!((assessment.reference, assessment.control), (Some(0), Some(4)));
        assert_eq!((assessment.ranked.as_slice(), assessment.rounds), (&[0, 1, 2, 3][..], 7));
        assert!(!assessment.screening);
        let figures: Vec<_> = assessment.columns.iter().map(|column| column.figure).collect();
        assert_eq!(figures, Figure::ALL);
    }

    #[test]
    fn nothing_is_concluded_from_nothing() {
        let assessment = assess(&Comparison::default());
        assert_eq!((assessment.reference, assessment.columns.len(), assessment.screening), (None, 6, true));
        let mut comparison = comparison();
        comparison.samples.iter_mut().for_each(|sample| sample.cpu_user = f64::NAN);
        let assessment = assess(&comparison);
        let column = assessment.column(Figure::CpuAtRate).unwrap();
        assert_eq!((column.leader, column.cells.len()), (None, 4));
        assert!(column.cells.iter().all(|cell| cell.told == Told::NotTold(Why::NotMeasured)));
        assert!(assessment.details.is_empty());
    }

    #[test]
    fn the_failed_are_never_ranked_and_the_next_takes_their_place() {
        let mut comparison = comparison();
        comparison.samples[0].bad = 1;
        comparison.subjects[2].failed = Some("it did not start".to_owned());
        comparison.subjects[3].kind = Kind::Build { of: "1".to_owned() };
        let assessment = assess(&comparison);
        assert_eq!((assessment.ranked.as_slice(), assessment.reference), (&[1][..], Some(1)));
        assert_eq!(assessment.control, None);
        assert_eq!(assessment.failed[1], (2, "it did not start".to_owned()));
        let noise = &assessment.column(Figure::CpuAtRate).unwrap().noise;
        assert!(noise.estimate.is_none(), "the twin failed");
    }

    #[test]
    fn five_rounds_are_screening() {
        let mut comparison = comparison();
        comparison.samples.retain(|sample| sample.round < 5);
        comparison.samples.iter_mut().filter(|sample| sample.subject == 1).for_each(|of| of.cpu_user *= 9.0);
        let assessment = assess(&comparison);
        assert!(assessment.screening);
        let cell = &assessment.column(Figure::CpuAtRate).unwrap().cells[1];
        assert!(matches!(cell.told, Told::NotTold(Why::FewRounds { needed }) if needed > 6), "{cell:?}");
        assert!(cell.ratio.is_some_and(|ratio| ratio.median > 8.0), "the figure is shown all the same");
    }

    #[test]
    fn what_was_not_measured_says_which_flag_measures_it() {
        let absent = |comparison: &Comparison, figure| assess(comparison).column(figure).unwrap().absent;
        let mut comparison = comparison();
        assert_eq!(absent(&comparison, Figure::CpuAtRate), None);
        assert_eq!(absent(&comparison, Figure::CpuAtSaturation), Some(Absent::NotMeasured));
        assert_eq!(absent(&comparison, Figure::HighestRate), Some(Absent::NeedsSlo));
        assert_eq!(absent(&comparison, Figure::Isolation), Some(Absent::NeedsFull));
        comparison.conditions.slos = vec!["p99=5ms".to_owned()];
        comparison.conditions.tier = "full".to_owned();
        assert_eq!(absent(&comparison, Figure::HighestRate), Some(Absent::NotMeasured));
        assert_eq!(absent(&comparison, Figure::Isolation), Some(Absent::NotMeasured));
    }
}
