//! The validity of a comparison: refusals, noise, flags, and how much was measured.

use super::wording::{
    count, figure, interval, load_in_words, name, names, percent, ratio, sentence, title, title_in_words,
    titles_in_words,
};
use crate::statistics::{Assessment, Column, Metric, Verdict, Why};
use crate::{Comparison, Sample};

/// Above this share of refusals, the figures show how fast a server refuses messages.
const REFUSED: f64 = 0.01;

/// A sentence on the servers whose replies were refusals, if any.
pub(super) fn refusals(comparison: &Comparison) -> Option<String> {
    let mut of_all = Vec::new();
    for (index, subject) in comparison.subjects.iter().enumerate() {
        let of_it = || comparison.samples.iter().filter(|sample| sample.subject == index);
        // For each load by itself: the refusals of one load would be hidden among the replies of a faster one.
        let share = |load: usize| {
            let of_load = of_it().filter(|sample| sample.shape == load);
            let (refused, replies) = of_load.fold((0, 0), |(refused, replies), sample| {
                (refused + sample.refused, replies + sample.replies.max(sample.refused))
            });
            (replies > 0).then(|| refused as f64 / replies as f64)
        };
        let shares: Vec<f64> = (0..comparison.shapes.len()).filter_map(share).collect();
        let most = shares.iter().copied().fold(0.0, f64::max);
        if subject.control_of.is_none() && most > REFUSED {
            let example = of_it().find_map(|sample| sample.refusal.clone());
            of_all.push((index, most, example, shares.iter().any(|share| *share < most)));
        }
    }
    let most = of_all.iter().map(|of| of.1).reduce(f64::max)?;
    let example = of_all
        .iter()
        .find_map(|of| of.2.clone())
        .map_or(String::new(), |example| format!(", such as `{}`", example.replace('`', "'")));
    let subjects: Vec<usize> = of_all.iter().map(|of| of.0).collect();
    let up_to = if of_all.len() > 1 || of_all.iter().any(|of| of.3) { "up to " } else { "" };
    Some(format!(
        "{up_to}{} of the replies of {} were refusals{example}: the figures show how fast messages are refused, not how fast they \
         are served.",
        percent(most),
        names(comparison, &subjects)
    ))
    .map(|said| if up_to.is_empty() { said } else { said.replacen("up to", "Up to", 1) })
}

/// The warnings above the matrix, in a few words each.
pub(super) fn warnings(comparison: &Comparison, assessment: &Assessment) -> Vec<String> {
    let mut warnings = Vec::new();
    if comparison.interrupted {
        let asked = comparison.conditions.rounds;
        warnings.push(format!("interrupted after {} of {asked} rounds", assessment.rounds));
    }
    if assessment.screening {
        warnings.push(format!("screening only: {}", count(assessment.rounds, "round", "rounds")));
    }
    if comparison.conditions.unverified {
        warnings.push("replies counted, not verified".to_owned());
    }
    if refusals(comparison).is_some() {
        warnings.push("many replies were refusals".to_owned());
    }
    if !assessment.failed.is_empty() {
        warnings.push(format!("{} failed", count(assessment.failed.len(), "server", "servers")));
    }
    if assessment.control.is_none() && assessment.ranked.len() > 1 {
        warnings.push("the reference did not run twice, so the noise is unknown".to_owned());
    }
    warnings.extend(busy_machine(comparison));
    warnings.extend(pinned(comparison).map(|pinned| format!("pinned: {pinned}")));
    warnings
}

/// A warning that other programs were running, if the load average at the start was above the number of cores.
fn busy_machine(comparison: &Comparison) -> Option<String> {
    let fact = |wanted: &str| {
        let mut facts = comparison.conditions.machine.iter();
        facts.find(|(name, _)| name == wanted)?.1.parse::<f64>().ok()
    };
    let (load, cores) = (fact("load average at the start")?, fact("cores")?);
    (load > cores)
        .then(|| format!("load average {load} at the start, on {cores} cores: other programs were running"))
}

