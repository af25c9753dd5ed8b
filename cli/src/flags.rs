//! The flags of a handler or an application.

use std::any::TypeId;
use std::ffi::{OsStr, OsString};

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Args, Command, CommandFactory, FromArgMatches};

use crate::arguments::Arguments;
use crate::environment::with_variable;
use crate::failure::Failure;
use crate::program::Program;

/// The flags of a handler or an application, which `serve` and `compare` take.
#[derive(Clone)]
pub(crate) struct Flags {
    /// The type that they are parsed into. Several handlers may share it.
    id: TypeId,
    args: Vec<Arg>,
    groups: Vec<ArgGroup>,
}

impl Flags {
    /// The flags of a type.
    pub(crate) fn of<A: Args + 'static>() -> Self {
        let command = A::augment_args(Command::new(""));
        // clap's implicit group of the type is dropped unless it has settings, because two types may have the same
        // name.
        let is_said = |group: &&ArgGroup| {
            Some(group.get_id()) != A::group_id().as_ref()
                || group.is_required_set()
                || !ArgGroup::clone(group).is_multiple()
        };
        Self {
            id: TypeId::of::<A>(),
            args: command.get_arguments().cloned().collect(),
            groups: command.get_groups().filter(is_said).cloned().collect(),
        }
    }

    /// Whether both have the same type.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.id == other.id
    }

    /// Checks that they don't conflict with the flags of `serve` and `compare`, and with these others.
    ///
    /// # Panics
    /// If one has no long name, or a name that is taken, which is a mistake in the program.
    #[track_caller]
    pub(crate) fn check<'a>(&self, owner: &str, others: impl Iterator<Item = (&'a str, &'a Self)>) {
        let command = Arguments::command();
        let built_in = ["serve", "compare"].into_iter().filter_map(|name| command.find_subcommand(name));
        let built_in = built_in.flat_map(|one| one.get_arguments().map(|arg| (one.get_name(), names(arg))));
        let others = others.filter(|(_, other)| !self.is_same(other));
        let others =
            others.flat_map(|(name, other)| other.names().into_iter().map(move |names| (name, names)));
        let everywhere = ("every command", EVERYWHERE.map(String::from).to_vec());
        let taken: Vec<_> = built_in.chain(others).chain([everywhere]).collect();
        for arg in &self.args {
            let id = arg.get_id();
            assert!(arg.get_long().is_some(), "the argument `{id}` of {owner} has no long name; add one");
        }
        for name in self.names().into_iter().flatten() {
            if let Some((of, _)) = taken.iter().find(|(_, names)| names.contains(&name)) {
                panic!("{owner} can't have {name}: {of} has it already; give it another name");
            }
        }
    }

    /// The names of each argument and each group.
    fn names(&self) -> Vec<Vec<String>> {
        let groups = self.groups.iter().map(|group| vec![format!("a group `{}`", group.get_id())]);
        self.args.iter().map(names).chain(groups).collect()
    }

    /// Adds them to a command, under a heading with their owners, and with environment variables. Required flags are
    /// required by the command only if it can serve nothing else.
    pub(crate) fn add_to(
        &self,
        command: Command,
        program: &Program,
        owners: &[&str],
        required: bool,
    ) -> Command {
        let heading = format!("Of {}", owners.join(" and "));
        let name = command.get_name().to_owned();
        let arg = |arg: &Arg| {
            let arg = arg.clone();
            let arg = if arg.get_env().is_none() { with_variable(arg, &name, program) } else { arg };
            let arg = if required { arg } else { arg.required(false) };
            if arg.get_help_heading().is_some() { arg } else { arg.help_heading(heading.clone()) }
        };
        let group = |group: &ArgGroup| {
            if required { group.clone() } else { group.clone().required(false) }
        };
        command.args(self.args.iter().map(arg)).groups(self.groups.iter().map(group))
    }
}

/// The flags of a handler or an application that were given.
#[derive(Clone, Debug, Default)]
pub(crate) struct Given(ArgMatches);

impl Given {
    /// The flags of this type.
    pub(crate) fn read<A: Args>(&self) -> Result<A, Failure> {
        A::from_arg_matches(&self.0).map_err(|error| {
            let text = error.to_string();
            Failure::Usage(text.trim_start_matches("error: ").trim_end().to_owned())
        })
    }

