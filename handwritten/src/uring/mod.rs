//! A raw loop with an io_uring for each worker, which sends back what it received without parsing it: multishot accept
//! and receive, provided buffers, and each reply sent from the buffer in which it was received.
//!
//! One worker accepts, and passes each connection to the ring of the next worker.

mod buffers;

use std::collections::VecDeque;
use std::io;
use std::net::TcpListener;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::mpsc;
use std::thread;

use io_uring::{IoUring, cqueue, opcode, squeue, types};
use rustix::net::{SendFlags, Shutdown, shutdown, sockopt};

use buffers::Buffers;

/// The number of entries of a submission queue, and of buffers of a ring.
const ENTRIES: u16 = 1024;

/// Whether this kernel supports the operations.
pub(crate) fn is_supported() -> bool {
    Worker::new().is_ok()
}

/// Serves on this many rings.
pub(crate) fn raw(listener: TcpListener, workers: usize) -> io::Result<()> {
    sockopt::set_tcp_nodelay(&listener, true)?; // connections inherit it
    let mut first = Worker::new()?;
    let mut rings = vec![first.ring.as_raw_fd()];
    let (announce, announced) = mpsc::channel();
    for _ in 1..workers {
        let announce = announce.clone();
        // With `SINGLE_ISSUER` the thread that uses a ring has to create it.
        thread::Builder::new().spawn(move || {
            let worker = Worker::new();
            let _ =
                announce.send(worker.as_ref().map(|worker| worker.ring.as_raw_fd()).map_err(io::Error::kind));
            drop(announce);
            worker?.run()
        })?;
    }
    drop(announce);
    for ring in announced {
        rings.push(ring?);
    }
    first.acceptor = Some(Acceptor { listener, rings, turn: 0 });
    first.accept();
    first.run()
}

struct Worker {
    ring: IoUring,
    buffers: Buffers,
    /// By descriptor.
    clients: Vec<Client>,
    /// Clients whose receive ended because no buffer was free.
    starved: VecDeque<RawFd>,
    acceptor: Option<Acceptor>,
}

/// The state of the worker that accepts.
struct Acceptor {
    listener: TcpListener,
    rings: Vec<RawFd>,
    turn: usize,
}

#[derive(Default)]
struct Client {
    /// Received buffers with their lengths. The first is being sent.
    replies: VecDeque<(u16, u32)>,
    /// Whether the input has ended.
    ended: bool,
}

/// The kind of an operation, in the upper half of its user data; the lower half is the descriptor.
const ACCEPT: u32 = 0;
const PASS: u32 = 1;
const TAKE: u32 = 2;
const RECEIVE: u32 = 3;
const SEND: u32 = 4;

impl Worker {
    fn new() -> io::Result<Self> {
        let mut builder = IoUring::builder();
        builder.setup_single_issuer().setup_defer_taskrun().setup_cqsize(4 * u32::from(ENTRIES));
        let ring = builder.build(u32::from(ENTRIES))?;
        let buffers = Buffers::new(&ring)?;
        Ok(Self { ring, buffers, clients: Vec::new(), starved: VecDeque::new(), acceptor: None })
    }

