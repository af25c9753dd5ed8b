//! How many descriptors the process may have open.

use std::io;
use std::os::fd::AsFd;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serving::SERVER_DESCRIPTORS;

use crate::failure::Failure;

/// Raises the limit on open descriptors as far as a process may by itself, and says where it is now.
pub(crate) fn raise_limit() -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        // Some systems refuse a limit without bound; then the old one stays.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    }
    let limit = getrlimit(Resource::Nofile).current;
    limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX)
}

/// Makes sure that a server with so many workers can open what it needs to serve anybody at all. Those that the
/// process has inherited count against the limit as well, so this tries it out.
pub(crate) fn check(limit: usize, workers: usize) -> Result<(), Failure> {
    let needed = WITHOUT_WORKERS.saturating_add(workers.saturating_mul(PER_WORKER));
    let stdin = io::stdin();
    let opened: Vec<_> = (0..needed).map_while(|_| stdin.as_fd().try_clone_to_owned().ok()).collect();
    let missing = needed - opened.len();
    if missing == 0 {
        return Ok(());
    }
    let enough = limit.saturating_add(missing);
    Err(Failure::Failed(format!(
        "serving needs {needed} open files more, and the limit of {limit} leaves room for {}; raise it to {enough} or \
         more (ulimit -n {enough}; for a service of systemd, LimitNOFILE={enough})",
        opened.len()
    )))
}

/// Warns if the limit leaves room for fewer clients than `wanted`, beside what is reserved.
pub(crate) fn warn_of_limit(limit: usize, wanted: usize, max_connections: usize) {
    let enough = wanted.saturating_add(RESERVED);
    if limit < enough {
        tracing::warn!(
            open_files = limit,
            reserved = RESERVED,
            max_connections,
            "the limit on open files is too low for {wanted} clients; raise it to {enough} (ulimit -n {enough})"
        );
    }
}

/// Descriptors left for what isn't a client: the listener, pollers, the log, sockets that linger for a moment.
pub(crate) const RESERVED: usize = 64;

/// What a server wants to find, and beside it the listener, what the log and signals need, and a client.
const WITHOUT_WORKERS: usize = SERVER_DESCRIPTORS + 8;

/// What a worker with a poller of its own opens, at the most.
const PER_WORKER: usize = 3;
