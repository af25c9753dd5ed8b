//! The file of `serve --config`: keys with the names of flags.

use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::{env, fs};

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};
use strsim::damerau_levenshtein;
use toml::de::{DeTable, DeValue};

use super::value;
use crate::failure::Failure;
use crate::usage;

/// A configuration file, without the keys that flags or variables override.
pub(crate) struct File {
    path: PathBuf,
    settings: Vec<Setting>,
}

/// A key of the file with its value.
struct Setting {
    /// The identifier of the flag's argument.
    id: String,
    key: String,
    line: usize,
    /// The arguments that say the same.
    arguments: Vec<OsString>,
}

impl File {
    /// The file that the command line or its variable names, if they name one.
    pub(crate) fn of(command: &Command, arguments: &[OsString]) -> Result<Option<Self>, Failure> {
        let Some(serve) = command.find_subcommand(SERVE) else { return Ok(None) };
        let has_variable =
            serve.get_arguments().any(|arg| arg.get_id() == CONFIG && arg.get_env().is_some_and(is_set));
        let is_named = arguments.iter().any(|argument| argument.to_string_lossy().starts_with("--config"));
        if !has_variable && !is_named {
            return Ok(None);
        }
        // What is wrong or missing on the command line is reported later, when the file is a part of it.
        let Ok(matches) = command.clone().ignore_errors(true).try_get_matches_from(arguments) else {
            return Ok(None);
        };
        let Some(given) = matches.subcommand_matches(SERVE) else { return Ok(None) };
        let Some(path) = given.get_one::<PathBuf>(CONFIG) else { return Ok(None) };
        let mut file = Self { path: path.clone(), settings: Vec::new() };
        let given_by = || usage::origins(command, &matches, None);
        file.read(serve)
            .map_err(|failure| failure.reworded(|text| usage::name_origins(text, &given_by())))?;
        file.drop_overridden(serve, given, arguments);
        Ok(Some(file))
    }

    /// The command line with the settings of the file.
    pub(crate) fn added_to(&self, arguments: &[OsString]) -> Vec<OsString> {
        let at = arguments.iter().position(|argument| argument == SERVE).map_or(arguments.len(), |at| at + 1);
        let (before, after) = arguments.split_at(at);
        let settings = self.settings.iter().flat_map(|setting| &setting.arguments);
        before.iter().chain(settings).chain(after).cloned().collect()
    }

    /// The name of the file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The file and the line that set a flag, such as `--workers`: `server.toml:3`.
    pub(crate) fn place(&self, flag: &str) -> Option<String> {
        let key = flag.strip_prefix("--")?;
        let setting = self.settings.iter().find(|setting| setting.key == key)?;
        Some(format!("{}:{}", self.path.display(), setting.line))
    }

    /// How a sentence names a flag that the file sets: `workers (server.toml:3)`.
    pub(crate) fn mention(&self, flag: &str) -> Option<String> {
        self.place(flag).map(|place| format!("{} ({place})", flag.trim_start_matches('-')))
    }

