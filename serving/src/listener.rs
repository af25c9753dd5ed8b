//! A listening TCP or Unix socket.

use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::UnixListener;

use rustix::net::SocketType;
use rustix::net::sockopt::socket_type;

use crate::Socket;
use crate::bind::SocketFile;
use crate::socket::{address, set_options};
use common::{Address, Limits};

/// A listening TCP or Unix socket. It is created from a listener of the standard library, or from an inherited
/// descriptor.
///
/// ```
/// use std::net::TcpListener;
///
/// use anyloop::Listener;
///
/// let listener = Listener::from(TcpListener::bind("127.0.0.1:0")?);
/// assert_ne!(listener.address()?.ip().expect("an address of TCP").port(), 0);
/// # std::io::Result::Ok(())
/// ```
#[derive(Debug)]
pub struct Listener {
    pub(crate) socket: OwnedFd,
    /// Removed after the socket was closed, if the listener was bound to a path by [`bind_unix`](Self::bind_unix).
    pub(crate) file: Option<SocketFile>,
}

impl Listener {
    fn from_socket(socket: OwnedFd) -> Self {
        Self { socket, file: None }
    }

    /// The address of the listener.
    ///
    /// # Errors
    /// If the system can't return it.
    pub fn address(&self) -> io::Result<Address> {
        Ok(address(rustix::net::getsockname(&self.socket)?))
    }

    /// Duplicates the descriptor of the listener. Dropping the duplicate removes no path.
    ///
    /// # Errors
    /// If the process has no descriptor left.
    pub fn try_clone(&self) -> io::Result<Self> {
        self.socket.try_clone().map(Self::from_socket)
    }

    /// Takes the file of a Unix socket that [`bind_unix`](Self::bind_unix) has bound. Then dropping the listener removes no path;
    /// dropping the file does.
    pub fn take_file(&mut self) -> Option<SocketFile> {
        self.file.take()
    }

    /// Accepts a client. Returns a non-blocking socket and the client's address.
    ///
    /// # Errors
    /// Those of the system call `accept`.
    pub fn accept(&self) -> io::Result<(Socket, Address)> {
        self.accept_with(true)
    }

    /// Accepts a client. Returns a blocking socket, even if the listener is non-blocking, and the client's address.
    ///
    /// # Errors
    /// Those of the system call `accept`.
    pub fn accept_blocking(&self) -> io::Result<(Socket, Address)> {
        self.accept_with(false)
    }

    #[cfg(not(target_vendor = "apple"))]
    fn accept_with(&self, nonblocking: bool) -> io::Result<(Socket, Address)> {
        use rustix::net::SocketFlags;

        let nonblocking = if nonblocking { SocketFlags::NONBLOCK } else { SocketFlags::empty() };
        let (socket, peer) = rustix::net::acceptfrom_with(&self.socket, SocketFlags::CLOEXEC | nonblocking)?;
        Ok((socket.into(), peer.map_or(Address::Unix(None), address)))
    }

    /// On these systems a socket inherits from the listener whether it blocks.
    #[cfg(target_vendor = "apple")]
    fn accept_with(&self, nonblocking: bool) -> io::Result<(Socket, Address)> {
        let (socket, peer) = rustix::net::acceptfrom(&self.socket)?;
        rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
        rustix::io::ioctl_fionbio(&socket, nonblocking)?;
        Ok((socket.into(), peer.map_or(Address::Unix(None), address)))
    }

    /// Makes the listener non-blocking and sets the options that accepted sockets inherit, so that these need no
    /// calls per connection.
    pub(crate) fn prepare(&self, limits: &Limits) -> io::Result<()> {
        rustix::io::ioctl_fionbio(&self.socket, true)?;
        if self.is_tcp()? { set_options(&self.socket, limits) } else { Ok(()) }
    }

    /// Whether this is a TCP listener.
    pub(crate) fn is_tcp(&self) -> io::Result<bool> {
        Ok(matches!(self.address()?, Address::Ip(_)))
    }
}

impl From<TcpListener> for Listener {
    fn from(listener: TcpListener) -> Self {
        Self::from_socket(listener.into())
    }
}

impl From<UnixListener> for Listener {
    fn from(listener: UnixListener) -> Self {
        Self::from_socket(listener.into())
    }
}

/// Takes an inherited descriptor, for example one from systemd.
///
/// # Errors
/// `InvalidInput` if it is not a listening stream socket of TCP or Unix. The text says which condition it fails.
impl TryFrom<OwnedFd> for Listener {
    type Error = io::Error;

    fn try_from(descriptor: OwnedFd) -> io::Result<Self> {
        let invalid = |why| {
            let number = descriptor.as_raw_fd();
            Err(io::Error::new(io::ErrorKind::InvalidInput, format!("descriptor {number} {why}")))
        };
        match rustix::net::getsockname(&descriptor).map(address) {
            Ok(Address::Ip(_) | Address::Unix(_)) => {}
            Ok(_) => return invalid("is neither a TCP socket nor a Unix socket"),
            Err(_) => return invalid("is not a socket"),
        }
        if socket_type(&descriptor)? != SocketType::STREAM {
            return invalid("is not a stream socket");
        }
        #[cfg(not(target_vendor = "apple"))] // these systems can't tell
        if !rustix::net::sockopt::socket_acceptconn(&descriptor)? {
            return invalid("does not listen");
        }
        Ok(Self::from_socket(descriptor))
    }
}

impl From<Listener> for OwnedFd {
    fn from(listener: Listener) -> Self {
        listener.socket
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsRawFd for Listener {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpStream, UdpSocket};
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn an_inherited_descriptor_is_checked() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let refused = |descriptor: OwnedFd| {
            let error = Listener::try_from(descriptor).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            error.to_string()
        };
        assert!(refused(TcpStream::connect(address).unwrap().into()).ends_with("does not listen"));
        assert!(refused(UnixStream::pair().unwrap().0.into()).ends_with("does not listen"));
        assert!(refused(UdpSocket::bind("127.0.0.1:0").unwrap().into()).ends_with("is not a stream socket"));
        assert!(refused(std::fs::File::open("/dev/null").unwrap().into()).ends_with("is not a socket"));
        let inherited = Listener::try_from(OwnedFd::from(listener)).unwrap();
        assert_eq!(inherited.address().unwrap(), Address::Ip(address));
    }

    #[test]
    fn accepted_sockets_block_independently_of_the_listener() {
        let path = std::env::temp_dir().join(format!("anyloop-listener-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let unix = Listener::from(UnixListener::bind(&path).unwrap());
        assert_eq!(unix.address().unwrap(), Address::Unix(Some(path.as_path().into())));
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = tcp.local_addr().unwrap();
        let tcp = Listener::from(tcp);
        for nonblocking_listener in [false, true] {
            for listener in [&tcp, &unix] {
                rustix::io::ioctl_fionbio(listener, nonblocking_listener).unwrap();
                for (accept, nonblocking) in
                    [(Listener::accept as fn(&_) -> _, true), (Listener::accept_blocking, false)]
                {
                    let _clients =
                        (TcpStream::connect(address).unwrap(), UnixStream::connect(&path).unwrap());
                    let (socket, peer) = accept(listener).unwrap();
                    let flags = rustix::fs::fcntl_getfl(&socket).unwrap();
                    assert_eq!(flags.contains(rustix::fs::OFlags::NONBLOCK), nonblocking);
                    assert_eq!(peer.ip().is_some(), listener.is_tcp().unwrap());
                    // The client of the other listener stays in its backlog, which is long enough.
                }
            }
        }
        std::fs::remove_file(&path).unwrap();
    }
}
