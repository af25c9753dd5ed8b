//! Whether measurements belong together, so that their sums mean something.

use std::collections::BTreeSet;

use load::measurement::Measurement;
use load::plan::Shard;
use load::slo::Slo;

use super::input::Source;
use crate::failure::Failure;

/// The relative difference of durations that is accepted.
const TOLERANCE: f64 = 0.01;

/// The share of the measured time in which all have to be measured.
const OVERLAP: f64 = 0.9;

/// How many missing shards are named.
const NAMED: usize = 5;

/// Checks that measurements are of one load at one time. Returns what is doubtful but no reason to refuse them.
///
/// # Errors
/// If their sums would be meaningless: which of them does not go with which, and why.
pub(super) fn check(sources: &[Source], missing: bool, apart: bool) -> Result<Vec<String>, Failure> {
    let [first, others @ ..] = sources else { return Ok(Vec::new()) };
    let is_divided = sources.iter().any(|source| !source.measurement.shard.is_whole());
    if others.is_empty() && !is_divided {
        return Err(first.wrong("it is the only measurement; give at least one more"));
    }
    reject_incompatible(sources)?;
    let mut doubts = Vec::new();
    for other in others {
        let unlike = unlike(&other.measurement, &first.measurement);
        if is_divided {
            reject_unlike(other, first, &unlike)?;
        } else if !unlike.is_empty() {
            doubts.push(format!(
                "{} is of another load than {}: {}",
                other.name,
                first.name,
                unlike.join("; ")
            ));
        }
    }
    if is_divided {
        reject_incomplete(sources, missing)?;
    }
    if !apart {
        reject_apart(sources)?;
    }
    let is_old = |source: &&Source| source.measurement.window.is_none();
    if let Some(old) = sources.iter().find(is_old) {
        doubts.push(format!(
            "{} does not say when it was measured, so it is not known whether it was at the same time as the others",
            old.name
        ));
    }
    Ok(doubts)
}

/// Checks that an objective can be decided: in a closed loop nothing is sent to a server that stalls.
pub(super) fn check_open(sources: &[Source], slo: &Slo) -> Result<(), Failure> {
    match sources.iter().find(|source| source.measurement.offered_rate.is_none()) {
        None => Ok(()),
        Some(closed) => Err(closed.wrong(&format!(
            "it is of a closed loop, which can't show whether --slo {slo} is met; measure with --rate"
        ))),
    }
}

/// Rejects measurements that are not of the same kind and the same duration. A measurement that was ended early may be
/// shorter.
fn reject_incompatible(sources: &[Source]) -> Result<(), Failure> {
    let is_whole = |one: &Measurement| !one.interrupted && one.stopped_early.is_none();
    let kind = |one: &Measurement| {
        let pace = if one.offered_rate.is_some() { "an open loop" } else { "a closed loop" };
        match &one.tls {
            None => pace.to_owned(),
            Some(tls) => format!("{pace} over {} with {}", tls.version, tls.cipher_suite),
        }
    };
    let first = &sources[0];
    let whole = sources.iter().find(|source| is_whole(&source.measurement));
    for source in sources {
        let (is, was) = (kind(&source.measurement), kind(&whole.unwrap_or(first).measurement));
        let model = &whole.unwrap_or(first).name;
        if is != was {
            return Err(
                source.wrong(&format!("it is of {is}, and {model} of {was}; give measurements of one kind"))
            );
        }
        let Some(model) = whole.filter(|_| is_whole(&source.measurement)) else { continue };
        let (is, was) = (source.measurement.seconds, model.measurement.seconds);
        if (is - was).abs() > TOLERANCE * was {
            let model = &model.name;
            let why =
                format!("it measured {is} s, and {model} {was} s; give measurements of the same --duration");
            return Err(source.wrong(&why));
        }
    }
    Ok(())
}

