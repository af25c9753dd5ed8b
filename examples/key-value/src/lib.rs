//! A key-value store that speaks a subset of the Redis protocol, on any backend.
//!
//! ```sh
//! cargo run --release -p anyloop-example-key-value -- serve --backend smol --listen 127.0.0.1:6379
//! redis-cli set greeting hello
//! redis-benchmark -t ping,set,get,incr,mset -P 16 -n 100000 -q
//! ```
//!
//! It knows PING, ECHO, SET (with NX or XX), GET, DEL, EXISTS, INCR, INCRBY, MGET, MSET, DBSIZE, SELECT 0 and QUIT, and
//! the commands that clients send at the start: HELLO (versions 2 and 3 of the protocol), CLIENT, INFO, COMMAND and
//! CONFIG GET. A command may be an array of bulk strings or a line of words. Nothing is stored on disk, no key expires,
//! and there is no password: everybody who can connect to the address has access.
//!
//! | to see how | read |
//! | --- | --- |
//! | a protocol is written on [`anyloop::protocol::Protocol`] | this file |
//! | requests are parsed incrementally, each byte once | `request.rs` |
//! | replies are written without an allocation, and within the limit | `reply.rs` |
//! | all clients share state | `store.rs` |
//! | a command becomes a product with its own flags | `main.rs` |
//! | clients query the server | `client.rs`, `about.rs`, `table.rs` |

#![forbid(unsafe_code)]

mod about;
mod client;
mod commands;
mod number;
mod reply;
mod request;
mod store;
mod table;
mod warning;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use anyloop::protocol::{Application, Outbox, Progress, Protocol};
use anyloop::{Address, Blocking, ErrorReply, Limits};

use crate::client::Client;
use crate::commands::{HTTP, carry_out};
use crate::reply::Reply;
use crate::request::{Parsed, Request};
use crate::store::{Full, Store, When};
use crate::warning::Warning;

/// The store, which all of its clients share.
pub struct KeyValue {
    shared: Arc<Shared>,
}

/// What all clients share.
struct Shared {
    store: Store,
    /// The number of clients so far.
    clients: AtomicI64,
    warning: Warning,
}

impl fmt::Debug for KeyValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyValue").finish_non_exhaustive() // what clients have stored is not for logs
    }
}

impl KeyValue {
    /// The most memory that a store takes by default, in bytes.
    pub const MAX_MEMORY: usize = 256 * 1024 * 1024;

    /// An empty store with a limit in bytes on its entries; each entry counts as its key, its value and 64 bytes.
    pub fn new(max_memory: usize) -> Self {
        let store = Store::with_room(max_memory);
        let shared = Shared { store, clients: AtomicI64::new(0), warning: Warning::default() };
        Self { shared: Arc::new(shared) }
    }

    /// Stores the entries of a text: a key, a blank and a value on each line.
    ///
    /// # Errors
    /// If there is no line, a line has no blank, or there is no room for all of them. The entries before that line are
    /// stored.
    pub fn import(&self, text: &str) -> Result<(), String> {
        if text.is_empty() {
            return Err("it is empty; write a key, a blank and a value on each line".to_owned());
        }
        for (line, number) in text.lines().zip(1..) {
            let (key, value) = line
                .split_once(' ')
                .ok_or_else(|| format!("line {number} has no value; write a key, a blank and a value"))?;
            let set = self.shared.store.set(key.as_bytes(), value.as_bytes(), When::Always);
            set.map_err(|Full| format!("line {number} finds no room; allow more memory"))?;
        }
        Ok(())
    }
}

impl Default for KeyValue {
    fn default() -> Self {
        Self::new(Self::MAX_MEMORY)
    }
}

impl Application for KeyValue {
    fn open(&self, client: anyloop::Client, limits: &Limits, _out: &mut Outbox) -> Box<dyn Protocol> {
        let shared = Arc::clone(&self.shared);
        let address = client.peer;
        let client = Client::new(shared.clients.fetch_add(1, Ordering::Relaxed) + 1);
        let request = Request::new(limits.max_message);
        Box::new(Conversation { shared, address, client, request, max_reply: limits.max_reply })
    }

    fn refuse(&self, error: &ErrorReply, _limits: &Limits, out: &mut Outbox) {
        reply::error(out, format_args!("{error}"));
    }

    /// The store's lock is held only while one reply is copied, so no client waits long.
    fn blocking(&self) -> Blocking {
        Blocking::Never
    }
}

/// One client's conversation.
struct Conversation {
    shared: Arc<Shared>,
    address: Address,
    client: Client,
    request: Request,
    max_reply: usize,
}

impl Protocol for Conversation {
    fn receive(&mut self, input: &mut [u8], out: &mut Outbox) -> Progress {
        let mut used = 0;
        loop {
            let rest = &input[used..];
            match self.request.parse(rest) {
                Parsed::More => return Progress::More { used, begun: has_begun(rest) },
                Parsed::Empty { used: empty } => used += empty,
                Parsed::Broken(error) => return Progress::Broken(error),
                Parsed::Command { used: command } => {
                    let mut reply = Reply::new(out, self.client.version, self.max_reply);
                    let arguments = self.request.arguments(rest);
                    let flow = carry_out(arguments, &self.shared.store, &mut self.client, &mut reply);
                    self.request.clear();
                    return match flow {
                        Ok(flow) => Progress::Message { used: used + command, flow },
                        Err(error) => {
                            if error == HTTP {
                                self.shared.warning.warn(&self.address);
                            }
                            Progress::Broken(error)
                        }
                    };
                }
            }
        }
    }

    fn finish(&mut self, input: &mut [u8], _out: &mut Outbox) -> Progress {
        if has_begun(input) {
            Progress::Broken(ErrorReply::Incomplete)
        } else {
            Progress::More { used: input.len(), begun: false }
        }
    }

    fn error(&mut self, error: &ErrorReply, out: &mut Outbox) {
        match error {
            // Redis sends no reply to it either.
            error if *error == HTTP => {}
            ErrorReply::Malformed(why) => reply::error(out, format_args!("ERR Protocol error: {why}")),
            error => reply::error(out, format_args!("{error}")),
        }
    }
}

/// Whether this contains a part of a command, and not just the first half of an empty line.
fn has_begun(input: &[u8]) -> bool {
    !matches!(input, b"" | b"\r")
}

#[cfg(test)]
mod tests;
