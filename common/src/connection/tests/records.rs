//! A transform for tests, and its client's side.

use std::panic::panic_any;

use super::*;
use crate::{MAX_READ, MAX_RECORD, Opened, Transform};

/// A record is a length from 1 to 250 and this number of inverted bytes. A length of 0 ends the input, and 255 is
/// invalid. The handshake is `HELLO` and a line feed, which is answered with `READY`.
#[derive(Clone, Default)]
pub(super) struct Records {
    /// Its variant.
    pub(super) how: How,
    shaken: bool,
    /// Plaintext that did not fit into the buffer.
    rest: Vec<u8>,
    pub(super) log: Arc<Mutex<Log>>,
}

#[derive(Clone, Copy, Default)]
pub(super) struct How {
    /// Leaves the plaintext of one record at a time in the input.
    pub(super) in_place: bool,
    /// Has no handshake.
    pub(super) at_once: bool,
    /// Adds this number of copies of each byte.
    pub(super) expansion: usize,
    /// The client must announce the end of its input.
    pub(super) announces_end: bool,
    /// Its handshake may block.
    pub(super) blocks: bool,
    /// Treats all input as a part of one record.
    pub(super) endless: bool,
    /// The functions that panic.
    pub(super) panics: &'static str,
    /// The wrong first result after the handshake, if any.
    pub(super) wrong: Option<fn(&mut Vec<u8>) -> Opened>,
}

/// The calls of a transform.
#[derive(Default)]
pub(super) struct Log {
    pub(super) sealed: Vec<Vec<u8>>,
    pub(super) closed: usize,
    pub(super) opened: usize,
    pub(super) dropped: usize,
}

impl Records {
    pub(super) fn new(how: How) -> Self {
        Self { how, shaken: how.at_once, rest: Vec::new(), log: Arc::default() }
    }

    fn panic_in(&self, function: &str) {
        if self.how.panics.split(' ').any(|panics| panics == function) {
            panic_any("a transform's panic");
        }
    }

    /// The start and the end of the next complete record, without its length.
    fn record(input: &[u8]) -> Option<(usize, usize)> {
        let length = usize::from(*input.first()?);
        (input.len() > length).then_some((1, 1 + length))
    }

    fn open_in_place(&self, input: &mut [u8], start: usize) -> Opened {
        let Some((from, to)) = Self::record(&input[start..]) else { return Opened::More { used: start } };
        let plain = start + from..start + to;
        input[plain.clone()].iter_mut().for_each(|byte| *byte = !*byte);
        Opened::InPlace { used: plain.end, more: plain.end < input.len(), plain }
    }

    fn open_all(&mut self, input: &[u8], start: usize, plain: &mut Vec<u8>) -> Opened {
        let mut used = start;
        while self.rest.len() < MAX_READ
            && !matches!(input.get(used), Some(0 | 255))
            && let Some((from, to)) = Self::record(&input[used..])
        {
            for byte in &input[used + from..used + to] {
                self.rest.extend(std::iter::repeat_n(!byte, 1 + self.how.expansion));
            }
            used += to;
        }
        let count = self.rest.len().min(MAX_READ);
        plain.extend(self.rest.drain(..count));
        let more = !self.rest.is_empty() || used < input.len();
        if plain.is_empty() { Opened::More { used } } else { Opened::Plain { used, more } }
    }
}

impl Transform for Records {
    fn open(&mut self, input: &mut [u8], plain: &mut Vec<u8>, sealed: &mut Vec<u8>) -> Opened {
        self.log.lock().unwrap().opened += 1;
        self.panic_in("open");
        assert!(plain.is_empty() && plain.capacity() >= MAX_READ);
        let mut start = 0;
        if !self.shaken {
            let Some(end) = input.iter().position(|&byte| byte == b'\n') else {
                return Opened::More { used: 0 };
            };
            if &input[..end] != b"HELLO" {
                sealed.extend_from_slice(b"NO\n");
                return Opened::Broken;
            }
            sealed.extend_from_slice(b"READY\n");
            self.shaken = true;
            start = end + 1;
        }
        if let Some(wrong) = self.how.wrong.take() {
            return wrong(plain);
        }
        match input.get(start) {
            Some(0) if self.rest.is_empty() => Opened::End,
            Some(255) if self.rest.is_empty() => Opened::Broken,
            _ if self.how.endless => Opened::More { used: start },
            _ if self.how.in_place => self.open_in_place(input, start),
            _ => self.open_all(input, start, plain),
        }
    }