/// What was pinned. The highest rate is left out if it was not measured.
pub(super) fn pinned(comparison: &Comparison) -> Option<String> {
    let pinned = comparison.conditions.pinned.as_ref()?;
    let is_measured = !comparison.probes.is_empty();
    Some(if is_measured { pinned.clone() } else { pinned.replacen(" and the highest rate", "", 1) })
}

/// The caveats of the verdict in one sentence: what is doubtful, or if nothing is, the noise.
pub(super) fn caveats(comparison: &Comparison, assessment: &Assessment) -> Option<String> {
    let mut clauses: Vec<String> = Vec::new();
    if assessment.screening && assessment.rounds > 0 {
        clauses.push(format!(
            "this is screening only: {} can't support a verdict",
            count(assessment.rounds, "round", "rounds")
        ));
    }
    if comparison.conditions.unverified {
        clauses.push("the replies were counted, not verified".to_owned());
    }
    clauses.extend(flagged(comparison, assessment));
    clauses.extend(significant_noise(comparison, assessment));
    let leader =
        assessment.columns.iter().find(|column| column.absent.is_none()).and_then(|column| column.leader);
    if let Some(leader) = leader.filter(|leader| comparison.subjects[*leader].legacy.is_some()) {
        let why = comparison.subjects[leader].legacy.clone().unwrap_or_default();
        clauses.push(format!("{} is legacy: {why}", name(comparison, leader)));
    }
    if clauses.is_empty() {
        clauses.extend(noise(comparison, assessment));
    }
    sentence(&clauses)
}

/// The columns that have no verdicts because of flags.
fn flagged(comparison: &Comparison, assessment: &Assessment) -> Option<String> {
    let doubted = |column: &&Column| {
        let by_flags = |verdict: &Verdict| {
            matches!(verdict, Verdict::Undecided(Why::Flagged { .. } | Why::DependsOnFlagged { .. }))
        };
        column.absent.is_none() && column.cells.iter().any(|cell| by_flags(&cell.verdict))
    };
    let is_told = |column: &&Column| {
        column.cells.iter().any(|cell| !matches!(cell.verdict, Verdict::Reference | Verdict::Undecided(_)))
    };
    let doubted: Vec<&Column> = assessment.columns.iter().filter(doubted).collect();
    let part = |what: &str, is: &dyn Fn(&&Column) -> bool| {
        let columns: Vec<&Column> = doubted.iter().copied().filter(is).collect();
        (!columns.is_empty()).then(|| format!("{what} {}", titles_in_words(comparison, &columns)))
    };
    let parts =
        [part("any verdict on", &|column| !is_told(column)), part("a verdict on every server in", &is_told)];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty())
        .then(|| format!("too many measurements are flagged as doubtful for {}", parts.join(" and for ")))
}

/// The columns in which two runs of the reference differ significantly.
fn significant_noise(comparison: &Comparison, assessment: &Assessment) -> Option<String> {
    let reference = name(comparison, assessment.reference?);
    let of_it: Vec<&Column> = assessment.columns.iter().filter(|column| column.noise.excludes_one).collect();
    let band = of_it.iter().map(|column| column.band).reduce(f64::max)?;
    Some(format!(
        "two runs of {reference}, which should be the same, differ by more than chance in {}, so only differences above {} \
         count there",
        titles_in_words(comparison, &of_it),
        percent(band)
    ))
}

/// How much two runs of the reference differ in the first column that has a noise.
fn noise(comparison: &Comparison, assessment: &Assessment) -> Option<String> {
    let reference = name(comparison, assessment.reference?);
    let column = assessment.columns.iter().find(|column| column.noise.spread.is_some())?;
    Some(format!(
        "two runs of {reference} in the same round typically differ by {} in {}; over {} this noise averages out to at most \
         {}, and only larger differences count",
        percent(column.noise.spread?.exp_m1()),
        title_in_words(comparison, column),
        count(column.noise.ratios.len(), "round", "rounds"),
        percent(column.band)
    ))
}

