//! Memory that a client takes of a server with TLS before the server knows it, or before it has said anything that is whole.

use std::io::Write;
use std::net::TcpStream;
use std::thread;
use std::time::Instant;

use common::{MAX_READ, Opened, Transform};
use rustix::io::{read, retry_on_intr};
use tls::{Connector, ConnectorSettings, Trust};

use crate::certificates::Authority;
use crate::process::{BOUND, run};
use crate::resources::{memory, peak_memory};
use crate::server::{Server, command, concurrent_backends};

/// How many clients of each kind there are at once, on a backend that serves several.
const CLIENTS: usize = 100;
/// How much of its first message each sends, of which the end never comes: nearly 64 KiB, which is what TLS allows for one of a
/// handshake, and the longest message here.
const SENT: usize = 64_000;

/// Has clients send a long beginning of their first message: of the handshake, or of the conversation after it. The server's
/// memory grows by at least what they send, and at most by what `--show-config` counts for TLS and such a message.
pub(crate) fn bounded(backend: &str) {
    let authority = Authority::new("ours");
    let files = authority.issue("server", &["example.org"]);
    let connector = ConnectorSettings::default().with_trust(Trust::Authorities(authority.file()));
    let connector = Connector::new(&connector).unwrap();
    let plain = format!("--backend {backend} --handler echo --message-timeout 10m");
    let (certificate, key) = (files.certificate.display(), files.key.display());
    let flags = format!("{plain} --tls-cert {certificate} --tls-key {key}");
    let of_tls = memory_per_client(&flags) - memory_per_client(&plain);

    let several = concurrent_backends().any(|name| name == backend);
    let count = if several { CLIENTS } else { 1 };
    for (kind, connect, bound) in [
        ("a handshake", begin_handshake as fn(&Server, &Connector) -> TcpStream, of_tls),
        ("a message", begin_message, of_tls + (64 << 10) + MAX_READ),
    ] {
        let server = Server::start(&flags);
        Peer::connect(&server, &connector).converse(); // it has what it needs to serve
        let before = memory(server.process.id());
        let clients: Vec<TcpStream> = (0..count).map(|_| connect(&server, &connector)).collect();
        let until = Instant::now() + BOUND;
        while memory(server.process.id()) < before + (count * SENT) as u64 {
            assert!(Instant::now() < until, "{backend}: {kind}: it never holds what was sent");
            thread::yield_now();
        }
        if several {
            Peer::connect(&server, &connector).converse();
        }
        let grown = peak_memory(server.process.id()) - before;
        assert!(grown <= (count * bound) as u64, "{backend}: {kind}: {grown} bytes of {count} times {bound}");
        drop(clients);
        let ended = server.stop();
        assert_eq!(
            (ended.code, &ended.receipt["cut"]),
            (Some(0), &0.into()),
            "{backend}: {kind}: {}",
            ended.log
        );
    }
}

/// The most memory for a client of a server with these flags, in bytes, as it says itself.
fn memory_per_client(flags: &str) -> usize {
    let shown = run(command(flags).arg("--show-config"), "").stdout;
    let memory = shown.lines().find_map(|line| line.strip_prefix("# memory-per-client = "));
    memory.unwrap_or_else(|| panic!("{shown}")).parse().unwrap()
}

/// A client whose first message of the handshake never ends.
fn begin_handshake(server: &Server, _: &Connector) -> TcpStream {
    let mut client = TcpStream::connect(server.address).unwrap();
    let mut message = vec![1, 0, 0xff, 0xff]; // a ClientHello of 65,535 bytes
    message.resize(SENT, 0);
    for part in message.chunks(16_384) {
        client.write_all(&[22, 3, 1]).unwrap(); // a record of a handshake
        client.write_all(&u16::try_from(part.len()).unwrap().to_be_bytes()).unwrap();
        client.write_all(part).unwrap();
    }
    client
}

/// A client whose first message after the handshake never ends.
fn begin_message(server: &Server, connector: &Connector) -> TcpStream {
    let mut client = Peer::connect(server, connector);
    client.say(&[b'm'; SENT]);
    client.socket
}

/// A client that speaks TLS.
struct Peer {
    socket: TcpStream,
    transform: Box<dyn Transform>,
}

impl Peer {
    /// Connects, and makes the handshake.
    fn connect(server: &Server, connector: &Connector) -> Self {
        let socket = TcpStream::connect(server.address).unwrap();
        socket.set_read_timeout(Some(BOUND)).unwrap();
        let mut peer = Self { socket, transform: connector.transform("example.org").unwrap() };
        peer.open(&mut Vec::new());
        while peer.transform.is_handshaking() {
            peer.hear();
        }
        peer
    }

    /// Opens all of this input, sends what the transform answers, and returns the plaintext.
    fn open(&mut self, input: &mut Vec<u8>) -> Vec<u8> {
        let (mut all, mut sealed) = (Vec::new(), Vec::new());
        loop {
            let mut plain = Vec::with_capacity(MAX_READ);
            let more = match self.transform.open(input, &mut plain, &mut sealed) {
                Opened::More { used } => {
                    input.drain(..used);
                    false
                }
                Opened::Plain { used, more } => {
                    input.drain(..used);
                    more
                }
                other => panic!("{other:?}: {:?}", self.transform.failure()),
            };
            all.extend(plain);
            if !more {
                break;
            }
        }
        self.socket.write_all(&sealed).unwrap();
        all
    }

    fn say(&mut self, bytes: &[u8]) {
        let mut sealed = Vec::new();
        self.transform.seal(bytes, &mut sealed);
        self.socket.write_all(&sealed).unwrap();
    }

    /// The plaintext of what has arrived.
    fn hear(&mut self) -> Vec<u8> {
        let mut input = vec![0; MAX_READ];
        let count = retry_on_intr(|| read(&self.socket, &mut input)).unwrap();
        assert!(count > 0, "the server has ended the connection");
        input.truncate(count);
        self.open(&mut input)
    }

    /// Says something, and hears it back.
    fn converse(&mut self) {
        self.say(b"hello\n");
        let mut heard = Vec::new();
        while heard.len() < 6 {
            heard.extend(self.hear());
        }
        assert_eq!(heard, b"hello\n");
    }
}
