//! TLS over sockets, on every backend.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use anyloop_tls::Connector;
use common::{CloseReason, MAX_READ, Opened, Transform};
use registry::BACKENDS;

use crate::certificates::Authority;
use crate::conversations::service;
use crate::pair::{acceptor, connector, served, trusting};

/// A client over a socket.
struct Socket {
    socket: TcpStream,
    transform: Box<dyn Transform>,
    received: Vec<u8>,
}

impl Socket {
    fn connect(address: std::net::SocketAddr, connector: &Connector) -> Self {
        let socket = TcpStream::connect(address).expect("a connection");
        socket.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout");
        let transform = connector.transform("example.org").expect("a name");
        let mut socket = Self { socket, transform, received: Vec::new() };
        assert_eq!(socket.read(), Some(String::new()), "the client says hello");
        socket
    }

    /// Opens what was received. `None` after the end that the server has announced.
    fn read(&mut self) -> Option<String> {
        let (mut plain, mut sealed) = (Vec::with_capacity(MAX_READ), Vec::new());
        let opened = self.transform.open(&mut self.received, &mut plain, &mut sealed);
        self.socket.write_all(&sealed).expect("the server reads");
        match opened {
            Opened::More { used } | Opened::Plain { used, .. } => drop(self.received.drain(..used)),
            Opened::End => return None,
            Opened::InPlace { .. } | Opened::Broken => panic!("{:?}", self.transform.failure()),
        }
        Some(String::from_utf8(plain).expect("text"))
    }

    /// Everything up to the end that the server announces.
    fn read_to_end(&mut self) -> String {
        let mut heard = String::new();
        let mut buffer = [0; 4096];
        loop {
            match self.read() {
                None => return heard,
                Some(text) if text.is_empty() => {
                    let count = self.socket.read(&mut buffer).expect("something to read");
                    assert!(count > 0, "the end was not announced after {heard:?}");
                    self.received.extend_from_slice(&buffer[..count]);
                }
                Some(text) => heard += &text,
            }
        }
    }

    fn finish_handshake(&mut self) {
        let mut buffer = [0; 4096];
        while self.transform.is_handshaking() {
            let count = self.socket.read(&mut buffer).expect("the server's handshake");
            self.received.extend_from_slice(&buffer[..count]);
            self.read();
        }
    }

    fn say(&mut self, text: &str) {
        let mut sealed = Vec::new();
        self.transform.seal(text.as_bytes(), &mut sealed);
        self.socket.write_all(&sealed).expect("the server reads");
    }
}

#[test]
fn many_clients_are_answered_and_told_of_the_end() {
    let authority = Authority::new("ours");
    let files = authority.issue("server", &["example.org"]);
    let connector = connector(&trusting(&authority));
    for &backend in BACKENDS {
        let listener = TcpListener::bind("127.0.0.1:0").expect("an address");
        let address = listener.local_addr().expect("an address");
        let running = serving::start(backend, listener, service(acceptor(served(&files)))).expect("a server");
        let clients = if backend.name() == "sequential" { 1 } else { 10 };
        thread::scope(|scope| {
            for number in 0..clients {
                let connector = &connector;
                scope.spawn(move || {
                    let mut client = Socket::connect(address, connector);
                    client.finish_handshake();
                    let sent: String =
                        (0..200).map(|i| format!("{number} {i} {}\n", "y".repeat(i * 7 % 3000))).collect();
                    sent.as_bytes()
                        .chunks(7001)
                        .for_each(|piece| client.say(std::str::from_utf8(piece).expect("text")));
                    client.say("bye\n");
                    let heard = client.read_to_end();
                    assert!(heard == format!("hello example.org\n{sent}"), "{}", backend.name());
                });
            }
        });
        // A client that cuts its input off, and one that announces its end.
        for (announces, expected) in [(false, CloseReason::Truncated), (true, CloseReason::EndOfInput)] {
            let mut client = Socket::connect(address, &connector);
            client.finish_handshake();
            client.say("one\n");
            if announces {
                let mut sealed = Vec::new();
                client.transform.close(&mut sealed);
                client.socket.write_all(&sealed).expect("the server reads");
            }
            client.socket.shutdown(Shutdown::Write).expect("an end");
            assert_eq!(client.read_to_end(), "hello example.org\none\n", "{}", backend.name());
            while running.statistics().reason(expected) == 0 {
                thread::yield_now();
            }
        }
        running.stop();
        let report = running.wait().expect("a report");
        assert_eq!(report.accepted, clients + 2, "{}: {report:?}", backend.name());
        assert_eq!(report.reason(CloseReason::Exit), clients);
    }
}