    /// The first of these flags that is given, by the command line or a variable.
    pub(crate) fn first<'a>(&self, flags: &'a Flags) -> Option<&'a str> {
        flags.args.iter().find(|arg| self.is_set(arg)).and_then(|arg| arg.get_long())
    }

    /// The first required flag that is not given, with the name of its value.
    pub(crate) fn missing(&self, flags: &Flags) -> Option<String> {
        let groups = flags.groups.iter().filter(|group| group.is_required_set());
        let groups = groups.map(|group| {
            let is_in = |arg: &&Arg| group.get_args().any(|id| id == arg.get_id());
            flags.args.iter().filter(is_in).collect::<Vec<_>>()
        });
        let alone = flags.args.iter().filter(|arg| arg.is_required_set()).map(|arg| vec![arg]);
        let missing = alone.chain(groups).find(|args| !args.iter().any(|arg| self.is_set(arg)))?;
        Some(missing.into_iter().map(shown).collect::<Vec<_>>().join(" or "))
    }

    /// The arguments that pass the same flags to another process. With `hidden`, also those with secret values.
    pub(crate) fn arguments(&self, flags: &Flags, hidden: bool) -> Vec<OsString> {
        let is_shown = |arg: &&Arg| self.is_set(arg) && (hidden || !arg.is_hide_env_values_set());
        flags.args.iter().filter(is_shown).flat_map(|arg| self.arguments_of(arg)).collect()
    }

    fn is_set(&self, arg: &Arg) -> bool {
        let source = self.0.value_source(arg.get_id().as_str());
        matches!(source, Some(ValueSource::CommandLine | ValueSource::EnvVariable))
    }

    fn arguments_of(&self, arg: &Arg) -> Vec<OsString> {
        let id = arg.get_id().as_str();
        let flag = OsString::from(format!("--{}", arg.get_long().unwrap_or(id)));
        match arg.get_action() {
            ArgAction::SetTrue => vec![flag; usize::from(self.0.get_flag(id))],
            ArgAction::SetFalse => vec![flag; usize::from(!self.0.get_flag(id))],
            ArgAction::Count => vec![flag; usize::from(self.0.get_count(id))],
            _ => {
                let occurrences = self.0.get_raw_occurrences(id).into_iter().flatten();
                occurrences.flat_map(|values| with_values(arg, flag.clone(), values.collect())).collect()
            }
        }
    }
}

/// A flag with its values.
fn with_values(arg: &Arg, mut flag: OsString, values: Vec<&OsStr>) -> Vec<OsString> {
    match (values.as_slice(), arg.get_value_delimiter()) {
        ([], _) => vec![flag],
        ([_, _, ..], None) => [flag].into_iter().chain(values.into_iter().map(OsString::from)).collect(),
        (_, delimiter) => {
            // After an equals sign a value may begin with a hyphen.
            flag.push("=");
            flag.push(values.join(OsStr::new(&delimiter.map(String::from).unwrap_or_default())));
            vec![flag]
        }
    }
}

/// As a field of a command's arguments it keeps all matches, from which added flags are parsed later.
impl Args for Given {
    fn augment_args(command: Command) -> Command {
        command
    }

    fn augment_args_for_update(command: Command) -> Command {
        command
    }
}

impl FromArgMatches for Given {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self(matches.clone()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.0 = matches.clone();
        Ok(())
    }
}

/// A flag with the name of its value.
fn shown(arg: &Arg) -> String {
    let flag = format!("--{}", arg.get_long().unwrap_or_default());
    if !arg.get_action().takes_values() {
        return flag;
    }
    let value = arg.get_value_names().map_or_else(|| "VALUE".to_owned(), |names| names.join(" "));
    format!("{flag} {value}")
}

/// All names of an argument: its flags, the long one first, and its field.
fn names(arg: &Arg) -> Vec<String> {
    let long = arg.get_long().into_iter().chain(arg.get_all_aliases().unwrap_or_default());
    let short = arg.get_short().into_iter().chain(arg.get_all_short_aliases().unwrap_or_default());
    let flags =
        long.map(|name| format!("the flag --{name}")).chain(short.map(|name| format!("the flag -{name}")));
    flags.chain([format!("a field `{}`", arg.get_id())]).collect()
}

/// The flags of all commands.
const EVERYWHERE: [&str; 5] =
    ["the flag --help", "the flag -h", "the flag --version", "the flag -V", "the flag --color"];

#[cfg(test)]
mod tests;
