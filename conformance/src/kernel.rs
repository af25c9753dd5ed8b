//! What the kernel says of a connection's two ends, and what it allows this process.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// One end of a connection, as the kernel lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End {
    /// How many bytes the other end has not acknowledged.
    pub(crate) unacknowledged: u64,
    /// How many bytes have come and were not read.
    pub(crate) unread: u64,
    /// Whether the keepalive timer runs.
    pub(crate) keepalive: bool,
}

/// Waits until the end at `from` has nothing on its way to `to` any more.
pub(crate) fn wait_for_arrival(from: SocketAddr, to: SocketAddr, patience: Duration) {
    let deadline = Instant::now() + patience;
    while end(from, to).is_some_and(|end| end.unacknowledged > 0) {
        assert!(Instant::now() < deadline, "what was sent does not arrive");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Waits until what came from `from` was read at `to`.
pub(crate) fn wait_for_reading(from: SocketAddr, to: SocketAddr, patience: Duration) {
    let deadline = Instant::now() + patience;
    while end(to, from).is_some_and(|end| end.unread > 0) {
        assert!(Instant::now() < deadline, "what was sent is not read");
    }
}

/// The end of a connection that is at `local`; `None` if there is no such connection, or no way to know.
pub(crate) fn end(local: SocketAddr, remote: SocketAddr) -> Option<End> {
    let table = std::fs::read_to_string("/proc/net/tcp").ok()?;
    let (local, remote) = (listed(local)?, listed(remote)?);
    table.lines().find_map(|line| {
        // sl, local address, remote address, state, the two queues, the timer and when it ends, …
        let mut columns = line.split_whitespace().skip(1);
        if columns.next()? != local || columns.next()? != remote {
            return None;
        }
        let (sending, received) = columns.nth(1)?.split_once(':')?;
        let (timer, _) = columns.next()?.split_once(':')?;
        let (unacknowledged, unread) = (number(sending)?, number(received)?);
        Some(End { unacknowledged, unread, keepalive: timer == KEEPALIVE })
    })
}

fn number(digits: &str) -> Option<u64> {
    u64::from_str_radix(digits, 16).ok()
}

/// The timer of a connection that waits for nothing else.
const KEEPALIVE: &str = "02";

/// An address as the kernel lists it.
fn listed(address: SocketAddr) -> Option<String> {
    let SocketAddr::V4(address) = address else { return None };
    let number = u32::from_ne_bytes(address.ip().octets());
    Some(format!("{number:08X}:{:04X}", address.port()))
}

/// Raises the number of descriptors that this process may have as far as it can, and tells it.
pub(crate) fn raise_descriptor_limit() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(limit).unwrap_or(usize::MAX)
}

/// Sets how many there may be of something, as long as the hard limit allows; `None` for as many as that.
pub(crate) fn set_limit(resource: Resource, count: Option<u64>) {
    let limit = getrlimit(resource);
    let limit = Rlimit { current: count.or(limit.maximum), ..limit };
    setrlimit(resource, limit).expect("a soft limit can be moved below the hard one");
}
