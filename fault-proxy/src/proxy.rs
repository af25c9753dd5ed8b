//! The proxy: accepts connections, and relays each on its own thread.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use socket2::SockRef;

use crate::relay::relay;
use crate::script::{Fault, Script, Settings};

/// A running proxy. When it is dropped, it resets its connections and ends.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    counters: Arc<Counters>,
    /// Closing it ends all threads.
    stop: Option<UnixStream>,
    acceptor: Option<JoinHandle<()>>,
}

/// What a proxy has counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// How many connections were accepted.
    pub connections: u64,
    /// How many of these were reset at once, since the server did not accept them or there was no thread for them.
    pub refused: u64,
    /// How often each fault was applied: to a connection if it ends or stalls it, otherwise to a piece.
    pub applied: [(&'static str, u64); Fault::ALL.len()],
}

/// The counters behind [`Counts`].
#[derive(Debug, Default)]
pub(crate) struct Counters {
    connections: AtomicU64,
    refused: AtomicU64,
    applied: [AtomicU64; Fault::ALL.len()],
}

impl Counters {
    pub(crate) fn count(&self, fault: Fault) {
        self.applied[fault as usize].fetch_add(1, Ordering::Relaxed);
    }
}

/// The stack of a relaying thread: it calls little, and there may be thousands.
const STACK: usize = 128 * 1024;

/// The pause after an error of accepting, such as too many open files.
const PAUSE: Duration = Duration::from_millis(10);

/// How many connections may wait to be accepted: std's listeners have room for 128.
const BACKLOG: i32 = 4096;

/// How long a server may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

impl Proxy {
    /// Accepts connections of the listener, and relays them to the server at this address: if there are several, to the first
    /// at which a server accepts them. A host name is looked up once.
    ///
    /// # Errors
    /// If one of them has no address, or if the system has no threads or descriptors left.
    pub fn start(listener: TcpListener, to: impl ToSocketAddrs, settings: Settings) -> io::Result<Self> {
        Self::start_with(listener, to, settings, |_, _| {})
    }

    /// Like [`start`](Self::start), and calls a function with the number and the script of each connection.
    ///
    /// # Errors
    /// As those of [`start`](Self::start).
    pub fn start_with(
        listener: TcpListener,
        to: impl ToSocketAddrs,
        settings: Settings,
        tell: impl Fn(u64, &Script) + Send + 'static,
    ) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let to: Arc<[SocketAddr]> = to.to_socket_addrs()?.collect();
        if to.is_empty() {
            return Err(io::Error::new(ErrorKind::InvalidInput, "the server has no address"));
        }
        listener.set_nonblocking(true)?;
        SockRef::from(&listener).listen(BACKLOG)?;
        let (stop, stopped) = UnixStream::pair()?;
        let counters = Arc::<Counters>::default();
        let acceptor = thread::Builder::new().name("fault-proxy".into()).spawn({
            let counters = counters.clone();
            move || accept(&listener, &to, &settings, &Arc::new(stopped), &counters, &tell)
        })?;
        Ok(Self { address, counters, stop: Some(stop), acceptor: Some(acceptor) })
    }

    /// The address at which it accepts connections.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it has counted so far.
    pub fn counts(&self) -> Counts {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let Counters { connections, refused, applied } = &*self.counters;
        Counts {
            connections: load(connections),
            refused: load(refused),
            applied: Fault::ALL.map(|fault| (fault.name(), load(&applied[fault as usize]))),
        }
    }

    /// Serves until the process ends.
    pub fn wait(mut self) {
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

/// Accepts connections until `stopped` ends, and then waits for their threads.
fn accept(
    listener: &TcpListener,
    to: &Arc<[SocketAddr]>,
    settings: &Settings,
    stopped: &Arc<UnixStream>,
    counters: &Arc<Counters>,
    tell: &dyn Fn(u64, &Script),
) {
    let mut relays: Vec<JoinHandle<()>> = Vec::new();
    loop {
        let mut events = [PollFd::new(&**stopped, PollFlags::IN), PollFd::new(listener, PollFlags::IN)];
        let polled = poll(&mut events, None);
        if polled.is_ok() && !events[0].revents().is_empty() {
            break;
        }
        let client = match listener.accept() {
            Ok((client, _)) => client,
            Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
            Err(_) => {
                thread::sleep(PAUSE);
                continue;
            }
        };
        let script = Script::draw(settings, counters.connections.fetch_add(1, Ordering::Relaxed));
        tell(counters.connections.load(Ordering::Relaxed) - 1, &script);
        // A client whose relay can't begin is reset, since its socket is closed.
        let _ = SockRef::from(&client).set_linger(Some(Duration::ZERO));
        let (to, stopped, counted) = (to.clone(), stopped.clone(), counters.clone());
        let relaying = thread::Builder::new().name("relay".into()).stack_size(STACK).spawn(move || {
            let connect = |to| TcpStream::connect_timeout(to, CONNECT_TIMEOUT).ok();
            let Some(server) = to.iter().find_map(connect) else {
                counted.refused.fetch_add(1, Ordering::Relaxed);
                return;
            };
            if SockRef::from(&client).set_linger(None).is_ok() {
                relay(client, server, &script, &stopped, &counted);
            }
        });
        match relaying {
            Ok(relaying) => relays.push(relaying),
            Err(_) => {
                counters.refused.fetch_add(1, Ordering::Relaxed);
            }
        }
        // Threads that have ended are forgotten, each time that their number has doubled.
        if relays.len().is_power_of_two() {
            relays.retain(|relay| !relay.is_finished());
        }
    }
    for relay in relays {
        let _ = relay.join();
    }
}
