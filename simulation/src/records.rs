//! A transform, and the client's side of it.

use std::cell::Cell;
use std::panic::panic_any;
use std::sync::Arc;

use common::{Blocking, Client, MAX_READ, Opened, Transform};

use crate::panics::OnPurpose;
use crate::session::{Shared, number};

/// A record is a length from 1 to 250 and this number of inverted bytes. A length of 0 ends the input, and 255 is invalid. The
/// handshake is `HI`, which is answered with `OK`.
pub(crate) struct Records {
    shared: Arc<Shared>,
    client: usize,
    is_shaken: bool,
    /// Whether a call has panicked, after which there must be no other one.
    has_panicked: Cell<bool>,
}

pub(crate) const HELLO: &[u8] = b"HI\n";
const READY: &[u8] = b"OK\n";
/// What it says that it keeps.
const MEMORY: usize = 100;
/// The most bytes in a record.
pub(crate) const MAX: usize = 250;

impl Records {
    /// The transform of a client, or of one that is refused.
    pub(crate) fn new(shared: &Arc<Shared>, client: &Client) -> Self {
        let client = number(&client.peer);
        shared.may_panic(client, true);
        Self { shared: Arc::clone(shared), client, is_shaken: false, has_panicked: Cell::new(false) }
    }

    /// A method is called, which panics if the tape says so. With `loses_output`, output that was not sealed may be lost.
    fn called(&self, loses_output: bool) {
        if self.has_panicked.replace(true) {
            self.shared.book().violate(self.client, || "its transform is called after a panic".into());
        }
        self.shared.may_panic(self.client, loses_output);
        self.has_panicked.set(false);
    }
}

impl Transform for Records {
    fn open(&mut self, input: &mut [u8], plain: &mut Vec<u8>, sealed: &mut Vec<u8>) -> Opened {
        self.shared.book().check_checked(self.client, input);
        self.called(true);
        if self.shared.is_at_fault(self.client, true) {
            return Opened::More { used: input.len() + 1 };
        }
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
        self.called(true);
        seal(plain, sealed);
    }

    fn close(&mut self, sealed: &mut Vec<u8>) {
        self.called(false);
        sealed.push(0);
        if let Some(account) = self.shared.book().clients.get_mut(self.client) {
            account.has_final_output = true;
        }
    }

    fn is_handshaking(&self) -> bool {
        self.called(true);
        !self.is_shaken
    }

    /// A panic here ends no conversation: it counts as `true`.
    fn announces_end(&self) -> bool {
        if self.shared.chance(self.shared.options.faults.panics) {
            self.shared.book().clients[self.client].must_announce_end = true;
            panic_any(OnPurpose);
        }
        announces_end(self.client)
    }

    fn blocking(&self) -> Blocking {
        self.called(true);
        let may_block = self.shared.options.blocking_handshake && !self.is_shaken;
        if may_block { Blocking::MayBlock } else { Blocking::Never }
    }

    fn describe(&self, _client: &mut Client) {
        self.called(true);
    }

    /// It always panics in runs with many panics, since the bound is asked for once and compared with each connection.
    fn memory(&self) -> usize {
        if self.shared.options.faults.panics > 1 {
            panic_any(OnPurpose);
        }
        MEMORY
    }
}

impl Drop for Records {
    fn drop(&mut self) {
        self.shared.may_panic_in_destructor(self.client);
    }
}

/// Whether the transform of this client expects that the end of the input is announced: that of every other one does.
pub(crate) fn announces_end(client: usize) -> bool {
    client % 2 == 1
}

/// Seals plaintext.
pub(crate) fn seal(plain: &[u8], sealed: &mut Vec<u8>) {
    for piece in plain.chunks(MAX) {
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
            if self.has_ended || length > MAX {
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
