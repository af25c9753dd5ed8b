//! Helpers of the benches: every backend as a server in this process, and the pure core fed from memory.

#![forbid(unsafe_code)]

use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Instant;

use common::{Address, Client, Clock, Connection, Framing, MAX_READ, Next, Outbox, Service};
use handlers::Echo;
use serving::{Backend, Running};

/// A backend that serves `echo` in this process, until it is dropped.
#[derive(Debug)]
pub struct Server(Running);

impl Server {
    /// Starts it on a free port, with the default limits: deadlines and statistics are part of what is measured.
    ///
    /// # Panics
    /// If no port is free or no thread can be started.
    pub fn start(backend: &'static dyn Backend) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let service = Service::framed(Arc::new(Echo), Framing::Line);
        Self(serving::start(backend, listener, service).expect("a thread is free"))
    }

    /// The address on which it listens.
    pub fn address(&self) -> SocketAddr {
        self.0.address().ip().expect("an address of TCP")
    }

    /// Connects a client.
    ///
    /// # Panics
    /// If the server can't be reached.
    pub fn connect(&self) -> TcpStream {
        let socket = TcpStream::connect(self.address()).expect("the server is there");
        socket.set_nodelay(true).expect("the socket is open");
        socket
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.0.stop_now();
        self.0.wait().expect("it serves without an error");
    }
}

/// The backends that can hold this many connections at once.
pub fn backends(connections: usize) -> impl Iterator<Item = &'static dyn Backend> {
    let holds = move |backend: &&dyn Backend| {
        backend.capabilities().max_connections.is_none_or(|most| most >= connections)
    };
    registry::BACKENDS.iter().copied().filter(holds)
}

/// Reads exactly `count` bytes of replies.
///
/// # Panics
/// If the server ends the connection.
pub fn read(mut socket: &TcpStream, count: usize, buffer: &mut [u8]) {
    socket.read_exact(&mut buffer[..count]).expect("the server answers");
}

/// A connection in memory, for `echo` in a framing.
#[derive(Debug)]
pub struct Core {
    connection: Connection,
    out: Outbox,
    clock: Clock,
}

impl Core {
    /// A connection that has been opened.
    pub fn new(framing: Framing) -> Self {
        let service = Arc::new(Service::framed(Arc::new(Echo), framing));
        let (now, mut out) = (Instant::now(), Outbox::new());
        let mut connection = Connection::new(service, Client::new(Address::Unknown), now);
        let clock = Clock::new(move || now);
        connection.activate(&mut out, &clock).run();
        Self { connection, out, clock }
    }

    /// Answers all of `input`, in reads of the usual size. Returns the number of bytes of the replies.
    pub fn answer(&mut self, input: &mut [u8]) -> usize {
        let Self { connection, out, clock } = self;
        let mut said = 0;
        for read in input.chunks_mut(MAX_READ) {
            let mut active = connection.activate(out, clock);
            active.receive(read);
            loop {
                match active.what_now() {
                    Next::Write => {
                        let count = active.output().len();
                        active.wrote(count);
                        said += count;
                    }
                    Next::Run => active.run(),
                    Next::Read | Next::Wait | Next::Done(_) => break,
                }
            }
        }
        said
    }
}

/// How many messages [`messages`] makes.
pub const MESSAGES: usize = 16 * 1024 / 32;

/// One read full of messages: 32 bytes each in `line`, line end included, and as many messages in the other framings.
pub fn messages(framing: Framing) -> Vec<u8> {
    let payload = [b'm'; 31];
    match framing {
        Framing::Line => [&payload[..], b"\n"].concat().repeat(MESSAGES),
        Framing::Length => [&31_u32.to_be_bytes()[..], &payload[..]].concat().repeat(MESSAGES),
        Framing::Raw => payload.repeat(MESSAGES),
        other => panic!("the benches have no messages for the framing {other:?}"),
    }
}
