//! What one of two comparisons was made of, and the other was not.

use std::fmt;

use super::assess::ranked;
use crate::{Comparison, Sample};

/// What was, or will be, measured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    /// The names of the subjects.
    pub subjects: Vec<String>,
    /// The names of the loads.
    pub loads: Vec<String>,
}

/// What one of two comparisons lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The name of a subject or a load.
    pub name: String,
    /// Whether it is a load.
    pub is_load: bool,
    /// Whether the baseline has it, and the other lacks it.
    pub is_in_baseline: bool,
}

/// Subjects and loads that were measured in one of two comparisons alone.
pub fn gaps(baseline: &Comparison, now: &Comparison) -> Vec<Gap> {
    let (then, now) = (measured(baseline), measured(now));
    let mut gaps = Vec::new();
    for (is_load, then, now) in [(false, then.subjects, now.subjects), (true, then.loads, now.loads)] {
        for (is_in_baseline, these, those) in [(true, &then, &now), (false, &now, &then)] {
            let lacking = these.iter().filter(|name| !those.contains(name));
            gaps.extend(lacking.map(|name| Gap { name: name.clone(), is_load, is_in_baseline }));
        }
    }
    gaps
}

/// Who of the ranked was measured, and under which loads.
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
        loads: loads.map(|(_, load)| load.name.clone()).collect(),
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.subjects.is_empty() {
            return f.write_str("nothing");
        }
        write!(f, "{} under {}", self.subjects.join(", "), self.loads.join(", "))
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
    use crate::{Shape, Subject};

    fn comparison() -> Comparison {
        Comparison {
            subjects: vec![Subject { name: "a".to_owned(), ..Subject::default() }],
            shapes: vec![Shape { name: "1 x 1".to_owned(), ..Shape::default() }],
            samples: vec![Sample::default()],
            ..Comparison::default()
        }
    }

    #[test]
    fn what_only_one_of_them_has_is_named() {
        let (then, mut now) = (comparison(), comparison());
        assert_eq!(gaps(&then, &now), []);
        now.subjects[0].name = "b".to_owned();
        now.shapes[0].name = "2 x 2".to_owned();
        let told: Vec<_> = gaps(&then, &now).iter().map(Gap::to_string).collect();
        assert_eq!(
            told,
            [
                "a was not measured this time",
                "b is not in the baseline",
                "the load 1 x 1 was not measured this time",
                "the load 2 x 2 is not in the baseline",
            ]
        );
    }
}
