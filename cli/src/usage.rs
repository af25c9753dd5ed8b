//! Errors in the values of flags: one sentence that names the flag, or the environment variable that has set it.

use std::env;
use std::error::Error as _;
use std::ffi::{OsStr, OsString};

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, Error};

/// The names of values that are quantities. A value that begins with a hyphen is then a wrong quantity and not a flag.
const QUANTITIES: [&str; 10] =
    ["COUNT", "COUNT|auto", "CPU", "LOAD", "NUMBER", "PID", "RATE", "SIZE", "SIZES", "TIME"];

/// Lets flags with quantities accept any value, so that our own parser reports errors.
pub(crate) fn take_any_quantity(command: Command) -> Command {
    let is_quantity = |arg: &Arg| {
        let name = arg.get_value_names().and_then(<[_]>::first);
        name.is_some_and(|name| QUANTITIES.contains(&name.trim_end_matches(",…")))
    };
    command
        .mut_args(|arg| if is_quantity(&arg) { arg.allow_hyphen_values(true) } else { arg })
        .mut_subcommands(take_any_quantity)
}

/// The sentence for an invalid value. Other errors are left to clap.
pub(crate) fn explain(command: &Command, arguments: &[OsString], error: &Error) -> Option<String> {
    let command = chosen(command, arguments);
    if error.kind() == ErrorKind::InvalidUtf8 {
        return no_text(command, arguments);
    }
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let (argument, value) = (text(ContextKind::InvalidArg)?, text(ContextKind::InvalidValue)?);
    let flag = argument.split_whitespace().next()?;
    let what = match (error.get(ContextKind::ValidValue), error.source()) {
        (Some(ContextValue::Strings(choices)), _) if !choices.is_empty() => {
            let choices = choices.join(", ");
            let nearest = text(ContextKind::SuggestedValue).map(|name| format!("; did you mean `{name}`?"));
            format!("`{value}` is not one of: {choices}{}", nearest.unwrap_or_default())
        }
        (_, Some(source)) => quoting(value, source.to_string()),
        (_, None) if value.is_empty() => {
            let name = argument.split_once(' ').map_or(argument, |(_, name)| name);
            format!("no value was given; write {}", name.trim_matches(['<', '>', '[', ']', '.']))
        }
        (_, None) => return None,
    };
    Some(format!("{}: {what}", origin(command, arguments, flag)))
}

/// A parser's error, prefixed with the value if it doesn't quote it.
fn quoting(value: &str, text: String) -> String {
    let quoted = format!("`{value}`");
    if text.contains(&quoted) { text } else { format!("{quoted}: {text}") }
}

/// The sentence for a value that is not UTF-8. clap doesn't say which one that is.
fn no_text(command: &Command, arguments: &[OsString]) -> Option<String> {
    let is_text = |value: &OsStr| value.to_str().is_some();
    // The value follows its flag, or an equals sign.
    let flag = (1..arguments.len()).find(|&at| !is_text(&arguments[at])).map(|at| {
        let argument = arguments[at].display().to_string();
        let flag = argument.split_once('=').map(|(flag, _)| flag.to_owned());
        flag.unwrap_or_else(|| arguments[at - 1].display().to_string())
    });
    let is_wrong = |name: &&OsStr| env::var_os(name).is_some_and(|value| !is_text(&value));
    let variable = command.get_arguments().filter_map(Arg::get_env).find(is_wrong);
    let what = flag.or_else(|| variable.map(|name| name.display().to_string()))?;
    Some(format!("{what}: the value is not UTF-8; write it in UTF-8"))
}

/// The command that the arguments name.
fn chosen<'a>(command: &'a Command, arguments: &[OsString]) -> &'a Command {
    let mut chosen = command;
    for name in arguments.iter().skip(1) {
        let Some(subcommand) = chosen.find_subcommand(name) else { break };
        chosen = subcommand;
    }
    chosen
}

/// The origin of a flag's value: its long or short name, or its variable.
fn origin(command: &Command, arguments: &[OsString], flag: &str) -> String {
    let arg = command.get_arguments().find(|arg| long(arg).is_some_and(|name| name == flag));
    let is_flag = |argument: &OsString| {
        let Some(argument) = argument.to_str() else { return false };
        let rest = argument.strip_prefix(flag);
        let is_long = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('='));
        // Short flags may be combined, and followed by a value.
        let together = argument.strip_prefix('-').filter(|rest| !rest.starts_with('-'));
        let short = arg.and_then(Arg::get_short);
        is_long || short.is_some_and(|short| together.is_some_and(|together| together.contains(short)))
    };
    let variable = arg.and_then(Arg::get_env).filter(|_| !arguments.iter().any(is_flag));
    variable.map_or(flag.to_owned(), |name| name.display().to_string())
}

/// The flags that were given, each with its origin: the flag itself, or the environment variable that has set it.
pub(crate) fn origins(command: &Command, matches: &ArgMatches) -> Vec<(String, String)> {
    let Some((name, matches)) = matches.subcommand() else { return Vec::new() };
    let Some(command) = command.find_subcommand(name) else { return Vec::new() };
    let pair = |arg: &Arg| {
        let flag = long(arg)?;
        match matches.value_source(arg.get_id().as_str())? {
            ValueSource::CommandLine => Some((flag.clone(), flag)),
            ValueSource::EnvVariable => Some((flag, arg.get_env().map(OsStr::display)?.to_string())),
            _ => None,
        }
    };
    command.get_arguments().filter_map(pair).collect()
}

/// Replaces flags in a text by their origins.
pub(crate) fn name_origins(text: &str, origins: &[(String, String)]) -> String {
    let mut named = text.to_owned();
    for (flag, origin) in origins {
        let mut from = 0;
        while let Some(at) = named[from..].find(flag.as_str()).map(|at| from + at) {
            let behind = &named[at + flag.len()..];
            let goes_on = behind.starts_with(|next: char| next.is_ascii_alphanumeric() || next == '-');
            if !goes_on {
                named.replace_range(at..at + flag.len(), origin);
            }
            from = at + if goes_on { flag.len() } else { origin.len() };
        }
    }
    named
}

fn long(arg: &Arg) -> Option<String> {
    arg.get_long().map(|name| format!("--{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_replaces_only_its_own_flag() {
        let set = [("--work".to_owned(), "ANYLOOP_WORK".to_owned())];
        for (text, expected) in [
            ("--work is for work", "ANYLOOP_WORK is for work"),
            ("leave out --work", "leave out ANYLOOP_WORK"),
            (
                "--workers or --work-er or --work, and --work",
                "--workers or --work-er or ANYLOOP_WORK, and ANYLOOP_WORK",
            ),
            ("nothing", "nothing"),
        ] {
            assert_eq!(name_origins(text, &set), expected);
        }
    }
}