/// How much two runs of the reference differ, for each column that has a noise: its name, the spread of single runs,
/// the ratio with its interval, whether that contains 1, and the band within which no difference from the reference
/// counts.
pub(super) fn noise_rows(comparison: &Comparison, assessment: &Assessment) -> Vec<[String; 5]> {
    let of_it =
        assessment.columns.iter().filter(|column| column.absent.is_none() && column.noise.estimate.is_some());
    of_it
        .map(|column| {
            let load =
                column.shape.map_or(String::new(), |shape| format!(", {}", load_in_words(comparison, shape)));
            let noise = &column.noise;
            let own = noise.estimate.map_or(String::new(), |estimate| {
                let range = estimate.interval.map_or(String::new(), |of| format!(" ({})", interval(of)));
                format!("{}{range}", ratio(estimate.median))
            });
            let excludes = if noise.excludes_one { "no: they differ" } else { "yes" };
            [
                format!("{}{load}", title(column.figure)),
                noise.spread.map_or("–".to_owned(), |spread| percent(spread.exp_m1())),
                own,
                excludes.to_owned(),
                format!("±\u{a0}{}", percent(column.band)),
            ]
        })
        .collect()
}

/// The headings of [`noise_rows`].
pub(super) const NOISE_HEADINGS: [&str; 5] = [
    "second run of the reference compared with the first",
    "single runs differ by",
    "ratio over all rounds (interval)",
    "interval contains 1",
    "only larger differences count",
];

/// The flagged measurements, described.
pub(super) fn flags(comparison: &Comparison) -> Vec<String> {
    let flagged = comparison.samples.iter().filter(|sample| !sample.flags.is_empty());
    let said = |sample: &Sample| {
        let subject = comparison.subjects.get(sample.subject).map_or("unknown", |subject| &subject.name);
        let load = load_in_words(comparison, sample.shape);
        format!("round {}, {subject}, {load}: {}", sample.round + 1, sample.flags.join("; "))
    };
    flagged.map(said).collect()
}

/// How many measurements are flagged for latency and for CPU: a flag need not concern every figure. `None` if none is
/// flagged.
pub(super) fn flags_in_words(comparison: &Comparison) -> Option<String> {
    let of_it = |metric: Metric| {
        let is_doubted = |sample: &&Sample| sample.flags.iter().any(|flag| metric.is_doubted_by(flag));
        comparison.samples.iter().filter(is_doubted).count()
    };
    let (latency, cpu) = (of_it(Metric::TailLatency), of_it(Metric::Cpu));
    let all = comparison.samples.len();
    (latency + cpu > 0).then(|| {
        let cpu = if cpu == 0 { "none".to_owned() } else { cpu.to_string() };
        let [p99, message] = [Metric::TailLatency, Metric::Cpu].map(Metric::name);
        format!("{latency} of {all} measurements are flagged for {p99}, and {cpu} for {message}")
    })
}

/// The largest number of flagged rounds of each column's cells.
pub(super) fn flagged_rounds<'a>(assessment: &'a Assessment) -> Vec<(&'a Column, usize)> {
    let most = |column: &'a Column| (column, column.cells.iter().map(|cell| cell.flagged).max().unwrap_or(0));
    assessment
        .columns
        .iter()
        .filter(|column| column.absent.is_none())
        .map(most)
        .filter(|of| of.1 > 0)
        .collect()
}

/// Where each server runs the handler, if known.
pub(super) fn handlers(comparison: &Comparison) -> Vec<(String, String)> {
    let of_it = comparison.subjects.iter().filter(|subject| subject.control_of.is_none());
    of_it.filter_map(|subject| Some((subject.name.clone(), subject.handler_runs.clone()?))).collect()
}

/// The figures of the isolation column, with their ratio to the figure without hostile clients.
pub(super) fn isolation_ratio(column: &Column) -> Vec<(usize, String)> {
    let said = |cell: &crate::statistics::Cell| {
        let (level, over) = (cell.level?, cell.isolation_ratio?);
        let range = over.interval.map_or(String::new(), |of| format!(" ({})", interval(of)));
        Some((
            cell.subject,
            format!(
                "{}, which is {}{range} the figure without them",
                figure(column.figure, level.median),
                ratio(over.median)
            ),
        ))
    };
    column.cells.iter().filter_map(said).collect()
}
