//! Whether a comparison can be compared with a stored one, the baseline, and what only one of them contains.

use std::fmt;

use super::assess::ranked;
use crate::report::load;
use crate::{Comparison, Sample, Shape, Subject};

/// Why two comparisons can't be compared.
#[derive(Clone, Debug, PartialEq)]
pub enum Incomparable {
    /// They are from different machines: these facts differ, each with its values then and now.
    Machine(Vec<(String, String, String)>),
    /// The work differs: this fact, with its values then and now.
    Work(String, String, String),
    /// No subject was measured under the same load in both: what each contains.
    NothingInCommon(Measured, Measured),
}

/// A fact with one of these words in its name may differ: it changes from day to day, or a regression is searched in
/// it. The build profile must not differ: debug and release builds can't be compared.
const MAY_DIFFER: [&str; 9] =
    ["anyloop", "commit", "compiler", "date", "load", "pressure", "rustc", "steal", "version"];

/// Checks before a comparison is measured, by its [preview](crate::preview), that it can be compared with a stored one.
/// Different machines are refused unless `even_so`.
///
/// # Errors
/// Why they can't be compared.
pub fn check(baseline: &Comparison, planned: &Comparison, even_so: bool) -> Result<(), Incomparable> {
    same_work(baseline, planned)?;
    same_machine(baseline, planned, even_so)?;
    let is_planned = |of: &Subject| planned.subjects.iter().any(|one| one.name == of.name);
    let is_sound = |index: usize| ranked(baseline).contains(&index) && is_planned(&baseline.subjects[index]);
    let is_planned_load = |of: &Shape| planned.shapes.iter().any(|one| is_same_load(one, of));
    let in_common =
        |sample: &Sample| is_planned_load(&baseline.shapes[sample.shape]) && is_sound(sample.subject);
    if baseline.samples.iter().any(in_common) {
        return Ok(());
    }
    let names = planned.subjects.iter().filter(|one| one.control_of.is_none() && one.kind.is_ranked());
    let planned =
        Measured { subjects: names.map(|one| one.name.clone()).collect(), loads: planned.shapes.clone() };
    Err(Incomparable::NothingInCommon(measured(baseline), planned))
}

pub(super) fn same_machine(
    baseline: &Comparison,
    now: &Comparison,
    even_so: bool,
) -> Result<(), Incomparable> {
    let different = different_facts(baseline, now);
    if different.is_empty() || even_so { Ok(()) } else { Err(Incomparable::Machine(different)) }
}

pub(super) fn same_work(baseline: &Comparison, now: &Comparison) -> Result<(), Incomparable> {
    let facts = |comparison: &Comparison| {
        let conditions = &comparison.conditions;
        [
            ("handler", conditions.handler.clone()),
            ("message size", conditions.message_size.clone()),
            ("message", conditions.message.clone()),
        ]
    };
    for ((name, then), (_, now)) in facts(baseline).into_iter().zip(facts(now)) {
        let is_known = name != "message" || !(then.is_empty() || now.is_empty());
        if is_known && then != now {
            return Err(Incomparable::Work(name.to_owned(), then, now));
        }
    }
    Ok(())
}

/// The facts that differ, or that only one comparison has.
pub(super) fn different_facts(baseline: &Comparison, now: &Comparison) -> Vec<(String, String, String)> {
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
        .chain([pinning(baseline, now)])
        .filter(|(_, then, now)| then != now)
        .collect()
}

/// The pinning of both: on other cores the figures of the same server differ.
fn pinning(baseline: &Comparison, now: &Comparison) -> (String, String, String) {
    let [then, now] =
        [baseline, now].map(|of| of.conditions.pinned.clone().unwrap_or_else(|| "none".to_owned()));
    ("pinning".to_owned(), then, now)
}

impl fmt::Display for Incomparable {
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
                write!(f, "the baseline has other work: its {name} was {then:?}, this one's is {now:?}")
            }
            Self::NothingInCommon(then, now) => write!(
                f,
                "the baseline has no server that was measured under the same load: it has {then}, and this \
comparison has {now}"
            ),
        }
    }
}

