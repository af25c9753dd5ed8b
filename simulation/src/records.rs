//! A transform, and the client's side of it.

use common::{MAX_READ, Opened, Transform};

/// A record is a length from 1 to 250 and this number of inverted bytes. A length of 0 ends the input, and 255 is invalid. The
/// handshake is `HI`, which is answered with `OK`.
#[derive(Debug, Default)]
pub(crate) struct Records {
    is_shaken: bool,
}

const HELLO: &[u8] = b"HI\n";
const READY: &[u8] = b"OK\n";

impl Transform for Records {
    fn open(&mut self, input: &mut [u8], plain: &mut Vec<u8>, sealed: &mut Vec<u8>) -> Opened {
        let mut used = 0;
        if !self.is_shaken {
            if input.len() < HELLO.len() {
                return Opened::More { used };
            }
            if !input.starts_with(HELLO) {
                return Opened::Broken;
            }
            sealed.extend_from_slice(READY);
            self.is_shaken = true;
            used = HELLO.len();
        }
        while let Some((&length, rest)) = input[used..].split_first() {
            let length = usize::from(length);
            match length {
                0 if plain.is_empty() => return Opened::End,
                255 if plain.is_empty() => return Opened::Broken,
                0 | 255 => break,
                _ if rest.len() < length || plain.len() + length > MAX_READ => break,
                _ => plain.extend(rest[..length].iter().map(|byte| !byte)),
            }
            used += 1 + length;
        }
        if plain.is_empty() {
            Opened::More { used }
        } else {
            Opened::Plain { used, more: used < input.len() }
        }
    }

    fn seal(&mut self, plain: &[u8], sealed: &mut Vec<u8>) {
        seal(plain, sealed);
    }

    fn close(&mut self, sealed: &mut Vec<u8>) {
        sealed.push(0);
    }

    fn is_handshaking(&self) -> bool {
        !self.is_shaken
    }
}

/// What a client sends first.
pub(crate) fn hello() -> Vec<u8> {
    HELLO.to_vec()
}

/// Seals plaintext.
pub(crate) fn seal(plain: &[u8], sealed: &mut Vec<u8>) {
    for piece in plain.chunks(250) {
        sealed.push(piece.len() as u8);
        sealed.extend(piece.iter().map(|byte| !byte));
    }
}

/// Opens what a client has received.
#[derive(Debug, Default)]
pub(crate) struct Opener {
    is_shaken: bool,
    /// Whether the final output of the transform was received.
    pub(crate) has_ended: bool,
    raw: Vec<u8>,
}

impl Opener {
    /// Appends the plaintext to `plain`. Returns `false` if the input is invalid.
    pub(crate) fn open(&mut self, received: &[u8], plain: &mut Vec<u8>) -> bool {
        self.raw.extend_from_slice(received);
        let mut used = 0;
        // A client that is refused before its handshake receives only the final output.
        if !self.is_shaken && self.raw.first() != Some(&0) {
            if self.raw.len() < READY.len() {
                return READY.starts_with(&self.raw);
            }
            if !self.raw.starts_with(READY) {
                return false;
            }
            (self.is_shaken, used) = (true, READY.len());
        }
        while let Some((&length, rest)) = self.raw[used..].split_first() {
            let length = usize::from(length);
            if self.has_ended || length > 250 {
                return false;
            }
            if length == 0 {
                self.has_ended = true;
            } else if rest.len() < length {
                break;
            } else {
                plain.extend(rest[..length].iter().map(|byte| !byte));
            }
            used += 1 + length;
        }
        self.raw.drain(..used);
        true
    }
}
