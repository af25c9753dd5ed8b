//! Variants of the servers that are compared: the same backend with several sets of flags.

use std::ffi::OsString;

use clap::builder::Resettable;
use clap::{Command, FromArgMatches};
use common::Blocking;

use super::arguments::Compare;
use crate::arguments::Serve;
use crate::catalogue::Catalogue;
use crate::failure::Failure;
use crate::program::Program;

/// Flags with which each backend is started, in addition to those of the comparison.
#[derive(Debug)]
pub(super) struct Variant {
    /// What distinguishes it, as it was written; empty if there are no variants.
    text: String,
    pub(super) flags: Vec<OsString>,
    /// Whether the handler may block with these flags.
    pub(super) blocking: Blocking,
}

impl Variant {
    /// The name of a candidate of this variant.
    pub(super) fn name(&self, candidate: &str) -> String {
        if self.text.is_empty() { candidate.to_owned() } else { format!("{candidate} ({})", self.text) }
    }
}

/// The variants that the arguments name, or the one without further flags. `usual` are the flags of the comparison, with
/// which they must not collide.
pub(super) fn variants(
    arguments: &Compare,
    catalogue: &Catalogue,
    program: &Program,
    usual: &[OsString],
) -> Result<Vec<Variant>, Failure> {
    // The handler is constructed once for each and not for each backend, because it may open files.
    if arguments.variant.is_empty() {
        let blocking = arguments.handler.blocking(&arguments.flags)?;
        return Ok(vec![Variant { text: String::new(), flags: Vec::new(), blocking }]);
    }
    // Servers are started without the variables.
    let command = catalogue
        .command(program)
        .mut_subcommand("serve", |serve| serve.mut_args(|arg| arg.env(Resettable::Reset)));
    arguments.variant.iter().map(|text| variant(text, catalogue, &command, usual)).collect()
}

fn variant(
    text: &str,
    catalogue: &Catalogue,
    command: &Command,
    usual: &[OsString],
) -> Result<Variant, Failure> {
    let wrong = |why: &str| Failure::Usage(format!("--variant `{text}`: {why}"));
    let words = shlex::split(text).filter(|words| !words.is_empty());
    let words =
        words.ok_or_else(|| wrong("it is empty, or a quote is not closed; write flags of `serve`"))?;
    let flags: Vec<OsString> = words.into_iter().map(OsString::from).collect();
    let line = [OsString::new()].into_iter().chain(usual.iter().cloned()).chain(flags.iter().cloned());
    let parsed = command.clone().try_get_matches_from(line).and_then(|matches| {
        let matches = matches.subcommand_matches("serve").unwrap_or(&matches);
        Serve::from_arg_matches(matches)
    });
    let serve = parsed.map_err(|error| {
        let said = error.to_string();
        wrong(said.lines().next().unwrap_or_default().trim_start_matches("error: "))
    })?;
    catalogue.check_flags(&serve.handler, &serve.flags)?;
    Ok(Variant { text: text.trim().to_owned(), flags, blocking: serve.handler.blocking(&serve.flags)? })
}
