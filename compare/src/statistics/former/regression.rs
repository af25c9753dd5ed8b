//! A comparison against one that was stored before.

use std::fmt;

use super::super::metric::Metric;
use super::assessment::{Assessment, Row, assess};
use super::gaps::{Measured, measured};
use crate::{Comparison, Sample, Subject};

/// By how much a subject has changed since a stored comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The subject's name.
    pub subject: String,
    /// The load's name.
    pub shape: String,
    /// By which metric.
    pub metric: Metric,
    /// Its median now over its median then.
    pub ratio: f64,
    /// The part of the difference that may be chance, from the controls of both comparisons.
    pub band: f64,
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
    /// Nothing that could not be chance.
    Unchanged,
}

/// Why two comparisons are not held against each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// They are from different machines: these facts differ, each with its values then and now.
    Machine(Vec<(String, String, String)>),
    /// They did different work: this differs, with its values then and now.
    Work(String, String, String),
    /// No subject of the one was measured under the same load in the other: what each has.
    NothingInCommon(Measured, Measured),
}

/// A fact with one of these words in its name may differ: what changes from day to day, and what a regression is
/// looked for in. How it was built is none of them: debug and release builds have nothing to say to each other.
const MAY_DIFFER: [&str; 9] =
    ["anyloop", "commit", "compiler", "date", "load", "pressure", "rustc", "steal", "version"];

/// Whether a comparison that is yet to be made, [as it is planned](crate::planned), can be held against a
/// stored one. Different machines are refused unless `even_so`.
///
/// # Errors
/// Why it can't be.
pub fn check(baseline: &Comparison, planned: &Comparison, even_so: bool) -> Result<(), Refusal> {
    same_work(baseline, planned)?;
    same_machine(baseline, planned, even_so)?;
    let is_planned = |of: &Subject| planned.subjects.iter().any(|one| one.name == of.name);
    let stands =
        |index: usize| assess(baseline).ranked.contains(&index) && is_planned(&baseline.subjects[index]);
    let in_common =
        |sample: &Sample| planned.shapes.contains(&baseline.shapes[sample.shape]) && stands(sample.subject);
    if baseline.samples.iter().any(in_common) {
        return Ok(());
    }
    let names = planned.subjects.iter().filter(|one| one.control_of.is_none() && one.kind.is_ranked());
    let planned = Measured {
        subjects: names.map(|one| one.name.clone()).collect(),
        loads: planned.shapes.iter().map(|shape| shape.name.clone()).collect(),
    };
    Err(Refusal::NothingInCommon(measured(baseline), planned))
}

fn same_machine(baseline: &Comparison, now: &Comparison, even_so: bool) -> Result<(), Refusal> {
    let different = different_facts(baseline, now);
    if different.is_empty() || even_so { Ok(()) } else { Err(Refusal::Machine(different)) }
}

/// How each subject has changed since a stored comparison, headline metric first. Different machines are
/// refused unless `even_so`; different work always is.
pub fn against(baseline: &Comparison, now: &Comparison, even_so: bool) -> Result<Vec<Change>, Refusal> {
    same_work(baseline, now)?;
    same_machine(baseline, now, even_so)?;
    let (then_assessed, now_assessed) = (assess(baseline), assess(now));
    let mut changes = Vec::new();
    for metric in Metric::ALL {
        for (index, shape) in now.shapes.iter().enumerate() {
            let Some(before) = baseline.shapes.iter().position(|other| other == shape) else { continue };
            let floors = [
                then_assessed.shapes[before].floor(metric).band,
                now_assessed.shapes[index].floor(metric).band,
            ];
            for &subject in &now_assessed.ranked {
                let name = &now.subjects[subject].name;
                let rows = row_named(baseline, &then_assessed, before, name, metric)
                    .zip(now_assessed.row(index, subject, metric));
                if let Some((then, now)) = rows {
                    changes.push(change(name, &shape.name, [then, now], floors));
                }
            }
        }
    }
    if changes.is_empty() {
        return Err(Refusal::NothingInCommon(measured(baseline), measured(now)));
    }
    Ok(changes)
}

/// Whether a subject has become worse by the headline metric: what an automatic check should stop at.
pub fn has_regressed(changes: &[Change]) -> bool {
    changes.iter().any(|change| change.metric == Metric::HEADLINE && change.drift == Drift::Regressed)
}

