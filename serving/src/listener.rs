//! A socket that listens, of TCP or of a Unix path.

use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::UnixListener;

use rustix::net::SocketType;
use rustix::net::sockopt::socket_type;

use crate::Socket;
use crate::socket::{address, set_options};
use common::{Address, Limits};

/// A socket that listens for clients: one of TCP, or a Unix socket. It is made of one of std's, or of a descriptor that
/// was inherited.
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
pub struct Listener(OwnedFd);

impl Listener {
    /// The address on which it listens.
    ///
    /// # Errors
    /// If its descriptor is that of no socket.
    pub fn address(&self) -> io::Result<Address> {
        Ok(address(rustix::net::getsockname(&self.0)?))
    }

    /// Another descriptor of the same listener.
    ///
    /// # Errors
    /// If the process may open no more.
    pub fn try_clone(&self) -> io::Result<Self> {
        self.0.try_clone().map(Self)
    }

    /// Accepts a client, with a socket that doesn't block, and tells the address that it has connected from.
    ///
    /// # Errors
    /// As `accept`.
    pub fn accept(&self) -> io::Result<(Socket, Address)> {
        self.accept_with(true)
    }

    /// Accepts a client, with a socket that blocks, whether the listener itself does or not.
    ///
    /// # Errors
    /// As `accept`.
    pub fn accept_blocking(&self) -> io::Result<(Socket, Address)> {
        self.accept_with(false)
    }

    #[cfg(not(target_vendor = "apple"))]
    fn accept_with(&self, nonblocking: bool) -> io::Result<(Socket, Address)> {
        use rustix::net::SocketFlags;

        let nonblocking = if nonblocking { SocketFlags::NONBLOCK } else { SocketFlags::empty() };
        let (socket, peer) = rustix::net::acceptfrom_with(&self.0, SocketFlags::CLOEXEC | nonblocking)?;
        Ok((socket.into(), peer.map_or(Address::Unix(None), address)))
    }

    /// A socket inherits here whether it blocks.
    #[cfg(target_vendor = "apple")]
    fn accept_with(&self, nonblocking: bool) -> io::Result<(Socket, Address)> {
        let (socket, peer) = rustix::net::acceptfrom(&self.0)?;
        rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
        rustix::io::ioctl_fionbio(&socket, nonblocking)?;
        Ok((socket.into(), peer.map_or(Address::Unix(None), address)))
    }

    /// Prepares it, and with it all that are accepted from it: they inherit the options, so that a connection costs no
    /// call for them.
    pub(crate) fn prepare(&self, limits: &Limits) -> io::Result<()> {
        rustix::io::ioctl_fionbio(&self.0, true)?;
        if self.is_tcp()? { set_options(&self.0, limits) } else { Ok(()) }
    }

    /// Whether it is one of TCP.
    pub(crate) fn is_tcp(&self) -> io::Result<bool> {
        Ok(matches!(self.address()?, Address::Ip(_)))
    }
}

impl From<TcpListener> for Listener {
    fn from(listener: TcpListener) -> Self {
        Self(listener.into())
    }
}

impl From<UnixListener> for Listener {
    fn from(listener: UnixListener) -> Self {
        Self(listener.into())
    }
}

/// A descriptor that was inherited, from systemd for example.
///
/// # Errors
/// `InvalidInput` if it is no stream socket of TCP or of a Unix path that listens; the text says which of these it is not.
impl TryFrom<OwnedFd> for Listener {
    type Error = io::Error;

    fn try_from(descriptor: OwnedFd) -> io::Result<Self> {
        let invalid = |why| {
            let number = descriptor.as_raw_fd();
            Err(io::Error::new(io::ErrorKind::InvalidInput, format!("descriptor {number} {why}")))
        };
        match rustix::net::getsockname(&descriptor).map(address) {
            Ok(Address::Ip(_) | Address::Unix(_)) => {}
            Ok(_) => return invalid("is neither a socket of TCP nor a Unix socket"),
            Err(_) => return invalid("is no socket"),
        }
        if socket_type(&descriptor)? != SocketType::STREAM {
            return invalid("is no stream socket");
        }
        #[cfg(not(target_vendor = "apple"))] // which can't tell
        if !rustix::net::sockopt::socket_acceptconn(&descriptor)? {
            return invalid("does not listen");
        }
        Ok(Self(descriptor))
    }
}

impl From<Listener> for OwnedFd {
    fn from(listener: Listener) -> Self {
        listener.0
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for Listener {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
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
        assert!(refused(UdpSocket::bind("127.0.0.1:0").unwrap().into()).ends_with("is no stream socket"));
        assert!(refused(std::fs::File::open("/dev/null").unwrap().into()).ends_with("is no socket"));
        let inherited = Listener::try_from(OwnedFd::from(listener)).unwrap();
        assert_eq!(inherited.address().unwrap(), Address::Ip(address));
    }

    #[test]
    fn a_socket_blocks_or_not_whatever_the_listener_does() {
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
                    // The client of the other listener is left in its backlog, which is long enough.
                }
            }
        }
        std::fs::remove_file(&path).unwrap();
    }
}