/// The settings in which two measurements differ, if both are known: what one says, and what the other.
fn unlike(one: &Measurement, other: &Measurement) -> Vec<String> {
    if one.plan.is_empty() || other.plan.is_empty() {
        return Vec::new();
    }
    let names: BTreeSet<_> = one.plan.keys().chain(other.plan.keys()).collect();
    let differ = names.into_iter().filter(|name| one.plan.get(*name) != other.plan.get(*name));
    let said = |of: &Measurement, name: &str| of.plan.get(name).cloned().unwrap_or_else(|| "none".to_owned());
    differ.map(|name| format!("{name} is {} and not {}", said(one, name), said(other, name))).collect()
}

/// Rejects a measurement that is no shard of the same load.
fn reject_unlike(source: &Source, first: &Source, unlike: &[String]) -> Result<(), Failure> {
    let called =
        |shard: Shard| if shard.is_whole() { "no shard".to_owned() } else { format!("shard {shard}") };
    let (is, was) = (source.measurement.shard, first.measurement.shard);
    if is.count() != was.count() {
        let (is, was, first) = (called(is), called(was), &first.name);
        return Err(source.wrong(&format!("it is {is}, and {first} is {was}; give the shards of one load")));
    }
    if !unlike.is_empty() {
        let (unlike, first) = (unlike.join("; "), &first.name);
        return Err(source.wrong(&format!(
            "it is a shard of another load than {first}: {unlike}; give all shards the same flags"
        )));
    }
    Ok(())
}

/// Rejects shards that are there twice, or, unless that is accepted, not at all.
fn reject_incomplete(sources: &[Source], missing: bool) -> Result<(), Failure> {
    let mut seen: BTreeSet<Shard> = BTreeSet::new();
    for source in sources {
        let shard = source.measurement.shard;
        if !seen.insert(shard) {
            let twin = sources.iter().find(|source| source.measurement.shard == shard);
            let twin = twin.map_or("another", |twin| &twin.name);
            return Err(source.wrong(&format!("it is shard {shard}, as {twin} is; give each shard once")));
        }
    }
    let count = sources[0].measurement.shard.count();
    let absent = (1..=count).filter_map(|number| Shard::new(number, count).ok());
    let absent: Vec<_> = absent.filter(|shard| !seen.contains(shard)).collect();
    if missing || absent.is_empty() {
        return Ok(());
    }
    let mut named: Vec<_> = absent.iter().take(NAMED).map(ToString::to_string).collect();
    if absent.len() > NAMED {
        named.push(format!("{} more", absent.len() - NAMED));
    }
    let last = named.pop().unwrap_or_default();
    let named = if named.is_empty() {
        format!("shard {last} is")
    } else {
        format!("shards {} and {last} are", named.join(", "))
    };
    Err(Failure::Usage(format!(
        "{named} missing; give the measurements of all {count}, or accept it by --allow-missing"
    )))
}

/// Rejects measurements that were not taken at the same time.
fn reject_apart(sources: &[Source]) -> Result<(), Failure> {
    let windows = sources.iter().filter_map(|source| Some((source, source.measurement.window?)));
    let windows: Vec<_> = windows.filter(|(_, window)| window.seconds() > 0.0).collect();
    let last = windows.iter().max_by(|(_, one), (_, other)| one.start.total_cmp(&other.start));
    let first = windows.iter().min_by(|(_, one), (_, other)| one.end.total_cmp(&other.end));
    let (Some((late, begins)), Some((early, ends))) = (last, first) else { return Ok(()) };
    let shortest = windows.iter().map(|(_, window)| window.seconds()).fold(f64::INFINITY, f64::min);
    let common = ends.end - begins.start;
    if common >= OVERLAP * shortest {
        return Ok(());
    }
    let early = &early.name;
    let how = match common {
        common if common < 0.0 => format!("it was measured {:.1} s after {early} had ended", -common),
        common => format!("only {common:.1} s of {shortest:.1} s were measured at the same time as {early}"),
    };
    Err(late.wrong(&format!("{how}; begin all by the same --start-at, or accept it by --allow-apart")))
}
