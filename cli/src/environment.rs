//! The environment variables that set flags, and warnings about similar ones that don't.

use std::env;

use clap::{Arg, Command};
use strsim::damerau_levenshtein;

use crate::program::Program;

/// Sets the names of the environment variables of all flags with `#[arg(env)]`: program, command and flag.
pub(crate) fn name_variables(command: Command, program: &Program) -> Command {
    command.mut_subcommands(|command| {
        let name = command.get_name().to_owned();
        command.mut_args(|arg| if arg.get_env().is_some() { with_variable(arg, &name, program) } else { arg })
    })
}

/// A flag of a command, with a variable that is named after program, command and flag.
pub(crate) fn with_variable(arg: Arg, command: &str, program: &Program) -> Arg {
    let variable = program.variable(command, arg.get_long().unwrap_or_default());
    arg.env(variable)
}

/// A warning for each environment variable that has the program's prefix and sets no flag.
pub(crate) fn unknown(command: &Command, program: &Program) -> Vec<String> {
    let names = env::vars_os().map(|(name, _)| name.display().to_string());
    warnings(&known(command, program), &program.prefix(), names)
}

/// A variable that sets a flag.
struct Variable {
    name: String,
    /// The flag: the part of the name after the command.
    flag: String,
}

fn warnings(known: &[Variable], prefix: &str, names: impl Iterator<Item = String>) -> Vec<String> {
    let is_ours = |name: &String| {
        name.starts_with(prefix) && !INTERNAL.iter().any(|internal| name.starts_with(internal))
    };
    let is_known = |name: &String| known.iter().any(|variable| variable.name == *name);
    let unknown = names.filter(|name| is_ours(name) && !is_known(name));
    unknown.map(|name| warning(known, prefix, &name)).collect()
}

fn warning(known: &[Variable], prefix: &str, name: &str) -> String {
    let meant = meant(known, prefix, name);
    let advice = match meant.as_slice() {
        [] => "the help of each command lists those that do".to_owned(),
        names => format!("did you mean {}?", names.join(" or ")),
    };
    format!("the variable {name} sets no flag; {advice}")
}

/// The variables that a name may mean: those of the same flag, which earlier versions had without a command or under
/// another name; otherwise the one with the most similar spelling.
fn meant<'a>(known: &'a [Variable], prefix: &str, name: &str) -> Vec<&'a str> {
    let flag = &name[prefix.len()..];
    if let Some((_, now)) = RENAMED.iter().find(|(earlier, _)| *earlier == flag) {
        let is_new = |variable: &&Variable| variable.name.strip_prefix(prefix) == Some(now);
        return known.iter().filter(is_new).map(|variable| variable.name.as_str()).collect();
    }
    let of_flag = |flag: &str| {
        let same = known.iter().filter(|variable| variable.flag == flag);
        same.map(|variable| variable.name.as_str()).collect::<Vec<_>>()
    };
    let same = of_flag(flag);
    if !same.is_empty() {
        return same;
    }
    let slips = flag.len() / LETTERS_PER_ERROR;
    let whole = known.iter().map(|variable| (damerau_levenshtein(name, &variable.name), variable, true));
    let short = known.iter().map(|variable| (damerau_levenshtein(flag, &variable.flag), variable, false));
    let nearest = whole.chain(short).filter(|(distance, ..)| *distance <= slips);
    match nearest.min_by_key(|(distance, ..)| *distance) {
        Some((_, variable, true)) => vec![&variable.name],
        Some((_, variable, false)) => of_flag(&variable.flag),
        None => Vec::new(),
    }
}

/// The variables that set a flag of a command.
fn known(command: &Command, program: &Program) -> Vec<Variable> {
    let of_command = |command: &Command| {
        let prefix = program.variable(command.get_name(), "");
        let names = command.get_arguments().filter_map(Arg::get_env).map(|name| name.display().to_string());
        let variable =
            |name: String| Variable { flag: name.strip_prefix(&prefix).unwrap_or(&name).to_owned(), name };
        names.map(variable).collect::<Vec<_>>()
    };
    command.get_subcommands().flat_map(of_command).collect()
}

/// Flags that were renamed: the former and the present variable, without the prefix.
const RENAMED: [(&str, &str); 1] = [("CLIENTS", "COMPARE_CONNECTIONS")];

/// Prefixes of variables that the build, the benches and the conformance suite of this workspace use.
const INTERNAL: [&str; 3] = ["ANYLOOP_BENCH_", "ANYLOOP_COMPILER", "ANYLOOP_CONFORMANCE_"];

/// One typing error is tolerated for this many letters after the prefix.
const LETTERS_PER_ERROR: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Catalogue;

    #[test]
    fn the_warning_suggests_the_most_similar_variable() {
        let program = Program::new();
        let known = known(&Catalogue::built_in().command(&program), &program);
        let none = "the help of each command lists those that do";
        for (name, expected) in [
            ("ANYLOOP_SERVE_BAKEND", Some("did you mean ANYLOOP_SERVE_BACKEND?")),
            ("ANYLOOP_BACKEND", Some("did you mean ANYLOOP_SERVE_BACKEND?")),
            ("ANYLOOP_BAKEND", Some("did you mean ANYLOOP_SERVE_BACKEND?")),
            ("ANYLOOP_MAX_MESAGE", Some("did you mean ANYLOOP_SERVE_MAX_MESSAGE?")),
            ("ANYLOOP_RATE", Some("did you mean ANYLOOP_LOAD_RATE or ANYLOOP_COMPARE_RATE?")),
            (
                "ANYLOOP_REPLY_TIMEOUT",
                Some("did you mean ANYLOOP_CLIENT_REPLY_TIMEOUT or ANYLOOP_LOAD_REPLY_TIMEOUT?"),
            ),
            ("ANYLOOP_CLIENTS", Some("did you mean ANYLOOP_COMPARE_CONNECTIONS?")),
            ("ANYLOOP_SOMETHING_ELSE", Some(none)),
            ("ANYLOOP_FOO", Some(none)),
            ("ANYLOOP_", Some(none)),
            ("ANYLOOP_SERVE_BACKEND", None),
            ("ANYLOOP_COMPARE_HANDLER", None),
            ("ANYLOOP_CONFORMANCE_SEED", None),
            ("ANYLOOP_CONFORMANCE_PARENT", None),
            ("ANYLOOP_BENCH_COUNTED", None),
            ("ANYLOOP_COMPILER", None),
            ("PATH", None),
        ] {
            let warnings = warnings(&known, "ANYLOOP_", [name.to_owned()].into_iter());
            match expected {
                Some(expected) => {
                    assert_eq!(warnings, [format!("the variable {name} sets no flag; {expected}")]);
                }
                None => assert!(warnings.is_empty(), "{warnings:?}"),
            }
        }
    }

    #[test]
    fn every_variable_is_named_after_its_program_its_command_and_its_flag() {
        let mut program = Program::new();
        program.set_name("shout-d");
        for command in Catalogue::built_in().command(&program).get_subcommands() {
            for arg in command.get_arguments() {
                let (Some(variable), Some(flag)) = (arg.get_env(), arg.get_long()) else { continue };
                let expected = format!("SHOUT_D_{}_{flag}", command.get_name()).replace('-', "_");
                assert_eq!(variable.to_str(), Some(expected.to_uppercase().as_str()));
            }
        }
    }
}
