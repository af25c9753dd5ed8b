//! Errors in the values of flags: one sentence that names the flag, or the environment variable or the line of the
//! configuration file that has set it.

use std::env;
use std::error::Error as _;
use std::ffi::{OsStr, OsString};

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, Error};

use crate::config::File;

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

/// The sentence for an invalid value, or for what is wrong with the flags of a configuration file. Other errors are left
/// to clap.
pub(crate) fn explain(
    command: &Command,
    arguments: &[OsString],
    file: Option<&File>,
    error: &Error,
) -> Option<String> {
    let command = chosen(command, arguments);
    if error.kind() == ErrorKind::InvalidUtf8 {
        return no_text(command, arguments);
    }
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    match error.kind() {
        ErrorKind::ArgumentConflict => return file.and_then(|file| conflict(file, error)),
        ErrorKind::MissingRequiredArgument => return file.map(|file| missing(file, error)),
        _ => {}
    }
    let (argument, value) = (text(ContextKind::InvalidArg)?, text(ContextKind::InvalidValue)?);
    let flag = argument.split_whitespace().next()?;
    let is_secret = find(command, flag).is_some_and(Arg::is_hide_env_values_set);
    let what = match (error.get(ContextKind::ValidValue), error.source()) {
        (Some(ContextValue::Strings(choices)), _) if !choices.is_empty() => {
            let choices = choices.join(", ");
            let nearest = text(ContextKind::SuggestedValue).map(|name| format!("; did you mean `{name}`?"));
            format!("`{value}` is not one of: {choices}{}", nearest.unwrap_or_default())
        }
        (_, Some(source)) if is_secret => source.to_string().replace(value, "…"),
        (_, Some(source)) => quoting(value, source.to_string()),
        (_, None) if value.is_empty() => {
            let name = argument.split_once(' ').map_or(argument, |(_, name)| name);
            format!("no value was given; write {}", name.trim_matches(['<', '>', '[', ']', '.']))
        }
        (_, None) => return None,
    };
    Some(format!("{}: {what}", origin(command, arguments, file, flag)))
}

/// The sentence for flags that exclude each other, if the file has set one of them.
fn conflict(file: &File, error: &Error) -> Option<String> {
    let flags: Vec<_> = [ContextKind::InvalidArg, ContextKind::PriorArg]
        .into_iter()
        .flat_map(|kind| texts(error, kind))
        .filter_map(|argument| argument.split_whitespace().next())
        .collect();
    let named: Vec<_> =
        flags.iter().map(|&flag| file.mention(flag).unwrap_or_else(|| flag.to_owned())).collect();
    flags
        .iter()
        .any(|flag| file.place(flag).is_some())
        .then(|| format!("{} can't be used together; leave out one of them", named.join(" and ")))
}

/// The sentence for flags that neither the command line nor the file has.
fn missing(file: &File, error: &Error) -> String {
    let flags = texts(error, ContextKind::InvalidArg).join(" and ");
    format!("{flags} is needed; add it, as a flag or in {}", file.path().display())
}

fn texts(error: &Error, kind: ContextKind) -> Vec<&str> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => vec![text],
        Some(ContextValue::Strings(texts)) => texts.iter().map(String::as_str).collect(),
        _ => Vec::new(),
    }
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

/// The origin of a flag's value: its long or short name, its variable, or the line of the file.
fn origin(command: &Command, arguments: &[OsString], file: Option<&File>, flag: &str) -> String {
    if let Some(place) = file.and_then(|file| file.place(flag)) {
        return format!("{place}: {}", flag.trim_start_matches('-'));
    }
    let arg = find(command, flag);
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

/// A flag that was given, and what has set it.
#[derive(Debug)]
pub(crate) struct Origin {
    /// Its long name, such as `--workers`.
    pub(crate) flag: String,
    /// How a sentence names it: the flag itself, its environment variable, or the key and the line of the file.
    pub(crate) named: String,
    /// What has set it: the flag, the variable, or the line of the file.
    pub(crate) set_by: String,
    /// Its values as texts; `None` if it takes none or if they are secret.
    pub(crate) values: Option<Vec<String>>,
    pub(crate) is_secret: bool,
}

/// The flags that were given, each with its origin.
pub(crate) fn origins(command: &Command, matches: &ArgMatches, file: Option<&File>) -> Vec<Origin> {
    let Some((name, matches)) = matches.subcommand() else { return Vec::new() };
    let Some(command) = command.find_subcommand(name) else { return Vec::new() };
    let origin = |arg: &Arg| {
        let (flag, id) = (long(arg)?, arg.get_id().as_str());
        let set_by = match (matches.value_source(id)?, file.and_then(|file| file.place(&flag))) {
            (ValueSource::CommandLine, place) => place.unwrap_or_else(|| flag.clone()),
            (ValueSource::EnvVariable, _) => arg.get_env().map(OsStr::display)?.to_string(),
            _ => return None,
        };
        let named = file.and_then(|file| file.mention(&flag)).unwrap_or_else(|| set_by.clone());
        let is_secret = arg.is_hide_env_values_set();
        let values = arg.get_action().takes_values() && !is_secret;
        let values = values.then(|| matches.get_raw(id).into_iter().flatten());
        let values = values.map(|values| values.map(|value| value.display().to_string()).collect());
        Some(Origin { flag, named, set_by, values, is_secret })
    };
    command.get_arguments().filter_map(origin).collect()
}

/// Replaces flags in a text by their origins.
pub(crate) fn name_origins(text: &str, origins: &[Origin]) -> String {
    let mut named = text.to_owned();
    for Origin { flag, named: origin, .. } in origins {
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

fn find<'a>(command: &'a Command, flag: &str) -> Option<&'a Arg> {
    command.get_arguments().find(|arg| long(arg).is_some_and(|name| name == flag))
}

fn long(arg: &Arg) -> Option<String> {
    arg.get_long().map(|name| format!("--{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_replaces_only_its_own_flag() {
        let (flag, named) = ("--work".to_owned(), "ANYLOOP_WORK".to_owned());
        let set = [Origin { flag, set_by: named.clone(), named, values: None, is_secret: false }];
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
