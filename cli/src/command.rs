//! The command, and what is added to it.

use std::env;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use ::load::framing as generator;
use ::load::plan::{Expect, MessageHook, ReplyHook};
use clap::FromArgMatches;
use common::{Application, Codec, Handler, Limits};
use serving::Backend;

use crate::arguments::{Arguments, Task};
use crate::catalogue::{Catalogue, Framing, Served, What};
use crate::failure::{Failure, print, warn};
use crate::{client, color, compare, describe, environment, handwritten, list, load, serve, usage};

/// The command `anyloop`, to which backends, handlers, framings and protocols of one's own can be added.
///
/// Each has a name, by which the command line chooses it. A handler that is the only one added is the default of
/// `--handler`.
///
/// # Panics
/// The methods that add something panic if its name is taken, or is no word of letters, digits and hyphens: that
/// is a mistake in the program, and its first start shows it.
#[must_use = "it does nothing until it is run"]
pub struct Command {
    catalogue: Catalogue,
}

impl Command {
    /// The command with what is built in.
    pub fn new() -> Self {
        Self { catalogue: Catalogue::built_in() }
    }

    /// Adds a backend, under its own name.
    #[track_caller]
    pub fn backend(mut self, backend: &'static dyn Backend) -> Self {
        self.catalogue.add_backend(backend);
        self
    }

    /// Adds a handler, which can be served in any framing: its name, what it does in a few words, and how it is
    /// made. `load` and `compare` send it messages of their own making, and take any reply for a good one, one for each
    /// message, and no greeting. [`replies`](Self::replies), [`messages`](Self::messages) and
    /// [`expecting`](Self::expecting) behind it say otherwise.
    #[track_caller]
    pub fn handler<M>(mut self, name: &'static str, text: &'static str, make: M) -> Self
    where
        M: Fn() -> Arc<dyn Handler> + Send + Sync + 'static,
    {
        self.catalogue.add_served(Served::new(name, text, What::Handler(Arc::new(make))));
        self
    }

    /// Adds a framing: its name, where a message ends in a few words, and how its codec is made for a client.
    #[track_caller]
    pub fn framing<C, M>(mut self, name: &'static str, text: &'static str, new: M) -> Self
    where
        C: Codec,
        M: Fn(&Limits) -> C + Clone + Send + Sync + 'static,
    {
        self.catalogue.add_framing(Framing::of(name, text, new));
        self
    }

    /// Adds a protocol of its own, which `--handler` names as well. It has no framing. So that `load` and `compare` can
    /// make load for it, say behind it by [`load_framing`](Self::load_framing) how the load generator finds its replies,
    /// and by [`messages`](Self::messages) what is sent.
    #[track_caller]
    pub fn application<M>(mut self, name: &'static str, text: &'static str, make: M) -> Self
    where
        M: Fn() -> Arc<dyn Application> + Send + Sync + 'static,
    {
        self.catalogue.add_served(Served::new(name, text, What::Application(Arc::new(make))));
        self
    }

    /// Says what the handler or application that was added last replies: [`Expect::Greeted`] for one that greets,
    /// [`Expect::Echo`] for one that says each message back, so that `load` and `compare` can verify every byte.
    ///
    /// # Panics
    /// If no handler or application of one's own was added.
    #[track_caller]
    pub fn replies(mut self, expect: Expect) -> Self {
        self.catalogue.last_own().load.expect = expect;
        self
    }

    /// Says what `load` and `compare` send to the handler or application that was added last, in place of messages of
    /// the generator's making. The function is given the number of the connection, the number of the message within
    /// that connection, each from 0, and an empty buffer. It writes the payload of the message into it; for an
    /// application whose [`load_framing`](Self::load_framing) is `Resp` or `Http`, the whole request as it is sent. It is
    /// called once for each message, by several threads at a time.
    ///
    /// # Panics
    /// If no handler or application of one's own was added.
    #[track_caller]
    pub fn messages(mut self, write: impl Fn(u32, u64, &mut Vec<u8>) + Send + Sync + 'static) -> Self {
        self.catalogue.last_own().load.messages = Some(MessageHook::new(write));
        self
    }

