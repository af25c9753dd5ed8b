//! The command line, with what there is to choose from.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Arg, Command, CommandFactory};
use load::framing as generator;
use serving::Backend;

use super::{Catalogue, Framing, Served};
use crate::arguments::Arguments;
use crate::help::BELOW;
use crate::usage::take_any_quantity;

impl Catalogue {
    /// The command line of a program of this name.
    pub(crate) fn command(&self, program: &str) -> Command {
        let command = Arguments::command().name(program.to_owned());
        let command = if program == OWN_NAME { command } else { command.version(FOREIGN_VERSION) };
        let command = BELOW.iter().fold(take_any_quantity(command), |command, below| {
            let text = below.text(program);
            match below.command {
                "" => command.after_help(text),
                name => command.mut_subcommand(name, |command| command.after_help(text)),
            }
        });
        command
            .mut_subcommand("serve", |serve| {
                serve
                    .mut_arg("backend", |arg| arg.value_parser(self.backend_values()))
                    .mut_arg("handler", |arg| self.handler(arg, |_| true))
                    .mut_arg("framing", |arg| self.framing(arg))
            })
            .mut_subcommand("client", |client| client.mut_arg("framing", |arg| self.framing(arg)))
            .mut_subcommand("load", |load| {
                load.mut_arg("handler", |arg| self.handler(arg, |served| served.load.is_known()))
                    .mut_arg("framing", |arg| self.generator_framing(arg))
            })
            .mut_subcommand("compare", |compare| {
                compare
                    .mut_arg("backends", |arg| arg.value_parser(self.backend_values()))
                    .mut_arg("handler", |arg| self.handler(arg, Served::can_be_loaded))
                    .mut_arg("framing", |arg| self.generator_framing(arg))
            })
    }

    fn backend_values(&self) -> impl TypedValueParser<Value = &'static dyn Backend> + use<> {
        let value = |backend: &&'static dyn Backend| {
            (PossibleValue::new(backend.name()).help(backend.capabilities().model), *backend)
        };
        one_of(self.backends.iter().map(value).collect())
    }

    /// An argument that takes a handler: the only one that was added, by default, if it is fit.
    fn handler(&self, arg: Arg, fit: impl Fn(&Served) -> bool) -> Arg {
        let value = |served: &Served| (PossibleValue::new(served.name).help(served.text), served.clone());
        let arg = arg.value_parser(one_of(self.served.iter().map(value).collect()));
        match self.only_own().filter(|served| fit(served)) {
            Some(served) => arg.default_value(served.name),
            None => arg,
        }
    }

    /// An argument that takes a framing.
    fn framing(&self, arg: Arg) -> Arg {
        let value = |framing: Framing| (PossibleValue::new(framing.name).help(framing.text), framing);
        arg.value_parser(one_of(self.framings.iter().copied().map(value).collect()))
    }

    /// An argument that takes a framing in which the load generator can make messages: those that tell for certain
    /// where a message ends, and protocols that it knows by itself.
    fn generator_framing(&self, arg: Arg) -> Arg {
        let value =
            |framing: Framing| (PossibleValue::new(framing.name).help(framing.text), framing.for_load());
        let own = self.framings.iter().copied().filter(|framing| framing.is_certain()).map(value);
        let known = [
            (generator::Framing::Resp, "the Redis protocol: a message is a command"),
            (generator::Framing::Http, "HTTP/1.1 on connections that are kept: a message is a request"),
        ];
        let is_new = |name: &str| self.framings.iter().all(|framing| framing.name != name);
        let known = known.into_iter().filter(|(framing, _)| is_new(framing.name()));
        let known = known.map(|(framing, text)| (PossibleValue::new(framing.name()).help(text), framing));
        arg.value_parser(one_of(own.chain(known).collect()))
    }
}

/// A value that is chosen by its name.
fn one_of<T: Clone + Send + Sync + 'static>(
    list: Vec<(PossibleValue, T)>,
) -> impl TypedValueParser<Value = T> + use<T> {
    let names: Vec<_> = list.iter().map(|(value, _)| value.clone()).collect();
    PossibleValuesParser::new(names).try_map(move |name| {
        let chosen = list.iter().find(|(value, _)| value.get_name() == name);
        chosen.map(|(_, chosen)| chosen.clone()).ok_or("there is none of this name")
    })
}

/// The program that this is in its own workspace. Another one says what it is made with.
const OWN_NAME: &str = "anyloop";
const FOREIGN_VERSION: &str = concat!("(anyloop ", env!("CARGO_PKG_VERSION"), ")");
