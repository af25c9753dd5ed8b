//! The servers that are compared: this program, once for each backend, and what is put beside.

mod backends;
mod handwritten;

use std::path::{self, Path};
use std::{env, fs};

use common::Backend;
use compare::Candidate;

use super::arguments::Compare;
use crate::descriptors;
use crate::failure::Failure;

/// Room beside the connections that are counted: for hostile clients, and for those that leave while others
/// come.
const SLACK: usize = 200;

/// The servers that were asked for, each to be let in `connections` at once, and messages of up to `longest` bytes.
///
/// With --server, backends are compared only if --backends or --against asks for them.
pub(super) fn candidates(
    arguments: &Compare,
    all: &[&'static dyn Backend],
    connections: usize,
    longest: usize,
) -> Result<Vec<Candidate>, Failure> {
    check_room(connections)?;
    let chosen = match arguments.backends.as_slice() {
        [] if !arguments.server.is_empty() && arguments.against.is_none() => &[],
        [] => all,
        chosen => chosen,
    };
    let program = env::current_exe()
        .map_err(|error| Failure::Failed(format!("this program can't be found to be started: {error}")))?;
    let one = |backend: &&'static dyn Backend| {
        backends::candidate(arguments, *backend, &program, connections + SLACK, longest)
    };
    let mut candidates: Vec<Candidate> = chosen.iter().map(one).collect::<Result<_, _>>()?;
    if let Some(other) = &arguments.against {
        candidates = with_builds(candidates, other)?;
    }
    if arguments.with_handwritten {
        candidates.retain(|one| one.max_connections.is_none_or(|most| most >= connections));
        if candidates.is_empty() {
            return Err(Failure::Usage(format!(
                "--with-handwritten takes {connections} connections, which none of the chosen backends can hold; \
                 choose another with --backends"
            )));
        }
        candidates.extend(handwritten::candidates(&candidates, &program));
    }
    candidates.extend(arguments.server.iter().cloned());
    Ok(candidates)
}

/// Each backend, and behind it the same of another build of this program.
fn with_builds(candidates: Vec<Candidate>, other: &Path) -> Result<Vec<Candidate>, Failure> {
    let wrong = |why: String| Failure::Usage(format!("--against {}: {why}", other.display()));
    fs::metadata(other).map_err(|error| wrong(error.to_string()))?;
    // A relative path without a slash would be looked for in PATH.
    let other = path::absolute(other).map_err(|error| wrong(error.to_string()))?;
    let mut all = Vec::new();
    for candidate in candidates {
        let build = candidate.of_build(&other).map_err(wrong)?;
        all.extend([candidate, build]);
    }
    Ok(all)
}

/// Whether the limit on open files leaves room for the connections.
fn check_room(connections: usize) -> Result<(), Failure> {
    let limit = descriptors::raise_limit();
    let room = limit.saturating_sub(descriptors::RESERVED);
    if connections + SLACK > room {
        return Err(Failure::Usage(format!(
            "{connections} connections, and {SLACK} beside them, are more than the {room} that {limit} open files \
             leave room for; ask for fewer with --connections or --sweep-connections"
        )));
    }
    Ok(())
}
