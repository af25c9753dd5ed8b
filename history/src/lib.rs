//! The history of the requests that a client sent and of the replies that it received, and the judge of it.
//!
//! A [`Writer`] writes a history to a file while the client runs, one [`Recorder`] for each of its threads. [`verify`]
//! reads it and returns a [`Verdict`]: whether reply *k* of each connection answers request *k*, whether every byte is
//! as expected, and whether none is lost, doubled, reordered, altered, superfluous, or another connection's. Where requests
//! have equal replies, these show neither their order nor whose they were, and the verdict counts them. The judge knows
//! nothing of the client or the server, so it judges the history of any client with any server.
//!
//! ```
//! use anyloop_history::{Digest, Writer, verify};
//!
//! # fn main() -> std::io::Result<()> {
//! # let file = std::env::temp_dir().join(format!("anyloop-history-{}", std::process::id()));
//! let writer = Writer::create(&file, "one request to an echo server")?;
//! let mut recorder = writer.recorder();
//! let connection = recorder.open(0);
//! recorder.request(connection, Digest::of(b"hello"));
//! recorder.reply(connection, Digest::of(b"hello"));
//! recorder.left(connection);
//! drop(recorder);
//! writer.finish()?;
//!
//! let verdict = verify(std::fs::File::open(&file)?)?;
//! assert!(verdict.passes() && verdict.answered == 1);
//! # std::fs::remove_file(&file)
//! # }
//! ```
//!
//! # The file
//!
//! A history begins with `anyhist1` (8 bytes), the length of a description (4 bytes) and the description in UTF-8. Then
//! come records of [`RECORD`] bytes each: the kind (1 byte), a length in bytes (3 bytes, `0xff_ffff` for all that are
//! longer), the number of the connection (4 bytes), and a value (8 bytes). All numbers have their lowest byte first.
//!
//! | kind | event | length, value |
//! | --- | --- | --- |
//! | 1 | the time of the records behind it, to the next | nanoseconds since the start |
//! | 2 | a connection was established | the client's own number for it |
//! | 3 | a request was sent | length and hash of the reply that answers it, which of an echo is the request itself |
//! | 4 | a reply came | its length and hash |
//! | 5 | a reply came, and the client accepted it by a rule | its length and hash |
//! | 6 | a reply came, and the client rejected it by a rule, or it was malformed | its length and hash |
//! | 7 | an error reply refused the oldest unanswered request | its length and hash |
//! | 8 | an error reply announced that the server ends the connection | its length and hash |
//! | 9 | the server or the network ended the connection | |
//! | 10 | the client ended the connection, and no longer waited for replies | |
//! | 11 | the client was interrupted, and ended the connection before it had waited for replies | |
//! | 12 | the end of the history | the number of records before it |
//! | 13 | the server also receives messages of this load that are not in the history | |
//!
//! The hash is XXH3, 64 bits, with the seed 0. The records of a connection are in the order of their events; those of
//! different connections may be in any order. Requests have no numbers in the file: they are counted from 0, for each
//! connection. A file without an end was cut off.

#![forbid(unsafe_code)]

mod judge;
pub mod numbers;
mod recent;
mod record;
mod verdict;
mod writer;

pub use judge::{Judge, verify};
pub use record::{Digest, Event, RECORD, Reader, Record};
pub use verdict::{Fault, MAX_VIOLATIONS, Place, Verdict, Violation};
pub use writer::{Recorder, Writer};