    fn run(mut self) -> io::Result<()> {
        let mut completed = Vec::with_capacity(usize::from(ENTRIES));
        loop {
            match self.ring.submit_and_wait(1) {
                Ok(_) => {}
                Err(error)
                    if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::ResourceBusy) => {}
                Err(error) => return Err(error),
            }
            completed.extend(self.ring.completion());
            for entry in completed.drain(..) {
                self.complete(&entry);
            }
        }
    }

    fn complete(&mut self, entry: &cqueue::Entry) {
        let (what, fd) = ((entry.user_data() >> 32) as u32, entry.user_data() as u32 as RawFd);
        match what {
            ACCEPT => self.accepted(entry),
            TAKE => self.take(entry.result()),
            RECEIVE => self.received(fd, entry),
            SEND => self.sent(fd, entry.result()),
            // The connection could not be passed to the other ring, so it is still owned here.
            _ if entry.result() < 0 => self.close(fd),
            _ => {}
        }
    }

    fn accept(&mut self) {
        let Some(acceptor) = &self.acceptor else { return };
        let listener = acceptor.listener.as_raw_fd();
        self.push(opcode::AcceptMulti::new(types::Fd(listener)).build(), ACCEPT, listener);
    }

    fn accepted(&mut self, entry: &cqueue::Entry) {
        let Some(acceptor) = &mut self.acceptor else { return };
        if let socket @ 0.. = entry.result() {
            acceptor.turn = (acceptor.turn + 1) % acceptor.rings.len();
            let (turn, ring) = (acceptor.turn, acceptor.rings[acceptor.turn]);
            match turn {
                0 => self.take(socket),
                _ => {
                    let data = user_data(TAKE, socket);
                    let pass = opcode::MsgRingData::new(types::Fd(ring), socket, data, None);
                    self.push(pass.build(), PASS, socket);
                }
            }
        }
        if !cqueue::more(entry.flags()) {
            self.accept();
        }
    }

    fn take(&mut self, socket: RawFd) {
        let place = socket as usize;
        if self.clients.len() <= place {
            self.clients.resize_with(place + 1, Client::default);
        }
        self.receive(socket);
    }

    fn receive(&mut self, socket: RawFd) {
        self.push(opcode::RecvMulti::new(types::Fd(socket), buffers::GROUP).build(), RECEIVE, socket);
    }

    fn received(&mut self, socket: RawFd, entry: &cqueue::Entry) {
        let more = cqueue::more(entry.flags());
        match (entry.result(), cqueue::buffer_select(entry.flags())) {
            (length @ 1.., Some(buffer)) => {
                let replies = &mut self.clients[socket as usize].replies;
                replies.push_back((buffer, length as u32));
                if replies.len() == 1 {
                    self.send(socket);
                }
                if !more {
                    self.receive(socket);
                }
            }
            (result, _) if -result == rustix::io::Errno::NOBUFS.raw_os_error() => {
                // All buffers are being sent; the receive is repeated when one is free again.
                self.starved.push_back(socket);
            }
            (_, buffer) => {
                buffer.into_iter().for_each(|buffer| self.buffers.give(buffer));
                let client = &mut self.clients[socket as usize];
                client.ended = true;
                if client.replies.is_empty() {
                    self.close(socket);
                }
            }
        }
    }

    /// Sends the oldest received buffer. One at a time for each client, to keep the order.
    fn send(&mut self, socket: RawFd) {
        let Some(&(buffer, length)) = self.clients[socket as usize].replies.front() else { return };
        let bytes = self.buffers.bytes(buffer);
        // With `WAITALL` the kernel continues until all is sent.
        let flags = (SendFlags::NOSIGNAL.bits() | rustix::net::RecvFlags::WAITALL.bits()) as i32;
        self.push(opcode::Send::new(types::Fd(socket), bytes, length).flags(flags).build(), SEND, socket);
    }

    fn sent(&mut self, socket: RawFd, result: i32) {
        let client = &mut self.clients[socket as usize];
        let sent = client.replies.pop_front();
        if result < 0 && !client.ended {
            end_receiving(socket);
        }
        let (has_replies, ended) = (!client.replies.is_empty(), client.ended);
        if let Some((buffer, _)) = sent {
            self.buffers.give(buffer);
        }
        if has_replies {
            self.send(socket);
        } else if ended {
            self.close(socket);
        }
        if let Some(starved) = self.starved.pop_front() {
            self.receive(starved);
        }
    }

    #[expect(unsafe_code, reason = "io_uring returns sockets as numbers")]
    fn close(&mut self, socket: RawFd) {
        if let Some(client) = self.clients.get_mut(socket as usize) {
            *client = Client::default();
        }
        // SAFETY: it was accepted, and no operation on it is in flight: its receive has ended, and nothing is being
        // sent.
        drop(unsafe { OwnedFd::from_raw_fd(socket) });
    }

    #[expect(unsafe_code, reason = "operations refer to descriptors and memory")]
    fn push(&mut self, operation: squeue::Entry, what: u32, fd: RawFd) {
        let operation = operation.user_data(user_data(what, fd));
        // SAFETY: the descriptor is open until its last operation has completed (see `close`), and the buffers are
        // never freed; a buffer that is being sent is not provided to the kernel until then.
        while unsafe { self.ring.submission().push(&operation) }.is_err() {
            // The queue is full; submitting empties it. If that fails, it is repeated.
            let _ = self.ring.submit();
        }
    }
}

/// Shuts a socket down after a failed send, so that its receive ends.
#[expect(unsafe_code, reason = "io_uring returns sockets as numbers")]
fn end_receiving(socket: RawFd) {
    // SAFETY: it is closed only in `Worker::close`, after its receive has ended.
    let _ = shutdown(unsafe { BorrowedFd::borrow_raw(socket) }, Shutdown::Both);
}

fn user_data(what: u32, fd: RawFd) -> u64 {
    u64::from(what) << 32 | u64::from(fd as u32)
}