    /// Says which replies of the handler or application that was added last are right. The function is given the message
    /// and the reply, each as [`messages`](Self::messages) has it. A greeting ([`replies`](Self::replies)) and a reply
    /// that is an error, which counts as refused, are not shown to it.
    ///
    /// # Panics
    /// If no handler or application of one's own was added.
    #[track_caller]
    pub fn expecting(mut self, judge: impl Fn(&[u8], &[u8]) -> bool + Send + Sync + 'static) -> Self {
        self.catalogue.last_own().load.judge = Some(ReplyHook::new(judge));
        self
    }

    /// Says how the load generator finds the replies of the application that was added last:
    /// [`LoadFraming::Resp`](generator::Framing::Resp), [`LoadFraming::Http`](generator::Framing::Http),
    /// [`LoadFraming::Line`](generator::Framing::Line), or a codec by [`LoadFraming::of`](generator::Framing::of).
    ///
    /// # Panics
    /// If what was added last is a handler, whose framing the command line chooses, or nothing was added.
    #[track_caller]
    pub fn load_framing(mut self, framing: generator::Framing) -> Self {
        let last = self.catalogue.last_own();
        assert!(!last.is_framed(), "`{}` is a handler: its framing is that of --framing", last.name);
        last.load.framing = Some(framing);
        self
    }

    /// Does what the command line says, and gives the code to end with.
    pub fn run(self) -> ExitCode {
        let program = program();
        let arguments: Vec<_> = env::args_os().collect();
        let asked = color::asked(&arguments);
        asked.write_global();
        let mut command = self.catalogue.command(&program).color(color::for_clap(asked));
        let warnings = environment::unknown(&command);
        let matches = command.try_get_matches_from_mut(&arguments);
        let parsed = matches.and_then(|matches| Ok((Arguments::from_arg_matches(&matches)?, matches)));
        match parsed {
            Ok((Arguments { task, color }, matches)) => {
                color.write_global();
                self.carry_out(task, &program, &warnings).unwrap_or_else(|failure| {
                    let set = usage::set_by_variables(&command, &matches);
                    failure.reworded(|text| usage::name_variables(text, &set)).report()
                })
            }
            Err(error) => {
                warnings.iter().for_each(|text| warn(text));
                match usage::explain(&command, &arguments, &error) {
                    Some(text) => Failure::Usage(text).report(),
                    None => error.exit(),
                }
            }
        }
    }

    fn carry_out(&self, task: Task, program: &str, warnings: &[String]) -> Result<ExitCode, Failure> {
        if !matches!(task, Task::Serve(_)) {
            warnings.iter().for_each(|text| warn(text));
        }
        let Catalogue { backends, served, .. } = &self.catalogue;
        let output = match task {
            Task::Serve(arguments) => return serve::serve(&arguments, warnings),
            Task::Client(arguments) => return client::client(&arguments).map(|()| ExitCode::SUCCESS),
            Task::Handwritten(arguments) => {
                return handwritten::handwritten(&arguments).map(|()| ExitCode::SUCCESS);
            }
            Task::Compare(arguments) => return compare::compare(&arguments, backends, program),
            Task::Report(arguments) => return compare::render(&arguments),
            Task::Diff(arguments) => return compare::diff(&arguments),
            Task::Load(arguments) => return load::load(&arguments),
            Task::Merge(arguments) => return load::merge(&arguments),
            Task::Backends(list) => list::backends(backends, list.format).into_bytes(),
            Task::Handlers(list) => list::handlers(served, list.format).into_bytes(),
            Task::Completions { shell } => describe::completions(self.catalogue.command(program), shell),
            Task::Man { command } => describe::manual(self.catalogue.command(program), command.as_deref())?,
        };
        print(&output).map(|()| ExitCode::SUCCESS)
    }
}

impl Default for Command {
    fn default() -> Self {
        Self::new()
    }
}

/// What the program is called.
fn program() -> String {
    let path = env::args_os().next().unwrap_or_default();
    let name = Path::new(&path).file_stem().and_then(|name| name.to_str());
    name.unwrap_or("anyloop").to_owned()
}
