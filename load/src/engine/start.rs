//! The start of a load at a given time, which several shards have in common.

use std::io;
use std::time::{Duration, Instant, SystemTime};

use crate::plan::Plan;

/// How long before the load begins its threads are started, which then wait for the instant itself.
pub(super) const LEAD: Duration = Duration::from_millis(50);

/// When the system's clock shows this time.
///
/// # Errors
/// If it has passed, or never comes.
pub(super) fn instant(time: SystemTime) -> io::Result<Instant> {
    let now = Instant::now();
    match time.duration_since(SystemTime::now()) {
        Ok(left) => now.checked_add(left).ok_or_else(|| {
            let why = format!("the load can't wait for {} s; choose an earlier --start-at", left.as_secs());
            io::Error::new(io::ErrorKind::InvalidInput, why)
        }),
        Err(error) => Err(io::Error::other(format!(
            "the load was to begin {} ms ago, before it could connect; choose a later --start-at",
            error.duration().as_millis().max(1)
        ))),
    }
}

/// Rejects a start that has passed while the connections were established.
pub(super) fn reject_late(start: Instant) -> io::Result<()> {
    let late = Instant::now().saturating_duration_since(start).as_millis();
    if late == 0 {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "the connections were established {late} ms after the load was to begin; choose a later --start-at"
    )))
}

/// The number that identifies a run in messages that carry their send time. It is the same in all shards, which receive
/// each other's messages.
pub(super) fn salt(plan: &Plan) -> u64 {
    let start = plan.start_at.filter(|_| !plan.shard.is_whole());
    let Some(start) = start.and_then(|start| start.duration_since(SystemTime::UNIX_EPOCH).ok()) else {
        return fastrand::u64(..);
    };
    fastrand::Rng::with_seed(plan.seed ^ start.as_nanos() as u64).u64(..)
}