    fn read(&mut self, serve: &Command) -> Result<(), Failure> {
        let text = self.text()?;
        let line = |at: usize| text[..at].matches('\n').count() + 1;
        let wrong =
            |at, what: String| Failure::Usage(format!("{}:{}: {what}", self.path.display(), line(at)));
        let table = DeTable::parse(&text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            let twice = error.message() == "duplicate key";
            let what =
                if twice { "this key is already there; leave out one of the two" } else { error.message() };
            wrong(at, what.to_owned())
        })?;
        let mut settings = Vec::new();
        for (name, value) in table.get_ref() {
            let (at, key) = (name.span().start, name.get_ref().as_ref());
            let known = serve.get_arguments().find(|arg| arg.get_long() == Some(key));
            let arg = match known {
                _ if ONCE.contains(&key) => {
                    return Err(wrong(
                        at,
                        format!("`{key}` concerns a single run; give --{key} on the command line"),
                    ));
                }
                Some(arg) => arg,
                None if matches!(value.get_ref(), DeValue::Table(_)) => {
                    return Err(wrong(
                        at,
                        format!("there is no table `{key}`; write each key alone, without a table"),
                    ));
                }
                None => return Err(wrong(at, unknown(serve, key))),
            };
            let arguments = value::arguments(arg, key, value.get_ref())
                .map_err(|what| wrong(at, format!("{key}: {what}")))?;
            settings.push(Setting {
                id: arg.get_id().to_string(),
                key: key.to_owned(),
                line: line(at),
                arguments,
            });
        }
        settings.sort_by_key(|setting| setting.line);
        self.settings = settings;
        Ok(())
    }

    fn text(&self) -> Result<String, Failure> {
        let path = self.path.display();
        let failed = |error: io::Error| {
            let text = format!("--config {path} can't be read: {error}");
            match error.kind() {
                ErrorKind::NotFound | ErrorKind::PermissionDenied | ErrorKind::IsADirectory => {
                    Failure::Usage(text)
                }
                _ => Failure::Failed(text),
            }
        };
        let mut bytes = Vec::new();
        let file = fs::File::open(&self.path).map_err(failed)?;
        file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > MOST_BYTES {
            return Err(Failure::Usage(format!(
                "--config {path} is longer than {MOST_BYTES} bytes, so it is no configuration; choose another file"
            )));
        }
        String::from_utf8(bytes)
            .map_err(|_| Failure::Usage(format!("--config {path} is not UTF-8; write it in UTF-8")))
    }

    /// Drops the keys that a flag or a variable overrides, or excludes.
    fn drop_overridden(&mut self, serve: &Command, given: &ArgMatches, arguments: &[OsString]) {
        let is_given = |arg: &Arg| {
            let source = given.value_source(arg.get_id().as_str());
            // A flag with a wrong value has no source, and is reported later.
            matches!(source, Some(ValueSource::CommandLine | ValueSource::EnvVariable))
                || arguments.iter().any(|argument| names(argument, arg))
        };
        let given: Vec<&Arg> = serve.get_arguments().filter(|arg| is_given(arg)).collect();
        let excludes = |one: &Arg, other: &Arg| {
            let conflicts = |one: &Arg, other: &Arg| {
                serve.get_arg_conflicts_with(one).iter().any(|arg| arg.get_id() == other.get_id())
            };
            let in_group = serve.get_groups().any(|group| {
                let has = |arg: &Arg| group.get_args().any(|id| id == arg.get_id());
                !group.clone().is_multiple() && has(one) && has(other)
            });
            one.get_id() == other.get_id() || conflicts(one, other) || conflicts(other, one) || in_group
        };
        self.settings.retain(|setting| {
            let arg = serve.get_arguments().find(|arg| arg.get_id() == setting.id.as_str());
            arg.is_none_or(|arg| !given.iter().any(|other| excludes(arg, other)))
        });
    }
}

fn is_set(variable: &OsStr) -> bool {
    env::var_os(variable).is_some()
}

/// Whether an argument of the command line is this flag.
fn names(argument: &OsStr, arg: &Arg) -> bool {
    let argument = argument.to_string_lossy();
    let long = |name| argument.strip_prefix("--").and_then(|rest| rest.strip_prefix(name));
    let is_long = arg.get_long().and_then(long).is_some_and(|rest| rest.is_empty() || rest.starts_with('='));
    is_long || arg.get_short().is_some_and(|short| argument.starts_with(&format!("-{short}")))
}

/// The error for a key that is no flag.
fn unknown(serve: &Command, key: &str) -> String {
    let names = serve.get_arguments().filter_map(Arg::get_long).filter(|name| !ONCE.contains(name));
    let spelled = key.replace('_', "-").to_lowercase();
    let near = names.map(|name| (damerau_levenshtein(&spelled, name), name));
    let nearest = near.filter(|(distance, name)| *distance <= name.len() / LETTERS_PER_ERROR).min();
    let advice = match nearest {
        Some((_, name)) => format!("did you mean `{name}`?"),
        None => "the help of serve lists the flags".to_owned(),
    };
    format!("`{key}` is no flag of serve; {advice}")
}

const SERVE: &str = "serve";

/// The identifier of `--config`.
const CONFIG: &str = "config";

/// The flags that can't be in a file, since they say what a run does.
pub(super) const ONCE: [&str; 6] = ["config", "check", "show-config", "color", "help", "version"];

/// A configuration takes a few kilobytes. Other files, such as a device without an end, are not read.
const MOST_BYTES: u64 = 1024 * 1024;

/// One typing error is tolerated for this many letters of a key.
const LETTERS_PER_ERROR: usize = 3;

#[cfg(test)]
mod tests;
