//! An io_uring for each worker, which sends back what it received and looks at none of it: one accept and one
//! receive for each connection that go on for ever, buffers that the kernel picks, and each reply sent from the
//! buffer that it came in.
//!
//! One worker accepts, and passes each connection to the ring of the worker whose turn it is.

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

/// How many operations a ring takes at once, and how many buffers it has.
const ENTRIES: u16 = 1024;

/// Whether this kernel has what is needed.
pub(crate) fn is_supported() -> bool {
    Worker::new().is_ok()
}

/// Serves on so many rings.
pub(crate) fn raw(listener: TcpListener, workers: usize) -> io::Result<()> {
    sockopt::set_tcp_nodelay(&listener, true)?; // each connection inherits it
    let mut first = Worker::new()?;
    let mut rings = vec![first.ring.as_raw_fd()];
    let (announce, announced) = mpsc::channel();
    for _ in 1..workers {
        let announce = announce.clone();
        // The thread that will use a ring alone has to make it.
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
    first.door = Some(Door { listener, rings, turn: 0 });
    first.accept();
    first.run()
}

struct Worker {
    ring: IoUring,
    buffers: Buffers,
    /// By descriptor.
    clients: Vec<Client>,
    /// Those whose receive ended because no buffer was free.
    starved: VecDeque<RawFd>,
    door: Option<Door>,
}

/// What the worker has that accepts.
struct Door {
    listener: TcpListener,
    rings: Vec<RawFd>,
    turn: usize,
}

#[derive(Default)]
struct Client {
    /// What was received: buffers and lengths. The first is being sent.
    replies: VecDeque<(u16, u32)>,
    /// Nothing more will be received.
    ended: bool,
}

/// What an operation was, in its upper half; the lower one is the descriptor.
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
        Ok(Self { ring, buffers, clients: Vec::new(), starved: VecDeque::new(), door: None })
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
            // It could not be passed on; nobody else has heard of it.
            _ if entry.result() < 0 => self.close(fd),
            _ => {}
        }
    }

    fn accept(&mut self) {
        let Some(door) = &self.door else { return };
        let listener = door.listener.as_raw_fd();
        self.push(opcode::AcceptMulti::new(types::Fd(listener)).build(), ACCEPT, listener);
    }

    fn accepted(&mut self, entry: &cqueue::Entry) {
        let Some(door) = &mut self.door else { return };
        if let socket @ 0.. = entry.result() {
            door.turn = (door.turn + 1) % door.rings.len();
            let (turn, ring) = (door.turn, door.rings[door.turn]);
            match turn {
                0 => self.take(socket),
                _ => {
                    let told = user_data(TAKE, socket);
                    let pass = opcode::MsgRingData::new(types::Fd(ring), socket, told, None);
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
                // Some are being sent, by whomever: the first that comes back is for this one.
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

    /// Sends what was received first. One at a time for each client, so that none overtakes another.
    fn send(&mut self, socket: RawFd) {
        let Some(&(buffer, length)) = self.clients[socket as usize].replies.front() else { return };
        let bytes = self.buffers.bytes(buffer);
        // The kernel goes on by itself until all is sent.
        let flags = (SendFlags::NOSIGNAL.bits() | rustix::net::RecvFlags::WAITALL.bits()) as i32;
        self.push(opcode::Send::new(types::Fd(socket), bytes, length).flags(flags).build(), SEND, socket);
    }

    fn sent(&mut self, socket: RawFd, result: i32) {
        let client = &mut self.clients[socket as usize];
        let sent = client.replies.pop_front();
        if result < 0 && !client.ended {
            end_receiving(socket);
        }
        let (is_owed, ended) = (!client.replies.is_empty(), client.ended);
        if let Some((buffer, _)) = sent {
            self.buffers.give(buffer);
        }
        if is_owed {
            self.send(socket);
        } else if ended {
            self.close(socket);
        }
        if let Some(starved) = self.starved.pop_front() {
            self.receive(starved);
        }
    }

    #[expect(unsafe_code, reason = "the kernel has handed out sockets as numbers")]
    fn close(&mut self, socket: RawFd) {
        if let Some(client) = self.clients.get_mut(socket as usize) {
            *client = Client::default();
        }
        // SAFETY: it was accepted, and no operation on it is under way: its receive has ended, and nothing is
        // being sent.
        drop(unsafe { OwnedFd::from_raw_fd(socket) });
    }

    #[expect(unsafe_code, reason = "the ring can't see what its operations refer to")]
    fn push(&mut self, operation: squeue::Entry, what: u32, fd: RawFd) {
        let operation = operation.user_data(user_data(what, fd));
        // SAFETY: the descriptor is open until its last operation has completed (see `close`), and the buffers
        // live as long as the ring; one that is being sent is not the kernel's to fill until it is given back.
        while unsafe { self.ring.submission().push(&operation) }.is_err() {
            // It is full; once submitted, it is empty. Where that fails, it is tried again.
            let _ = self.ring.submit();
        }
    }
}

/// Who can't be sent anything to has nothing to say either: the receive ends.
#[expect(unsafe_code, reason = "the kernel has handed out sockets as numbers")]
fn end_receiving(socket: RawFd) {
    // SAFETY: it is closed only in `Worker::close`, once its receive has ended.
    let _ = shutdown(unsafe { BorrowedFd::borrow_raw(socket) }, Shutdown::Both);
}

fn user_data(what: u32, fd: RawFd) -> u64 {
    u64::from(what) << 32 | u64::from(fd as u32)
}
