//! The transform, for both ends, and the preamble of the cases.

use std::net::SocketAddr;
use std::sync::Arc;

use common::{
    Address, Blocking, Client, ErrorReply, Flow, Handler, MAX_READ, Opened, Preamble, PreambleProgress,
    Replies, Service, Session, Transform,
};

use crate::gate::{Gate, GateHandle};

/// Inverts all bits of all bytes.
///
/// A client sends a line first, which is not inverted. The server does not answer `INVERT`; it answers `INVERT?` with
/// `INVERTED`, `WAIT` with `INVERTED` when the gate is open, and any other line, which is an error, with `NO`. All later
/// bytes are inverted. A resulting 0 is escaped as 0 1. The final output is 0 0.
pub(crate) struct Inverting {
    state: State,
    /// The line that a client sends first, until it was sent.
    line: Option<&'static str>,
    gate: Arc<GateHandle>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// The server's end, before it has received the line.
    Server,
    /// The client's end, before it has received the answer.
    Client,
    Inverting,
}

/// The maximum length of a client's line.
const MAX_LINE: usize = 10;

/// Adds the transform to a service.
pub(crate) fn transformed(service: Service) -> Service {
    transformed_at(service, &Gate::default())
}

/// Adds the transform to a service. Its handshakes may wait at this gate.
pub(crate) fn transformed_at(service: Service, gate: &Gate) -> Service {
    let gate = gate.handle();
    service.with_transform(move |_| Box::new(Inverting { gate: Arc::clone(&gate), ..Inverting::of_server() }))
}

impl Inverting {
    pub(crate) fn of_server() -> Self {
        Self { state: State::Server, line: None, gate: Arc::default() }
    }

    /// The end of a client that sends this line first.
    pub(crate) fn of_client(line: &'static str) -> Self {
        let state = if line == "INVERT" { State::Inverting } else { State::Client };
        Self { state, line: Some(line), gate: Arc::default() }
    }

    /// Reads the line of the peer, and returns its length with the line feed. `Err` is the result of `open` if that is
    /// not possible.
    fn handshake(&mut self, input: &[u8], sealed: &mut Vec<u8>) -> Result<usize, Opened> {
        let Some(end) = input.iter().position(|&byte| byte == b'\n') else {
            return Err(if input.len() > MAX_LINE { Opened::Broken } else { Opened::More { used: 0 } });
        };
        match (self.state, &input[..end]) {
            (State::Client, b"INVERTED") | (State::Server, b"INVERT") => {}
            (State::Server, line @ (b"INVERT?" | b"WAIT")) => {
                if line == b"WAIT" {
                    self.gate.pass();
                }
                sealed.extend_from_slice(b"INVERTED\n");
            }
            _ => {
                sealed.extend_from_slice(b"NO\n");
                return Err(Opened::Broken);
            }
        }
        self.state = State::Inverting;
        Ok(end + 1)
    }
}

impl Transform for Inverting {
    fn open(&mut self, input: &mut [u8], _: &mut Vec<u8>, sealed: &mut Vec<u8>) -> Opened {
        if let Some(line) = self.line.take() {
            sealed.extend_from_slice(line.as_bytes());
            sealed.push(b'\n');
        }
        let mut start = 0;
        if self.state != State::Inverting {
            match self.handshake(input, sealed) {
                Ok(length) => start = length,
                Err(opened) => return opened,
            }
        }
        let (mut used, mut end) = (start, start);
        while end - start < MAX_READ
            && let Some(&byte) = input.get(used)
        {
            let length = match (byte, input.get(used + 1)) {
                (0, Some(1)) => 2,
                (0, Some(_)) if end == start => return Opened::End,
                (0, Some(_)) => break,
                (0, None) => return Opened::InPlace { used, plain: start..end, more: false },
                _ => 1,
            };
            input[end] = !byte;
            end += 1;
            used += length;
        }
        if used == 0 {
            Opened::More { used }
        } else {
            Opened::InPlace { used, plain: start..end, more: used < input.len() }
        }
    }

    fn seal(&mut self, plain: &[u8], sealed: &mut Vec<u8>) {
        for byte in plain {
            sealed.push(!byte);
            if *byte == 0xFF {
                sealed.push(1);
            }
        }
    }

    fn close(&mut self, sealed: &mut Vec<u8>) {
        sealed.extend_from_slice(FINAL_OUTPUT);
    }

    fn is_handshaking(&self) -> bool {
        self.state != State::Inverting
    }

    fn blocking(&self) -> Blocking {
        if self.is_handshaking() { Blocking::MayBlock } else { Blocking::Never }
    }
}

/// The final output of the transform.
pub(crate) const FINAL_OUTPUT: &[u8] = &[0, 0];

/// A preamble with the address of a client, as sent by a proxy: `FROM 192.0.2.1:4711` and a line feed.
pub(crate) struct ProxyHeader;

impl ProxyHeader {
    /// Adds the preamble to a service.
    pub(crate) fn before(service: Service) -> Service {
        service.with_preamble(|| Box::new(Self))
    }
}

impl Preamble for ProxyHeader {
    fn receive(&mut self, input: &[u8], client: &mut Client) -> PreambleProgress {
        let broken = || PreambleProgress::Broken(ErrorReply::malformed("preamble"));
        let Some(end) = input.iter().position(|&byte| byte == b'\n') else {
            return if input.len() > MAX_PREAMBLE { broken() } else { PreambleProgress::More { used: 0 } };
        };
        let line = str::from_utf8(&input[..end]).unwrap_or_default();
        match line.strip_prefix("FROM ").map(str::parse::<SocketAddr>) {
            Some(Ok(address)) => {
                client.peer = address.into();
                PreambleProgress::Done { used: end + 1 }
            }
            _ => broken(),
        }
    }
}

/// The maximum length of a preamble.
const MAX_PREAMBLE: usize = 100;

/// Greets a client with its address, and answers each message with the address and the message.
pub(crate) struct PeerEcho {
    peer: Address,
    may_block: bool,
}

impl PeerEcho {
    pub(crate) fn handler(may_block: bool) -> Arc<dyn Handler> {
        Arc::new(Self { peer: Address::Unknown, may_block })
    }
}

impl Handler for PeerEcho {
    fn open(&self, client: &Client, out: &mut Replies<'_>) -> Box<dyn Session> {
        out.write(format_args!("hello {}", client.peer));
        Box::new(Self { peer: client.peer.clone(), may_block: self.may_block })
    }

    fn blocking(&self) -> Blocking {
        if self.may_block { Blocking::MayBlock } else { Blocking::Never }
    }
}

impl Session for PeerEcho {
    fn message(&mut self, message: &[u8], out: &mut Replies<'_>) -> Flow {
        out.send_parts(&[self.peer.to_string().as_bytes(), b" ", message]);
        Flow::Continue
    }
}
