//! The variables that set flags, and those that only look as if they did.

use std::collections::BTreeSet;
use std::env;

use clap::{Arg, Command};
use strsim::damerau_levenshtein;

/// A sentence for each variable of the environment that has our prefix and sets no flag of any command.
pub(crate) fn unknown(command: &Command) -> Vec<String> {
    let names = env::vars_os().map(|(name, _)| name.display().to_string());
    warnings(&known(command), names)
}

fn warnings(known: &BTreeSet<String>, names: impl Iterator<Item = String>) -> Vec<String> {
    let is_ours = |name: &String| {
        name.starts_with(PREFIX) && !INTERNAL.iter().any(|internal| name.starts_with(internal))
    };
    let unknown = names.filter(|name| is_ours(name) && !known.contains(name));
    unknown.map(|name| warning(known, &name)).collect()
}

fn warning(known: &BTreeSet<String>, name: &str) -> String {
    let distance = |other: &&String| damerau_levenshtein(name, other);
    let nearest = known.iter().min_by_key(distance).filter(|other| distance(other) <= MOST_SLIPS);
    let advice = match nearest {
        Some(other) => format!("did you mean {other}?"),
        None => "the help of each command names those that do".to_owned(),
    };
    format!("the variable {name} sets no flag; {advice}")
}

/// The variables that set a flag of a command, or of one below it.
fn known(command: &Command) -> BTreeSet<String> {
    let own = command.get_arguments().filter_map(Arg::get_env).map(|name| name.display().to_string());
    own.chain(command.get_subcommands().flat_map(known)).collect()
}

const PREFIX: &str = "ANYLOOP_";

/// The beginnings of the names that the build, the benches and the test kit of this workspace use.
const INTERNAL: [&str; 3] = ["ANYLOOP_BENCH_", "ANYLOOP_COMPILER", "ANYLOOP_CONFORMANCE_"];

/// How many letters may be missing, doubled, wrong or swapped in a name that is still known for what was meant.
const MOST_SLIPS: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Catalogue;

    #[test]
    fn a_variable_that_sets_nothing_is_named_with_the_nearest_that_does() {
        let known = known(&Catalogue::built_in().command("anyloop"));
        for (name, expected) in [
            ("ANYLOOP_BAKEND", Some("did you mean ANYLOOP_BACKEND?")),
            ("ANYLOOP_MAX_MESAGE", Some("did you mean ANYLOOP_MAX_MESSAGE?")),
            ("ANYLOOP_SOMETHING_ELSE", Some("the help of each command names those that do")),
            ("ANYLOOP_BACKEND", None),
            ("ANYLOOP_COMPARE_HANDLER", None),
            ("ANYLOOP_CONFORMANCE_SEED", None),
            ("ANYLOOP_CONFORMANCE_PARENT", None),
            ("ANYLOOP_BENCH_COUNTED", None),
            ("ANYLOOP_COMPILER", None),
            ("PATH", None),
        ] {
            let warnings = warnings(&known, [name.to_owned()].into_iter());
            match expected {
                Some(expected) => {
                    assert_eq!(warnings, [format!("the variable {name} sets no flag; {expected}")]);
                }
                None => assert!(warnings.is_empty(), "{warnings:?}"),
            }
        }
    }
}
