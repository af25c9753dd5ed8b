//! Where the servers of the proof listen: on TCP, or on Unix sockets in the proof over those.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::Address;
use socket2::{Domain, SockAddr, Socket, Type};

/// Whether this is the proof over Unix sockets, `tests/proof_unix.rs`.
const IS_UNIX: bool = matches!(env!("CARGO_CRATE_NAME").as_bytes(), b"proof_unix");

/// How many clients may wait to be accepted.
pub(crate) const BACKLOG: i32 = 128;

/// Where a server listens. The path of a Unix socket is removed with it.
pub(crate) struct Place(pub(crate) Address);

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(path) = self.0.path() {
            let _ = std::fs::remove_file(path); // a test may have removed it
        }
    }
}

/// Listens where nobody does.
pub(crate) fn listen() -> (Socket, Place) {
    let place = if IS_UNIX { unused_path() } else { Place(SocketAddr::from(([127, 0, 0, 1], 0)).into()) };
    let listener = listen_at(&place.0, BACKLOG).expect("an address is free");
    match listener.local_addr().expect("it is bound").as_socket() {
        Some(address) => (listener, Place(address.into())),
        None => (listener, place),
    }
}

/// A path at which there is nothing.
pub(crate) fn unused_path() -> Place {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let (process, number) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let path = std::env::temp_dir().join(format!("anyloop-{process}-{number}.sock"));
    Place(Address::Unix(Some(path.into())))
}

/// Listens there, where somebody has listened who does not any more.
pub(crate) fn listen_at(address: &Address, backlog: i32) -> io::Result<Socket> {
    let (listener, address) = match (address.ip(), address.path()) {
        (Some(address), _) => {
            let listener = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
            listener.set_reuse_address(true)?;
            (listener, address.into())
        }
        (None, Some(path)) => {
            let _ = std::fs::remove_file(path); // there may be none
            (Socket::new(Domain::UNIX, Type::STREAM, None)?, SockAddr::unix(path)?)
        }
        (None, None) => return Err(io::ErrorKind::InvalidInput.into()),
    };
    listener.bind(&address)?;
    listener.listen(backlog)?;
    Ok(listener)
}

/// Comes as a client, and goes.
pub(crate) fn connect(address: &Address) {
    let _ = match (address.ip(), address.path()) {
        (Some(address), _) => std::net::TcpStream::connect(address).map(drop),
        (None, Some(path)) => std::os::unix::net::UnixStream::connect(path).map(drop),
        (None, None) => Ok(()),
    };
}
