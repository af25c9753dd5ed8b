//! `anyloop verify`.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use history::Verdict;
use serde::Serialize;

use super::files::check_distinct;
use super::output;
use crate::arguments::Format;
use crate::escape::escaped;
use crate::exit::Outcome;
use crate::failure::{Failure, print};
use crate::quantity::count;
use crate::terminal;

/// The arguments of `verify`.
#[derive(Args, Debug)]
pub(crate) struct Verify {
    /// The file that `load --history` wrote; `-` is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Number of messages that the server has handled, such as `messages` of its receipt: after a clean drain all of
    /// these were answered. The load has to be the server's only one, and without --slow-readers, --slow-writers,
    /// --subscribe and --shard, whose messages are not all in the history
    #[arg(long, value_name = "COUNT", value_parser = count(0, u64::MAX))]
    handled: Option<u64>,

    /// Format of standard output
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,

    /// File for the verdict as JSON; `-` is standard output
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// The verdict as it is printed as JSON.
#[derive(Serialize)]
struct Judged<'a> {
    passes: bool,
    #[serde(flatten)]
    verdict: &'a Verdict,
}

/// Judges a history, and prints the verdict.
pub(crate) fn verify(arguments: &Verify) -> Result<ExitCode, Failure> {
    let Verify { file, handled, format, json } = arguments;
    if let Some(json) = json {
        check_distinct(&[file], &[("--json", json)])?;
    }
    let verdict = match file.as_os_str() == "-" {
        true => history::verify(io::stdin().lock()),
        false => File::open(file).and_then(history::verify),
    };
    let mut verdict =
        verdict.map_err(|error| Failure::Usage(format!("can't verify {}: {error}", file.display())))?;
    verdict.description = escaped(verdict.description.as_bytes()).to_string();
    if let Some(handled) = *handled {
        verdict.compare_handled(handled);
    }
    let is_open = handled.is_some() && verdict.has_unrecorded;
    let outcome = Outcome::of(&[
        (!verdict.is_complete || is_open, Outcome::Undecided),
        (verdict.answered == 0, Outcome::Failed),
        (!verdict.violations.is_empty(), Outcome::WrongReplies),
    ]);
    let judged = Judged { passes: outcome == Outcome::Passed, verdict: &verdict };
    let as_json = || {
        let mut text = serde_json::to_vec_pretty(&judged)
            .map_err(|error| Failure::Failed(format!("can't write the verdict as JSON: {error}")))?;
        text.push(b'\n');
        Ok(text)
    };
    if let Some(file) = json {
        output::write(file, &as_json()?)?;
    }
    if *format == Format::Json {
        print(&as_json()?)?;
    } else if !json.as_deref().is_some_and(output::is_stdout) {
        print(terminal::fitted(&verdict.to_string()).as_bytes())?;
    }
    Ok(outcome.into())
}
