//! What is below a protocol in the cases: a transform of all bytes, for either end, and a preamble.

use std::net::SocketAddr;
use std::sync::Arc;

use common::{
    Address, Blocking, Client, ErrorReply, Flow, Handler, MAX_READ, Opened, Preamble, PreambleProgress,
    Replies, Service, Session, Transform,
};

use crate::gate::{Gate, Way};

/// Turns all bits of all bytes.
///
/// A client begins with a line that is not turned. With `TURN` it gets no answer, with `TURN?` it gets `TURNED`, and with
/// `WAIT` it gets `TURNED` when the gate is open; any other breaks the rules, and is answered with `NO`. The rest is turned. A
/// 0 that comes of that is followed by a 1. The last word is a 0 that is followed by another.
pub(crate) struct Turning {
    state: State,
    gate: Arc<Way>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// The server's end, before it has read the line.
    Server,
    /// The client's end, before it has read the answer.
    Client,
    Turning,
}

/// The longest line with which a client may begin.
const LONGEST_LINE: usize = 10;

/// The same service, through such a transform.
pub(crate) fn turned(service: Service) -> Service {
    turned_at(service, &Gate::default())
}

/// The same service, through such a transform, whose handshakes may wait at this gate.
pub(crate) fn turned_at(service: Service, gate: &Gate) -> Service {
    let gate = gate.way();
    service.with_transform(move |_| Box::new(Turning { state: State::Server, gate: Arc::clone(&gate) }))
}

impl Turning {
    /// The client's end, which has an answer to read if it has begun with another line than `TURN`.
    pub(crate) fn of_client(line: &str) -> Self {
        let state = if line == "TURN" { State::Turning } else { State::Client };
        Self { state, gate: Arc::default() }
    }

    /// The same from here on, for a second handle on a connection.
    pub(crate) fn another(&self) -> Self {
        Self { state: self.state, gate: Arc::clone(&self.gate) }
    }

    /// Opens what can be opened of `raw`, and tells whether that ends with the last word.
    ///
    /// # Panics
    /// If it is not turned.
    pub(crate) fn open_all(&mut self, raw: &mut Vec<u8>, plain: &mut Vec<u8>) -> bool {
        loop {
            match self.open(raw, &mut Vec::new(), &mut Vec::new()) {
                Opened::InPlace { used, plain: opened, more } => {
                    plain.extend_from_slice(&raw[opened]);
                    raw.drain(..used);
                    if !more {
                        return false;
                    }
                }
                Opened::End => {
                    raw.drain(..LAST_WORD.len());
                    return true;
                }
                Opened::Broken => panic!("what was sent is not turned: {raw:?}"),
                Opened::More { .. } | Opened::Plain { .. } => return false,
            }
        }
    }

    /// Reads the line of the other end, and says how long it is with its end. `Err` is what becomes of it otherwise.
    fn shake(&mut self, input: &[u8], sealed: &mut Vec<u8>) -> Result<usize, Opened> {
        let Some(end) = input.iter().position(|&byte| byte == b'\n') else {
            return Err(if input.len() > LONGEST_LINE { Opened::Broken } else { Opened::More { used: 0 } });
        };
        match (self.state, &input[..end]) {
            (State::Client, b"TURNED") | (State::Server, b"TURN") => {}
            (State::Server, line @ (b"TURN?" | b"WAIT")) => {
                if line == b"WAIT" {
                    self.gate.pass();
                }
                sealed.extend_from_slice(b"TURNED\n");
            }
            _ => {
                sealed.extend_from_slice(b"NO\n");
                return Err(Opened::Broken);
            }
        }
        self.state = State::Turning;
        Ok(end + 1)
    }
}

impl Transform for Turning {
    fn open(&mut self, input: &mut [u8], _: &mut Vec<u8>, sealed: &mut Vec<u8>) -> Opened {
        let mut start = 0;
        if self.state != State::Turning {
            match self.shake(input, sealed) {
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
        sealed.extend_from_slice(LAST_WORD);
    }

    fn is_handshaking(&self) -> bool {
        self.state != State::Turning
    }

    fn blocking(&self) -> Blocking {
        if self.is_handshaking() { Blocking::MayBlock } else { Blocking::Never }
    }
}

/// What such a transform says last.
pub(crate) const LAST_WORD: &[u8] = &[0, 0];

/// A line with the address of a client, as a proxy would tell it: `FROM 192.0.2.1:4711`.
pub(crate) struct Announced;

impl Announced {
    /// The same service, whose clients are announced so.
    pub(crate) fn before(service: Service) -> Service {
        service.with_preamble(|| Box::new(Self))
    }
}

impl Preamble for Announced {
    fn receive(&mut self, input: &[u8], client: &mut Client) -> PreambleProgress {
        let broken = || PreambleProgress::Broken(ErrorReply::malformed("preamble"));
        let Some(end) = input.iter().position(|&byte| byte == b'\n') else {
            return if input.len() > LONGEST_PREAMBLE {
                broken()
            } else {
                PreambleProgress::More { used: 0 }
            };
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

/// The longest line of a preamble.
const LONGEST_PREAMBLE: usize = 100;

/// Greets its client with its address, and answers each message with that and the message.
pub(crate) struct Asking {
    peer: Address,
    may_block: bool,
}

impl Asking {
    pub(crate) fn handler(may_block: bool) -> Arc<dyn Handler> {
        Arc::new(Self { peer: Address::Unknown, may_block })
    }
}

impl Handler for Asking {
    fn open(&self, client: &Client, out: &mut Replies<'_>) -> Box<dyn Session> {
        out.write(format_args!("hello {}", client.peer));
        Box::new(Self { peer: client.peer.clone(), may_block: self.may_block })
    }

    fn blocking(&self) -> Blocking {
        if self.may_block { Blocking::MayBlock } else { Blocking::Never }
    }
}

impl Session for Asking {
    fn message(&mut self, message: &[u8], out: &mut Replies<'_>) -> Flow {
        out.send_parts(&[self.peer.to_string().as_bytes(), b" ", message]);
        Flow::Continue
    }
}
