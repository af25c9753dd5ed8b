//! A handler and a framing of its own: [`Shout`], and [`Mllp`].
//!
//! ```sh
//! cargo run --release -p anyloop-example-shout -- serve --framing mllp
//! cargo run --release -p anyloop-example-shout -- client --framing mllp 127.0.0.1:8888
//! cargo run --release -p anyloop-example-shout -- compare --quick --framing mllp
//! ```

#![forbid(unsafe_code)]

mod mllp;

use anyloop::{Client, Flow, Handler, Replies, Session};

pub use mllp::Mllp;

/// Greets, and returns every message in upper case with `!`. It closes the connection on `bye`.
#[derive(Clone, Copy, Debug)]
pub struct Shout;

impl Handler for Shout {
    fn open(&self, client: &Client, out: &mut Replies<'_>) -> Box<dyn Session> {
        out.write(format_args!("Hello, number {}!", client.number));
        Box::new(Self)
    }
}

impl Session for Shout {
    fn message(&mut self, message: &[u8], out: &mut Replies<'_>) -> Flow {
        if message == b"bye" {
            return Flow::Close;
        }
        out.send(&message.to_ascii_uppercase());
        Flow::Continue
    }
}

/// The programs of the guides are compiled and run with the tests.
#[cfg(doctest)]
mod guides {
    #[doc = include_str!("../../../docs/write-a-handler.md")]
    mod write_a_handler {}

    #[doc = include_str!("../../../docs/push.md")]
    mod push {}
}
