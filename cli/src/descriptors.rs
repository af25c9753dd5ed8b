//! The limit on open descriptors.

use std::io;
use std::os::fd::AsFd;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serving::SERVER_DESCRIPTORS;

use crate::arguments::Serve;
use crate::failure::Failure;

/// Raises the soft limit on open descriptors to the hard limit, and returns the resulting limit.
pub(crate) fn raise_limit() -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        // Some systems refuse an unlimited value; then the old limit remains.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    }
    let limit = getrlimit(Resource::Nofile).current;
    limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX)
}

/// Checks that a server with this many workers and reserved descriptors can open those that it needs for at least one
/// client. Inherited descriptors count against the limit as well, so this tries to open them.
pub(crate) fn check(limit: usize, workers: usize, reserved: usize) -> Result<(), Failure> {
    let admin = reserved - RESERVED;
    let needed = (WITHOUT_WORKERS + admin).saturating_add(workers.saturating_mul(PER_WORKER));
    let stdin = io::stdin();
    let opened: Vec<_> = (0..needed).map_while(|_| stdin.as_fd().try_clone_to_owned().ok()).collect();
    let missing = needed - opened.len();
    if missing == 0 {
        return Ok(());
    }
    let enough = limit.saturating_add(missing);
    Err(Failure::Failed(format!(
        "serving needs {needed} more open files, but the limit of {limit} allows {}; raise it to {enough} or \
         more (ulimit -n {enough}; for a service of systemd, LimitNOFILE={enough})",
        opened.len()
    )))
}

/// Warns if the limit allows fewer clients than `wanted` in addition to the reserved descriptors.
pub(crate) fn warn_of_limit(limit: usize, wanted: usize, max_connections: usize, reserved: usize) {
    let enough = wanted.saturating_add(reserved);
    if limit < enough {
        tracing::warn!(
            open_files = limit,
            reserved,
            max_connections,
            "the limit on open files is too low for {wanted} clients; raise it to {enough} (ulimit -n {enough})"
        );
    }
}

/// How many descriptors `serve` reserves for other uses than clients.
pub(crate) fn reserved(arguments: &Serve) -> usize {
    RESERVED + arguments.admin.address.as_ref().map_or(0, |_| admin::DESCRIPTORS)
}

/// Descriptors reserved for other uses than clients: listener, pollers, log, lingering sockets.
pub(crate) const RESERVED: usize = 64;

/// The descriptors of a server, its listener, the log, the signals, and one client.
const WITHOUT_WORKERS: usize = SERVER_DESCRIPTORS + 8;

/// The maximum number of descriptors of a worker with its own poller.
const PER_WORKER: usize = 3;
