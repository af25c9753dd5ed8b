//! The state of connections in the kernel, and the resource limits of this process.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The state of a connected socket, as listed by the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SocketState {
    /// The number of bytes that the peer has not acknowledged.
    pub(crate) unacknowledged: u64,
    /// The number of received bytes that were not read.
    pub(crate) unread: u64,
    /// Whether the keepalive timer runs.
    pub(crate) keepalive: bool,
}

/// Waits until `to` has acknowledged everything that `from` has sent.
pub(crate) fn wait_until_arrived(from: SocketAddr, to: SocketAddr, timeout: Duration) {
    let deadline = Instant::now() + timeout;
    while socket_state(from, to).is_some_and(|state| state.unacknowledged > 0) {
        assert!(Instant::now() < deadline, "sent data does not arrive");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Waits until everything that `from` has sent was read at `to`.
pub(crate) fn wait_until_read(from: SocketAddr, to: SocketAddr, timeout: Duration) {
    let deadline = Instant::now() + timeout;
    while socket_state(to, from).is_some_and(|state| state.unread > 0) {
        assert!(Instant::now() < deadline, "sent data is not read");
    }
}

/// The state of the socket at `local`. `None` if there is no such connection or the kernel does not list it.
pub(crate) fn socket_state(local: SocketAddr, remote: SocketAddr) -> Option<SocketState> {
    let table = std::fs::read_to_string("/proc/net/tcp").ok()?;
    let (local, remote) = (proc_format(local)?, proc_format(remote)?);
    table.lines().find_map(|line| {
        // sl, local address, remote address, state, the two queues, the timer and when it ends, …
        let mut columns = line.split_whitespace().skip(1);
        if columns.next()? != local || columns.next()? != remote {
            return None;
        }
        let (sending, received) = columns.nth(1)?.split_once(':')?;
        let (timer, _) = columns.next()?.split_once(':')?;
        let (unacknowledged, unread) = (parse_hex(sending)?, parse_hex(received)?);
        Some(SocketState { unacknowledged, unread, keepalive: timer == KEEPALIVE })
    })
}

fn parse_hex(digits: &str) -> Option<u64> {
    u64::from_str_radix(digits, 16).ok()
}

/// The code of the keepalive timer.
const KEEPALIVE: &str = "02";

/// Formats an address as the kernel lists it.
fn proc_format(address: SocketAddr) -> Option<String> {
    let SocketAddr::V4(address) = address else { return None };
    let number = u32::from_ne_bytes(address.ip().octets());
    Some(format!("{number:08X}:{:04X}", address.port()))
}

/// Raises the limit on descriptors of this process to the hard limit, and returns it.
pub(crate) fn raise_descriptor_limit() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(limit).unwrap_or(usize::MAX)
}

/// Sets the soft limit of a resource, at most to the hard limit; `None` for the hard limit.
pub(crate) fn set_limit(resource: Resource, count: Option<u64>) {
    let limit = getrlimit(resource);
    let limit = Rlimit { current: count.or(limit.maximum), ..limit };
    setrlimit(resource, limit).expect("a soft limit can be moved below the hard one");
}
