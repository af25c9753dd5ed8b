//! A TCP proxy that disturbs the connections it passes on, as a network does at its worst: it delays bytes, splits and
//! coalesces them, stalls, throttles, half-closes, resets and truncates.
//!
//! Nothing is lost, altered or reordered on a connection that lives, since TCP promises that. What a connection suffers
//! is drawn from a seed and the number of the connection, so that a run can be repeated: see [`Script`].
//!
//! ```
//! use std::io::{Read, Write};
//! use std::net::{TcpListener, TcpStream};
//!
//! use anyloop_fault_proxy::{Fault, Proxy, Settings};
//!
//! # fn main() -> std::io::Result<()> {
//! let server = TcpListener::bind("127.0.0.1:0")?;
//! let settings = Settings { seed: 7, faults: vec![Fault::Split, Fault::Delay], chance: 1.0 };
//! let proxy = Proxy::start(TcpListener::bind("127.0.0.1:0")?, server.local_addr()?, settings)?;
//!
//! TcpStream::connect(proxy.address())?.write_all(b"hello, in pieces, and late")?;
//! let mut text = String::new();
//! server.accept()?.0.read_to_string(&mut text)?;
//! assert_eq!(text, "hello, in pieces, and late");
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]

mod proxy;
mod relay;
mod script;

pub use proxy::{Counts, Proxy};
pub use script::{Ending, Fault, Script, Settings, Shape};