    fn seal(&mut self, plain: &[u8], sealed: &mut Vec<u8>) {
        self.log.lock().unwrap().sealed.push(plain.to_vec());
        sealed.extend(record(plain));
        self.panic_in("seal");
    }

    fn close(&mut self, sealed: &mut Vec<u8>) {
        self.log.lock().unwrap().closed += 1;
        sealed.push(0);
        self.panic_in("close");
    }

    fn is_handshaking(&self) -> bool {
        self.panic_in("is_handshaking");
        !self.shaken
    }

    fn announces_end(&self) -> bool {
        self.panic_in("announces_end");
        self.how.announces_end
    }

    fn blocking(&self) -> Blocking {
        self.panic_in("blocking");
        if self.how.blocks && !self.shaken { Blocking::MayBlock } else { Blocking::Never }
    }

    fn describe(&self, client: &mut Client) {
        client.peer = Address::Unix(None);
        self.panic_in("describe");
    }

    fn memory(&self) -> usize {
        self.panic_in("memory");
        MAX_RECORD
    }
}

impl Drop for Records {
    fn drop(&mut self) {
        self.log.lock().unwrap().dropped += 1;
        self.panic_in("drop");
    }
}

/// Encodes plaintext as a client sends it.
pub(super) fn record(plain: impl AsRef<[u8]>) -> Vec<u8> {
    let mut records = Vec::new();
    for piece in plain.as_ref().chunks(250) {
        records.push(u8::try_from(piece.len()).unwrap());
        records.extend(piece.iter().map(|byte| !byte));
    }
    records
}

/// Decodes output as a client does, with `.` for the final output.
pub(super) fn read(sent: &[u8]) -> String {
    let (mut text, mut rest) = (String::new(), sent);
    if let Some(sealed) = rest.strip_prefix(b"READY\n") {
        rest = sealed;
    }
    while let Some((&length, records)) = rest.split_first() {
        if length == 0 {
            text.push('.');
        }
        let (piece, behind) = records.split_at(length.into());
        text.extend(piece.iter().map(|&byte| char::from(!byte)));
        rest = behind;
    }
    text
}

pub(super) type Logged = Arc<Mutex<Log>>;

/// A scripted session with a transform.
pub(super) fn rig_with(script: Script, how: How, limits: Limits) -> (Rig, Logged) {
    let log = Logged::default();
    let script = Arc::new(script);
    let service = Service::framed(Arc::new(Scripted(Arc::clone(&script))), Framing::Line).with_limits(limits);
    let made = Arc::clone(&log);
    let service = service.with_transform(move |_| {
        let mut records = Records::new(how);
        if how.panics.contains("make") {
            panic_any("no transform");
        }
        records.log = Arc::clone(&made);
        Box::new(records)
    });
    (Rig { script, ..Rig::serving(service) }, log)
}

pub(super) fn rig(how: How) -> (Rig, Logged) {
    rig_with(Script::default(), how, Limits::default())
}

/// A connection after the handshake and the greeting.
pub(super) fn shaken(how: How) -> (Rig, Logged) {
    let (mut rig, log) = rig(how);
    rig.settle();
    rig.send("HELLO\n");
    assert_eq!(rig.read(), "hi\n");
    (rig, log)
}

impl Rig {
    /// Decodes the output since the last call.
    pub(super) fn read(&mut self) -> String {
        read(&std::mem::take(&mut self.received))
    }
}
