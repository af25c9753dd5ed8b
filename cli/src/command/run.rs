//! Runs the command: parses the command line, and does what it says.

use std::env;
use std::process::ExitCode;

use clap::FromArgMatches;

use super::Command;
use crate::activation::Inherited;
use crate::arguments::{Arguments, Task};
use crate::catalogue::Catalogue;
use crate::config::File;
use crate::failure::{Failure, print, warn};
use crate::usage::Origin;
use crate::{client, color, compare, describe, environment, handwritten, list, load, serve, signals, usage};

impl Command {
    /// Runs the command line, and returns the exit code.
    ///
    /// # Panics
    /// If there is no handler, or none with the name of [`default_handler`](Self::default_handler).
    #[track_caller]
    pub fn run(self) -> ExitCode {
        self.catalogue.check();
        let program = &self.program;
        // First, since it changes the environment, which threads may read.
        let inherited = Inherited::take();
        signals::survive_size_limit();
        let predecessor = inherited.as_ref().ok().and_then(|inherited| inherited.predecessor.clone());
        let report = |failure: &Failure| {
            predecessor.iter().for_each(|predecessor| predecessor.fail(&failure.to_string()));
            failure.report(program.name())
        };
        let arguments: Vec<_> = env::args_os().collect();
        let asked = color::asked(&arguments);
        asked.write_global();
        let mut command = self.catalogue.command(program).color(color::for_clap(asked));
        let warnings = environment::unknown(&command, program);
        let show_warnings = || warnings.iter().for_each(|text| warn(text));
        let file = match File::of(&command, &arguments) {
            Ok(file) => file,
            Err(failure) => {
                show_warnings();
                return report(&failure);
            }
        };
        let file = file.as_ref();
        let all = file.map_or_else(|| arguments.clone(), |file| file.added_to(&arguments));
        let matches = command.try_get_matches_from_mut(all);
        let parsed = matches.and_then(|matches| Ok((Arguments::from_arg_matches(&matches)?, matches)));
        match parsed {
            Ok((Arguments { task, color }, matches)) => {
                color.write_global();
                let origins = usage::origins(&command, &matches, file);
                let name_origins = |text: &str| usage::name_origins(text, &origins);
                let done = self.run_task(task, inherited, &warnings, &origins);
                done.unwrap_or_else(|failure| report(&failure.reworded(name_origins)))
            }
            Err(error) => {
                show_warnings();
                if let Some(text) = usage::explain(&command, &arguments, file, &error) {
                    return report(&Failure::Usage(text));
                }
                predecessor.iter().for_each(|predecessor| predecessor.fail(&error.to_string()));
                error.exit()
            }
        }
    }

    fn run_task(
        &self,
        task: Task,
        inherited: Result<Inherited, Failure>,
        warnings: &[String],
        origins: &[Origin],
    ) -> Result<ExitCode, Failure> {
        if !matches!(task, Task::Serve(_)) {
            warnings.iter().for_each(|text| warn(text));
        }
        let Self { catalogue, program, configure } = self;
        let Catalogue { backends, served, .. } = catalogue;
        let output = match task {
            Task::Serve(mut arguments) => {
                let inherited = inherited?;
                inherited.set_admin(&mut arguments)?;
                catalogue.check_flags(&arguments.handler, &arguments.flags)?;
                return serve::serve(&arguments, program, configure.as_ref(), inherited, warnings, origins);
            }
            Task::Client(arguments) => return client::client(&arguments).map(|()| ExitCode::SUCCESS),
            Task::Handwritten(arguments) => {
                return handwritten::handwritten(&arguments).map(|()| ExitCode::SUCCESS);
            }
            Task::Compare(arguments) => {
                catalogue.check_flags(&arguments.handler, &arguments.flags)?;
                return compare::compare(&arguments, catalogue, program);
            }
            Task::Report(arguments) => return compare::render(&arguments),
            Task::Diff(arguments) => return compare::diff(&arguments),
            Task::Load(arguments) => return load::load(&arguments),
            Task::Merge(arguments) => return load::merge(&arguments),
            Task::Verify(arguments) => return load::verify(&arguments),
            Task::Backends(list) => list::backends(backends, list.format).into_bytes(),
            Task::Handlers(list) => list::handlers(served, list.format).into_bytes(),
            Task::Completions { shell } => describe::completions(catalogue.command(program), shell),
            Task::Man { command } => describe::manual(catalogue.command(program), command.as_deref())?,
        };
        print(&output).map(|()| ExitCode::SUCCESS)
    }
}
