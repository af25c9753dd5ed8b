//! The built-in handlers: [`Counter`] and [`Ack`], from the classic socket tutorial, [`Echo`] for benchmarks,
//! [`Work`], which computes, blocks or waits, and [`Fanout`], which pushes messages, for comparing concurrency models.

#![forbid(unsafe_code)]

mod ack;
mod counter;
mod echo;
mod fanout;
mod work;

pub use ack::Ack;
pub use counter::{Counter, Language};
pub use echo::Echo;
pub use fanout::Fanout;
pub use work::{Load, Work};

/// The description of a handler for listings such as [`HANDLERS`]: its name and what it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Description {
    /// The name, for the flag `--handler`.
    pub name: &'static str,
    /// What it does.
    pub text: &'static str,
}

/// Every built-in handler, in the order in which they are listed.
///
/// ```
/// for handler in anyloop::handlers::HANDLERS {
///     println!("{}: {}", handler.name, handler.text);
/// }
/// ```
pub const HANDLERS: &[Description] = &[
    Description { name: "counter", text: "greets, and answers each message with its number; ends on `exit`" },
    Description {
        name: "ack",
        text: "greets, and acknowledges each message with a random number; ends on `exit`",
    },
    Description { name: "echo", text: "says every message back" },
    Description {
        name: "work",
        text: "computes, sleeps or waits as --work says, then says the message back",
    },
    Description {
        name: "fanout",
        text: "answers `ok`, and sends each message to all others that said `subscribe`; ends on `exit`",
    },
];

/// Whether a message is `exit`. If the framing has no message boundaries (`raw`), a line end may follow it.
fn is_exit(message: &[u8], framed: bool) -> bool {
    let word = if framed {
        message
    } else {
        let line = message.strip_suffix(b"\n").unwrap_or(message);
        line.strip_suffix(b"\r").unwrap_or(line)
    };
    word == b"exit"
}

#[cfg(test)]
mod tests;
