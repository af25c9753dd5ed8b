//! The floor: a poll loop for each worker, which sends back what it received and looks at none of it. No server
//! that waits in a poller does with less, so what others cost more is their own doing.
//!
//! It keeps nothing for a client: the descriptor is the event's data. One worker accepts, and puts each
//! connection straight into the poller of the worker whose turn it is. So a few connections that stay are
//! spread evenly, which several accepting workers don't do (the first that is woken empties the backlog), and
//! a connection costs one accept and one registration: no queue, and no wake-up before it has something to say.

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

/// How much is read at once.
const READ: usize = 64 * 1024;

/// What the event of the listener has as its data; no descriptor is so large.
const LISTENER: u64 = u64::MAX;

/// Serves on so many workers.
pub(crate) fn serve(listener: TcpListener, workers: usize) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    // Each connection inherits it, so that none needs a call of its own.
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
        // One for each event: to ask until there is none would be a second call for most.
        if let Ok(socket) = accept_with(&listener, SocketFlags::CLOEXEC) {
            turn = (turn + 1) % pollers.len();
            // By its edges: an event is not looked at a second time when nothing more has come.
            let data = EventData::new_u64(socket.as_raw_fd() as u64);
            let flags = EventFlags::IN | EventFlags::RDHUP | EventFlags::ET;
            if epoll::add(&pollers[turn], &socket, data, flags).is_ok() {
                // From here on it is the worker's, under its number.
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

#[expect(unsafe_code, reason = "a table of owned sockets would cost what is to be measured against")]
fn echo(client: RawFd, ended: bool, buffer: &mut [u8]) {
    // SAFETY: the number is that of a socket that was accepted and not closed: only this worker closes it, below,
    // and an epoll names each descriptor once in what it returns, and no closed one later.
    let socket = unsafe { BorrowedFd::borrow_raw(client) };
    if !send_back(socket, ended, buffer) {
        // SAFETY: as above, and nothing uses the number from here on.
        drop(unsafe { OwnedFd::from_raw_fd(client) });
    }
}

/// Sends back what has arrived; whether the client is still there. Behind the last bytes of one that has `ended` is the
/// end, which only one more read finds.
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
            return true; // all has been read, and what comes now is a new edge
        }
    }
}

/// A client that doesn't read holds its worker. Bounding that is more than a floor does.
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