impl std::error::Error for Incomparable {}

/// What was measured, or will be.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measured {
    /// The names of the subjects.
    pub subjects: Vec<String>,
    /// The loads.
    pub loads: Vec<Shape>,
}

/// A subject or load that only one of two comparisons has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The name of a subject, or a load in words.
    pub name: String,
    /// Whether it is a load.
    pub is_load: bool,
    /// Whether it is the baseline that has it.
    pub is_in_baseline: bool,
}

/// The subjects and loads that were measured in only one of two comparisons.
pub fn gaps(baseline: &Comparison, now: &Comparison) -> Vec<Gap> {
    let (then, now) = (measured(baseline), measured(now));
    let mut gaps = Vec::new();
    for is_load in [false, true] {
        for (is_in_baseline, these, those) in [(true, &then, &now), (false, &now, &then)] {
            let lacking = if is_load { these.loads_beyond(those) } else { these.subjects_beyond(those) };
            gaps.extend(lacking.into_iter().map(|name| Gap { name, is_load, is_in_baseline }));
        }
    }
    gaps
}

/// Whether two loads are the same except for their names.
pub(super) fn is_same_load(one: &Shape, other: &Shape) -> bool {
    Shape { name: String::new(), ..one.clone() } == Shape { name: String::new(), ..other.clone() }
}

impl Measured {
    fn subjects_beyond(&self, other: &Self) -> Vec<String> {
        self.subjects.iter().filter(|name| !other.subjects.contains(name)).cloned().collect()
    }

    fn loads_beyond(&self, other: &Self) -> Vec<String> {
        let is_lacking = |of: &&Shape| !other.loads.iter().any(|one| is_same_load(one, of));
        self.loads.iter().filter(is_lacking).map(load).collect()
    }
}

/// The ranked subjects that were measured, and their loads.
pub(super) fn measured(comparison: &Comparison) -> Measured {
    let ranked = ranked(comparison);
    let of_ranked = |sample: &&Sample| ranked.contains(&sample.subject);
    let samples: Vec<&Sample> = comparison.samples.iter().filter(of_ranked).collect();
    let ran = |index: usize| samples.iter().any(|sample| sample.subject == index);
    let used = |index: usize| samples.iter().any(|sample| sample.shape == index);
    let subjects = comparison.subjects.iter().enumerate().filter(|(index, _)| ran(*index));
    let loads = comparison.shapes.iter().enumerate().filter(|(index, _)| used(*index));
    Measured {
        subjects: subjects.map(|(_, subject)| subject.name.clone()).collect(),
        loads: loads.map(|(_, load)| load.clone()).collect(),
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.subjects.is_empty() {
            return f.write_str("nothing");
        }
        let loads: Vec<String> = self.loads.iter().map(load).collect();
        write!(f, "{} under {}", self.subjects.join(", "), loads.join("; "))
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.is_load { "the load " } else { "" };
        let lacks = if self.is_in_baseline { "was not measured this time" } else { "is not in the baseline" };
        write!(f, "{what}{} {lacks}", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comparison() -> Comparison {
        Comparison {
            subjects: vec![Subject { name: "a".to_owned(), ..Subject::default() }],
            shapes: vec![Shape { connections: 1, depth: 1, ..Shape::default() }],
            samples: vec![Sample::default()],
            ..Comparison::default()
        }
    }

    #[test]
    fn gaps_name_what_only_one_of_them_has() {
        let (then, mut now) = (comparison(), comparison());
        now.shapes[0].name = "another name".to_owned();
        assert_eq!(gaps(&then, &now), [], "the load is the same");
        now.subjects[0].name = "b".to_owned();
        now.shapes[0].rate = Some(28_000.0);
        let verdict: Vec<_> = gaps(&then, &now).iter().map(Gap::to_string).collect();
        assert_eq!(
            verdict,
            [
                "a was not measured this time",
                "b is not in the baseline",
                "the load 1 connection, closed loop was not measured this time",
                "the load 1 connection, 28k/s is not in the baseline",
            ]
        );
    }
}
