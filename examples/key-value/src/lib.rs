//! A key-value store that speaks a subset of the Redis protocol, on any backend.
//!
//! ```sh
//! cargo run --release -p anyloop-example-key-value -- serve --backend smol --listen 127.0.0.1:6379
//! redis-cli set greeting hello
//! redis-benchmark -t ping,set,get,incr,mset -P 16 -n 100000 -q
//! ```
//!
//! It knows PING, ECHO, SET (with NX or XX), GET, DEL, EXISTS, INCR, MGET, MSET, DBSIZE, SELECT 0 and QUIT, and what
//! the tools ask before they begin: COMMAND, CONFIG GET and HELLO. A command may be an array of bulk strings or a
//! line of words. Nothing is stored on a disk, and no key expires.
//!
//! | to see how | read |
//! | --- | --- |
//! | a protocol is written on [`common::Protocol`] | this file |
//! | requests are parsed as they come, no byte twice | `request.rs` |
//! | replies are written, without an allocation | `reply.rs` |
//! | all clients share state | `store.rs` |

mod commands;
mod reply;
mod request;
mod store;

use std::net::SocketAddr;
use std::sync::Arc;

use common::{Application, Blocking, ErrorReply, Flow, Limits, Outbox, Progress, Protocol};

use crate::commands::carry_out;
use crate::request::{Parsed, Request};
use crate::store::Store;

/// The store, which all of its clients share.
#[derive(Default)]
pub struct KeyValue {
    store: Arc<Store>,
}

impl Application for KeyValue {
    fn open(&self, _client: SocketAddr, limits: &Limits, _out: &mut Outbox) -> Box<dyn Protocol> {
        Box::new(Conversation { store: Arc::clone(&self.store), request: Request::new(limits.max_message) })
    }

    fn refuse(&self, error: &ErrorReply, _limits: &Limits, out: &mut Outbox) {
        reply::error(out, format_args!("{error}"));
    }

    /// The store's lock is held for as long as it takes to copy a value, so nobody waits long.
    fn blocking(&self) -> Blocking {
        Blocking::Never
    }
}

/// One client's conversation.
struct Conversation {
    store: Arc<Store>,
    request: Request,
}

impl Protocol for Conversation {
    fn receive(&mut self, input: &[u8], out: &mut Outbox) -> Progress {
        let mut used = 0;
        loop {
            let rest = &input[used..];
            match self.request.parse(rest) {
                Parsed::More => return Progress::More { used, begun: !rest.is_empty() },
                Parsed::Empty { used: empty } => used += empty,
                Parsed::Broken(error) => return Progress::Broken(error),
                Parsed::Command { used: command } => {
                    let flow: Flow = carry_out(&self.request.arguments(rest), &self.store, out);
                    return Progress::Message { used: used + command, flow };
                }
            }
        }
    }

    fn error(&self, error: &ErrorReply, out: &mut Outbox) {
        reply::error(out, format_args!("{error}"));
    }
}

#[cfg(test)]
mod tests;
