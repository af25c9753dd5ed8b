//! Ports for servers to listen on.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

#[cfg(target_os = "linux")]
use load::process::descendants;
#[cfg(target_os = "linux")]
use procfs::net::{TcpNetEntry, TcpState};
#[cfg(target_os = "linux")]
use procfs::process::{FDTarget, Process};

/// How long an attempt to connect may take.
const CONNECT: Duration = Duration::from_secs(1);

/// A port on which no program listens now, on any address.
pub(super) fn free() -> io::Result<u16> {
    // A server may listen on all addresses, so the port must be free on all.
    Ok(TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0))?.local_addr()?.port())
}

/// Whether a program listens on a port, on any address.
pub(super) fn is_taken(port: u16) -> bool {
    let is_in_use = |error: io::Error| error.kind() == ErrorKind::AddrInUse;
    TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).err().is_some_and(is_in_use)
}

/// Whether an address accepts connections. If no program listens, an attempt on loopback may connect to itself, which
/// doesn't count.
pub(super) fn accepts(address: SocketAddr) -> bool {
    let connection = TcpStream::connect_timeout(&address, CONNECT);
    connection.is_ok_and(|connection| connection.local_addr().is_ok_and(|local| local != address))
}

/// Whether a port is held by processes that don't descend from `root`. False if that is unknown.
#[cfg(target_os = "linux")]
pub(super) fn belongs_to_others(port: u16, root: u32) -> bool {
    let listens = sockets().filter(|entry| entry.local_address.port() == port);
    let sockets: Vec<u64> = listens.map(|entry| entry.inode).collect();
    // The descriptors of another user's processes can't be read; they may be the server's.
    let has_any =
        |process: u32| open_sockets(process).is_none_or(|open| open.iter().any(|one| sockets.contains(one)));
    !sockets.is_empty() && !descendants(root).into_iter().any(has_any)
}

/// The addresses on which `root` and its descendants listen.
#[cfg(target_os = "linux")]
pub(super) fn listening(root: u32) -> Vec<SocketAddr> {
    let open: Vec<u64> = descendants(root).into_iter().filter_map(open_sockets).flatten().collect();
    sockets().filter(|entry| open.contains(&entry.inode)).map(|entry| entry.local_address).collect()
}

/// Other systems don't report it.
#[cfg(not(target_os = "linux"))]
pub(super) fn belongs_to_others(_port: u16, _root: u32) -> bool {
    false
}

#[cfg(not(target_os = "linux"))]
pub(super) fn listening(_root: u32) -> Vec<SocketAddr> {
    Vec::new()
}

/// The listening TCP sockets of this machine.
#[cfg(target_os = "linux")]
fn sockets() -> impl Iterator<Item = TcpNetEntry> {
    let entries = [procfs::net::tcp(), procfs::net::tcp6()].into_iter().flatten().flatten();
    entries.filter(|entry| entry.state == TcpState::Listen)
}

/// The open sockets of a process; `None` if they can't be read.
#[cfg(target_os = "linux")]
fn open_sockets(process: u32) -> Option<Vec<u64>> {
    let descriptors = Process::new(i32::try_from(process).ok()?).and_then(|process| process.fd()).ok()?;
    let sockets = descriptors.flatten().filter_map(|descriptor| match descriptor.target {
        FDTarget::Socket(inode) => Some(inode),
        _ => None,
    });
    Some(sockets.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_taken_while_a_program_listens() {
        let port = free().unwrap();
        assert!(!is_taken(port) && !accepts((Ipv4Addr::LOCALHOST, port).into()));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        assert!(is_taken(port) && accepts((Ipv4Addr::LOCALHOST, port).into()));
        drop(listener);
        assert!(!is_taken(port));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_port_of_another_address_is_taken_too() {
        let listener = TcpListener::bind((Ipv4Addr::new(127, 0, 0, 2), 0)).unwrap();
        assert!(is_taken(listener.local_addr().unwrap().port()));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_process_that_listens_is_found() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(!belongs_to_others(port, std::process::id()), "this process");
        assert!(listening(std::process::id()).contains(&listener.local_addr().unwrap()));
        assert!(!belongs_to_others(port, std::os::unix::process::parent_id()), "a child of that process");
        let mut sleep = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        assert!(belongs_to_others(port, sleep.id()), "no descendant of that process");
        sleep.kill().unwrap();
        sleep.wait().unwrap();
        drop(listener);
        assert!(!belongs_to_others(port, std::process::id()), "no process listens");
    }
}
