//! Two builds of the same backends in the same rounds: what a regression check should be.

use serde::Serialize;

use super::contest::Court;
use super::estimate::Estimate;
use super::metric::Metric;
use super::noise::Noise;
use super::rounds::{Source, ratio, why_failed};
use super::told::Told;
use crate::{Comparison, Kind};

/// A backend of this build against the same one of another build, by server CPU per message.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Build {
    /// The backend of this build, as an index into [`Comparison::subjects`].
    pub subject: usize,
    /// The same of the other build.
    pub other: usize,
    /// Under which load: an index into [`Comparison::shapes`].
    pub shape: usize,
    /// The value of this build over the other's.
    pub ratio: Option<Estimate>,
    /// With which probability equals would differ so much somewhere among all builds and loads.
    pub p: f64,
    /// What may be said of this build: [`Told::Worse`] is a regression.
    pub told: Told,
}

/// All that have a counterpart in another build, under all loads, judged together.
pub fn builds(comparison: &Comparison) -> Vec<Build> {
    let subjects = &comparison.subjects;
    let stands =
        |index: &usize| why_failed(comparison, *index).is_none() && subjects[*index].control_of.is_none();
    let counterpart = |other: usize| match &subjects[other].kind {
        Kind::Build { of } => (0..subjects.len()).filter(stands).find(|&index| subjects[index].name == *of),
        _ => None,
    };
    let counterparts =
        (0..subjects.len()).filter(stands).filter_map(|other| Some((counterpart(other)?, other)));
    let counterparts: Vec<(usize, usize)> = counterparts.collect();
    let mut shapes = Vec::new();
    let mut pairs = Vec::new();
    for shape in 0..comparison.shapes.len() {
        for &(subject, other) in &counterparts {
            let series = ratio(comparison, Source::Samples(shape, Metric::Cpu), subject, other);
            if series.len() > 0 {
                shapes.push(shape);
                pairs.push((subject, other, series));
            }
        }
    }
    // The noise may differ from load to load, and the loudest counts.
    let noises =
        (0..comparison.shapes.len()).map(|shape| Noise::of(comparison, Source::Samples(shape, Metric::Cpu)));
    let noise = noises.max_by(|one, other| one.band.total_cmp(&other.band)).unwrap_or_default();
    let contests = Court::alone(noise, Metric::Cpu).judge(comparison, pairs);
    let build = |(contest, shape): (super::contest::Contest, usize)| Build {
        subject: contest.subject,
        other: contest.against,
        shape,
        ratio: contest.ratio,
        p: contest.p,
        told: contest.told,
    };
    contests.into_iter().zip(shapes).map(build).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Sample, Shape, Subject};

    #[test]
    fn a_build_is_held_against_its_counterpart() {
        let named = |name: &str, kind| Subject { name: name.to_owned(), kind, ..Subject::default() };
        let of = |name: &str| Kind::Build { of: name.to_owned() };
        let subjects = vec![
            named("a", Kind::Backend),
            named("b", Kind::Backend),
            named("a (before)", of("a")),
            named("b (before)", of("b")),
            named("c (before)", of("c")),
        ];
        let cost = [12.0, 10.0, 10.0, 10.0, 10.0];
        let sample = |round: usize, subject: usize| Sample {
            round,
            subject,
            cpu_user: cost[subject] * (1.0 + (round * 7 % 5 + subject) as f64 / 500.0),
            ..Sample::default()
        };
        let samples = (0..13).flat_map(|round| (0..5).map(move |subject| sample(round, subject)));
        let comparison = Comparison {
            subjects,
            shapes: vec![Shape::default()],
            samples: samples.collect(),
            ..Comparison::default()
        };
        let builds = builds(&comparison);
        assert_eq!(builds.len(), 2, "c has no counterpart: {builds:?}");
        assert_eq!((builds[0].subject, builds[0].other, builds[0].told), (0, 2, Told::Worse));
        assert!(matches!(builds[1].told, Told::Same { .. }), "{builds:?}");
        assert_eq!(super::builds(&Comparison::default()), []);
    }
}
