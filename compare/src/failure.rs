//! Why a server has failed under a load: by its replies, how its process ended, and what it wrote.

use std::io;
use std::time::Duration;

use super::laboratory::Running;
use super::sample::{bad_replies, broken_connections};
use load::measurement::Measurement;

/// How long is waited for the end of a process whose connections broke: the kernel closes them first.
pub(super) const EXIT: Duration = Duration::from_millis(200);

/// Why a server has failed whatever the load: its replies were bad, or its process has ended.
pub(super) fn in_any_case(server: &mut dyn Running, measured: &io::Result<Measurement>) -> Option<String> {
    let is_doubtful = |of: &Measurement| bad_replies(of).is_some() || broken_connections(of).is_some();
    let patience = if measured.as_ref().map_or(true, is_doubtful) { EXIT } else { Duration::ZERO };
    let ended = server.failure(patience);
    match (measured.as_ref().ok().and_then(bad_replies), ended) {
        (Some(bad), Some(ended)) => Some(format!("{bad}; {ended}")),
        (Some(bad), None) => Some(quoted(server, bad)),
        (None, ended) => ended,
    }
}

/// Why a server has failed that runs still, with the panic that it has told of, if it has.
pub(super) fn quoted(server: &dyn Running, why: String) -> String {
    match server.said() {
        Some(panic) => format!("{why}; it wrote: {panic}"),
        None => why,
    }
}
