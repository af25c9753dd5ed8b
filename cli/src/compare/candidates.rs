//! The servers that are compared: this program with each backend, other builds, handwritten servers and other programs.

use std::env;

use common::Blocking;
use compare::{Candidate, Launch};
use serving::Backend;

use super::arguments::Compare;
use super::settings::serves_backends;
use super::{against, backends};
use crate::failure::Failure;
use crate::program::Program;
use crate::{descriptors, handwritten};

/// Spare connections: for hostile clients, and for connections that are being closed while others are opened.
const SLACK: usize = 200;

/// The requested servers. Each must accept `connections` at once, and messages of up to `longest` bytes.
///
/// With --server, backends are compared only if --backends, --against or --with-handwritten is given.
pub(super) fn candidates(
    arguments: &Compare,
    all: &[&'static dyn Backend],
    program: &Program,
    connections: usize,
    longest: usize,
) -> Result<Vec<Candidate>, Failure> {
    check_room(connections)?;
    let chosen = match arguments.backends.as_slice() {
        [] if !serves_backends(arguments) => &[],
        [] => all,
        chosen => chosen,
    };
    let file = env::current_exe()
        .map_err(|error| Failure::Failed(format!("this program can't be found to be started: {error}")))?;
    let launch =
        |arguments| Launch::Announces { program: file.clone(), arguments, variables: program.prefix() };
    // The handler is constructed once and not for each backend, because it may open files.
    let blocking = match chosen {
        [] => Blocking::Never,
        _ => arguments.handler.blocking(&arguments.flags)?,
    };
    let one = |backend: &&'static dyn Backend| {
        let flags = backends::flags(arguments, *backend, connections + SLACK, longest);
        backends::candidate(*backend, blocking, launch(flags))
    };
    let mut candidates: Vec<Candidate> = chosen.iter().map(one).collect();
    if let Some(other) = &arguments.against {
        candidates = against::with_other_build(candidates, other)?;
    }
    if arguments.with_handwritten {
        candidates.retain(|one| one.max_connections.is_none_or(|most| most >= connections));
        if candidates.is_empty() {
            return Err(Failure::Usage(format!(
                "--with-handwritten needs {connections} connections, which none of the chosen backends can hold; \
                 choose another with --backends"
            )));
        }
        candidates.extend(handwritten::candidates(&candidates, launch));
    }
    candidates.extend(arguments.server.iter().cloned());
    Ok(candidates)
}

/// Checks that the limit on open files allows the connections.
fn check_room(connections: usize) -> Result<(), Failure> {
    let limit = descriptors::raise_limit();
    let room = limit.saturating_sub(descriptors::RESERVED);
    if connections + SLACK > room {
        return Err(Failure::Usage(format!(
            "{connections} connections and {SLACK} spare ones are more than the {room} that a limit of {limit} open files \
             allows; choose fewer with --connections, --sweep-connections or --subscribe"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches;

    use super::*;
    use crate::catalogue::Catalogue;

    /// The names of the candidates with these flags.
    fn names(flags: &[&str]) -> Vec<String> {
        let program = Program::new();
        let command = Catalogue::built_in().command(&program);
        let matches = command.try_get_matches_from([&["anyloop", "compare"], flags].concat()).unwrap();
        let arguments = Compare::from_arg_matches(matches.subcommand().unwrap().1).unwrap();
        let all = candidates(&arguments, registry::BACKENDS, &program, 64, 32).unwrap();
        all.into_iter().map(|candidate| candidate.name).collect()
    }

    #[test]
    fn servers_are_compared_without_backends_unless_these_are_requested() {
        let server = ["--server", "own=serve {port}"];
        assert_eq!(names(&server), ["own"]);
        assert_eq!(names(&[&server[..], &["-b", "smol"]].concat()), ["smol", "own"]);
        let with_handwritten = names(&[&server[..], &["--with-handwritten"]].concat());
        for name in ["smol", "smol-careful", "own"] {
            assert!(with_handwritten.iter().any(|one| one == name), "{name}: {with_handwritten:?}");
        }
    }
}
