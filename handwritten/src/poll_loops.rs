//! A raw loop: a poller for each worker, which sends back what it received without parsing it. It is a lower bound for
//! the cost of any server that waits in a poller.
//!
//! It keeps no state for a client: the descriptor is the event's data. One worker accepts, and registers each
//! connection directly in the poller of the next worker. So a few long-lived connections are spread evenly, unlike with
//! several accepting workers (the first that is woken empties the backlog), and a connection costs one accept and one
//! registration: no queue, and no wake-up before it sends something.

use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::thread;

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, SocketFlags, accept_with, recv, send, sockopt};

/// The size of a read.
const READ: usize = 64 * 1024;

/// The data of the listener's events; no descriptor is this large.
const LISTENER: u64 = u64::MAX;

/// Serves on this many workers.
pub(crate) fn raw(listener: TcpListener, workers: usize) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    // Connections inherit the option, which saves a system call for each.
    sockopt::set_tcp_nodelay(&listener, true)?;
    let create = |_| epoll::create(CreateFlags::CLOEXEC);
    let pollers: Arc<[OwnedFd]> = (0..workers.max(1)).map(create).collect::<Result<_, _>>()?;
    epoll::add(&pollers[0], &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
    for own in 1..pollers.len() {
        let pollers = Arc::clone(&pollers);
        thread::Builder::new().spawn(move || run(&pollers[own], || ()))?;
    }
    let mut turn = 0;
    run(&pollers[0], || {
        // One accept for each event: to accept until there is none would usually be a second call.
        if let Ok(socket) = accept_with(&listener, SocketFlags::CLOEXEC) {
            turn = (turn + 1) % pollers.len();
            // Edge-triggered, so that an event isn't reported again when no more data has come.
            let data = EventData::new_u64(socket.as_raw_fd() as u64);
            let flags = EventFlags::IN | EventFlags::RDHUP | EventFlags::ET;
            if epoll::add(&pollers[turn], &socket, data, flags).is_ok() {
                // From here on the worker owns the descriptor.
                let _ = socket.into_raw_fd();
            }
        }
    })
}

fn run(poller: &OwnedFd, mut accept: impl FnMut()) -> io::Result<()> {
    let mut events = Vec::with_capacity(256);
    let mut buffer = vec![0; READ];
    loop {
        events.clear();
        match epoll::wait(poller, spare_capacity(&mut events), None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for event in &events {
            let Event { flags, data } = *event;
            match data.u64() {
                LISTENER => accept(),
                client => echo(client as RawFd, flags.contains(EventFlags::RDHUP), &mut buffer),
            }
        }
    }
}

#[expect(unsafe_code, reason = "a table of owned sockets would add cost")]
fn echo(client: RawFd, ended: bool, buffer: &mut [u8]) {
    // SAFETY: the descriptor is that of an accepted socket that is still open: only this worker closes it, below, and
    // epoll reports each descriptor at most once per call, and never a closed one.
    let socket = unsafe { BorrowedFd::borrow_raw(client) };
    if !send_back(socket, ended, buffer) {
        // SAFETY: as above, and the descriptor isn't used after this.
        drop(unsafe { OwnedFd::from_raw_fd(client) });
    }
}

/// Sends back what has arrived. Returns whether the connection is still open. If the client has `ended`, the end of
/// input follows the last bytes, and only one more read finds it.
fn send_back(socket: BorrowedFd<'_>, ended: bool, buffer: &mut [u8]) -> bool {
    loop {
        let length = match recv(socket, &mut *buffer, RecvFlags::DONTWAIT) {
            Ok((_, 0)) => return false,
            Ok((_, length)) => length,
            Err(error) => return error == Errno::AGAIN,
        };
        if !send_all(socket, &buffer[..length]) {
            return false;
        }
        if length < buffer.len() && !ended {
            return true; // all has been read; more input is a new edge
        }
    }
}

/// Blocks the worker while a client doesn't read. A raw loop has no bound for that.
fn send_all(socket: BorrowedFd<'_>, mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        match send(socket, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
            Ok(sent) => bytes = &bytes[sent..],
            Err(Errno::AGAIN) => {
                let _ = poll(&mut [PollFd::from_borrowed_fd(socket.as_fd(), PollFlags::OUT)], None);
            }
            Err(_) => return false,
        }
    }
    true
}
