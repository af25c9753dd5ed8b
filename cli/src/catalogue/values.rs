//! The command line, with the possible values of the catalogue.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Arg, Command, CommandFactory};
use load::framing as generator;
use serving::Backend;

use super::{Catalogue, Framing, Served};
use crate::arguments::Arguments;
use crate::environment;
use crate::help::BELOW;
use crate::messages::expects;
use crate::program::Program;
use crate::usage::take_any_quantity;

impl Catalogue {
    /// The command line of a program.
    pub(crate) fn command(&self, program: &Program) -> Command {
        let name = program.name().to_owned();
        let command = environment::name_variables(Arguments::command(), program);
        let command = command.bin_name(name.clone()).name(name).version(program.version_text());
        let command = match program.about {
            Some(about) => command.about(about),
            None => command,
        };
        let command = command
            .mut_subcommand("serve", |serve| {
                self.flags(serve, program, self.served.len() == 1)
                    .mut_arg("backend", |arg| arg.value_parser(self.backend_values()))
                    .mut_arg("handler", |arg| self.handler(arg, self.default()))
                    .mut_arg("framing", |arg| self.framing(arg))
                    .mut_arg("idle_timeout", |arg| match self.idle_timeout {
                        Some(timeout) => arg.default_value(timeout.to_string()),
                        None => arg,
                    })
            })
            .mut_subcommand("client", |client| client.mut_arg("framing", |arg| self.framing(arg)))
            .mut_subcommand("load", |load| {
                let default = self.preferred().filter(|served| served.load.is_known());
                load.mut_arg("handler", |arg| self.handler(arg, default))
                    .mut_arg("framing", |arg| self.generator_framing(arg))
                    .mut_arg("expect", |arg| self.expect(arg))
            })
            .mut_subcommand("compare", |compare| {
                self.flags(compare, program, false)
                    .mut_arg("backends", |arg| arg.value_parser(self.backend_values()))
                    .mut_arg("handler", |arg| self.handler(arg, self.default_to_compare()))
                    .mut_arg("framing", |arg| self.generator_framing(arg))
                    .mut_arg("expect", |arg| self.expect(arg))
                    .mut_arg("output", |arg| arg.default_value(program.reports()))
            });
        let handler = self.default().map_or("", |served| served.name);
        BELOW.iter().fold(take_any_quantity(command), |command, below| {
            let text = below.text(program, handler);
            match below.command {
                "" => command.after_help(text),
                name => command.mut_subcommand(name, |command| command.after_help(text)),
            }
        })
    }

    /// A command with the flags of everything that can be served. With `required`, required flags are required by the
    /// command.
    fn flags(&self, command: Command, program: &Program, required: bool) -> Command {
        let all = || self.served.iter().filter_map(|served| Some((served.name, served.flags.as_ref()?)));
        all().fold(command, |command, (name, flags)| {
            let owners: Vec<_> =
                all().filter(|(_, other)| other.is_same(flags)).map(|(name, _)| name).collect();
            if owners[0] == name { flags.add_to(command, program, &owners, required) } else { command }
        })
    }

    fn backend_values(&self) -> impl TypedValueParser<Value = &'static dyn Backend> + use<> {
        let value = |backend: &&'static dyn Backend| {
            (PossibleValue::new(backend.name()).help(backend.capabilities().model), *backend)
        };
        one_of(self.backends.iter().map(value).collect())
    }

    /// An argument that takes a handler.
    fn handler(&self, arg: Arg, default: Option<&Served>) -> Arg {
        let value = |served: &Served| (PossibleValue::new(served.name).help(served.text), served.clone());
        let arg = arg.value_parser(one_of(self.served.iter().map(value).collect()));
        match default {
            Some(served) => arg.default_value(served.name),
            None => arg,
        }
    }

    /// The default handler of `compare`: one that the load generator can talk to.
    fn default_to_compare(&self) -> Option<&Served> {
        let preferred = self.preferred().filter(|served| served.can_be_loaded());
        let echo = || self.served.iter().find(|served| served.built_in && served.name == "echo");
        let first = || self.served.iter().find(|served| served.can_be_loaded());
        preferred.or_else(echo).or_else(first).or(self.default())
    }

    /// An argument that takes expected replies.
    fn expect(&self, arg: Arg) -> Arg {
        arg.value_parser(expects(self.served.iter().any(|served| served.built_in)))
    }

    /// An argument that takes a framing.
    fn framing(&self, arg: Arg) -> Arg {
        let value = |framing: Framing| (PossibleValue::new(framing.name).help(framing.text), framing);
        arg.value_parser(one_of(self.framings.iter().copied().map(value).collect()))
    }

    /// An argument that takes a framing of the load generator: framings with message boundaries, and protocols that it
    /// implements itself.
    fn generator_framing(&self, arg: Arg) -> Arg {
        let value =
            |framing: Framing| (PossibleValue::new(framing.name).help(framing.text), framing.for_load());
        let own = self.framings.iter().copied().filter(|framing| framing.is_certain()).map(value);
        let known = [
            (generator::Framing::Resp, "the Redis protocol: a message is a command"),
            (generator::Framing::Http, "HTTP/1.1 with keep-alive: a message is a request"),
        ];
        let is_new = |name: &str| self.framings.iter().all(|framing| framing.name != name);
        let known = known.into_iter().filter(|(framing, _)| is_new(framing.name()));
        let known = known.map(|(framing, text)| (PossibleValue::new(framing.name()).help(text), framing));
        arg.value_parser(one_of(own.chain(known).collect()))
    }
}

/// A parser that selects a value by its name.
fn one_of<T: Clone + Send + Sync + 'static>(
    list: Vec<(PossibleValue, T)>,
) -> impl TypedValueParser<Value = T> + use<T> {
    let names: Vec<_> = list.iter().map(|(value, _)| value.clone()).collect();
    PossibleValuesParser::new(names).try_map(move |name| {
        let chosen = list.iter().find(|(value, _)| value.get_name() == name);
        chosen.map(|(_, chosen)| chosen.clone()).ok_or("there is no value with this name")
    })
}