fn change(subject: &str, shape: &str, [then, now]: [&Row; 2], floors: [f64; 2]) -> Change {
    // The floor is that of a ratio within a round. Without a control it is only the least one, so the
    // intervals of the two medians themselves count as well.
    let [wide_then, wide_now] =
        [then, now].map(|row| row.level.interval.map_or(f64::INFINITY, |of| of.half_width()));
    let band = (1.0 + floors[0].max(wide_then)) * (1.0 + floors[1].max(wide_now)) - 1.0;
    let ratio = now.level.median / then.level.median;
    let drift = if ratio.max(1.0 / ratio) - 1.0 <= band {
        Drift::Unchanged
    } else if (ratio > 1.0) == now.metric.more_is_better() {
        Drift::Improved
    } else {
        Drift::Regressed
    };
    let (subject, shape) = (subject.to_owned(), shape.to_owned());
    Change { subject, shape, metric: now.metric, ratio, band, drift }
}

fn row_named<'a>(
    comparison: &Comparison,
    assessment: &'a Assessment,
    shape: usize,
    name: &str,
    metric: Metric,
) -> Option<&'a Row> {
    let named = |&&subject: &&usize| comparison.subjects[subject].name == name;
    assessment.row(shape, *assessment.ranked.iter().find(named)?, metric)
}

fn same_work(baseline: &Comparison, now: &Comparison) -> Result<(), Refusal> {
    let facts = |comparison: &Comparison| {
        let conditions = &comparison.conditions;
        [("handler", conditions.handler.clone()), ("message size", conditions.message_size.clone())]
    };
    for ((name, then), (_, now)) in facts(baseline).into_iter().zip(facts(now)) {
        if then != now {
            return Err(Refusal::Work(name.to_owned(), then, now));
        }
    }
    Ok(())
}

/// The facts of which only one comparison has a value, or which differ.
fn different_facts(baseline: &Comparison, now: &Comparison) -> Vec<(String, String, String)> {
    let value = |comparison: &Comparison, name: &str| {
        let fact = comparison.conditions.machine.iter().find(|(of, _)| of == name);
        fact.map_or_else(|| "unknown".to_owned(), |(_, value)| value.clone())
    };
    let mut names: Vec<&String> =
        baseline.conditions.machine.iter().chain(&now.conditions.machine).map(|(name, _)| name).collect();
    names.sort();
    names.dedup();
    let may_differ = |name: &str| {
        let name = name.to_lowercase();
        MAY_DIFFER.iter().any(|word| name.split(|c: char| !c.is_alphanumeric()).any(|part| part == *word))
    };
    names
        .into_iter()
        .filter(|name| !may_differ(name))
        .map(|name| (name.clone(), value(baseline, name), value(now, name)))
        .filter(|(_, then, now)| then != now)
        .collect()
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Machine(facts) => {
                f.write_str("the baseline is from another machine:")?;
                for (index, (name, then, now)) in facts.iter().enumerate() {
                    write!(f, "{} {name} was {then:?}, is {now:?}", if index > 0 { ";" } else { "" })?;
                }
                Ok(())
            }
            Self::Work(name, then, now) => {
                write!(f, "the baseline did other work: its {name} was {then:?}, this one's is {now:?}")
            }
            Self::NothingInCommon(then, now) => write!(
                f,
                "the baseline has no backend that was measured under the same load as here: it has {then}, and \
                 here it is {now}"
            ),
        }
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Conditions, Shape};

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
            samples: (0..7).flat_map(|round| [sample(round, 0), sample(round, 1)]).collect(),
            ..Comparison::default()
        }
    }

    #[test]
    fn a_change_beyond_both_floors_is_one() {
        let drift = |now| {
            let changes = against(&run(10.0, "2"), &run(now, "2"), false).unwrap();
            assert_eq!(changes.len(), 1, "only the CPU time has values");
            (changes[0].drift, has_regressed(&changes))
        };
        assert_eq!(drift(10.0), (Drift::Unchanged, false));
        assert_eq!(drift(10.4), (Drift::Unchanged, false));
        assert_eq!(drift(13.0), (Drift::Regressed, true));
        assert_eq!(drift(7.0), (Drift::Improved, false));
    }

    #[test]
    fn another_machine_is_refused_unless_forced() {
        let refusal = against(&run(10.0, "2"), &run(10.0, "64"), false).unwrap_err();
        let facts = vec![("cores".to_owned(), "2".to_owned(), "64".to_owned())];
        assert_eq!(refusal, Refusal::Machine(facts), "the commit may differ, the load average does");
        assert!(refusal.to_string().contains("cores was \"2\", is \"64\""));
        assert!(against(&run(10.0, "2"), &run(10.0, "64"), true).is_ok());
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
