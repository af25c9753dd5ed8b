//! Write the handler once; serve it on any loop.
//!
//! A service is a [`Handler`], which opens a [`Session`] for each client. It knows nothing of sockets, threads or tasks.
//! A [`Backend`] serves it with one concurrency model; each is behind a feature of its own.
//!
//! ```
//! use std::sync::Arc;
//!
//! use anyloop::{Client, Flow, Framing, Handler, Replies, Service, Session};
//!
//! /// Greets, and says everything back in capitals.
//! struct Shout;
//!
//! impl Handler for Shout {
//!     fn open(&self, client: &Client, out: &mut Replies<'_>) -> Box<dyn Session> {
//!         out.send(format!("Hello, {}!", client.peer).as_bytes());
//!         Box::new(Shouting)
//!     }
//! }
//!
//! struct Shouting; // the state of one client: no locks
//!
//! impl Session for Shouting {
//!     fn message(&mut self, message: &[u8], out: &mut Replies<'_>) -> Flow {
//!         if message == b"bye" {
//!             return Flow::Close; // what was said so far is delivered first
//!         }
//!         out.send(&message.to_ascii_uppercase());
//!         Flow::Continue
//!     }
//! }
//!
//! let service = Service::framed(Arc::new(Shout), Framing::Line);
//! # drop(service);
//! ```
//!
//! [`start`] has a backend serve, within a program of any kind:
//!
#![cfg_attr(feature = "smol", doc = "```")]
#![cfg_attr(not(feature = "smol"), doc = "```ignore")]
//! use std::io::{Read, Write};
//! use std::net::{TcpListener, TcpStream};
//! # use std::sync::Arc;
//! # use anyloop::{Client, Flow, Framing, Handler, Replies, Service, Session};
//! # struct Echo;
//! # impl Handler for Echo {
//! #     fn open(&self, _: &Client, _: &mut Replies<'_>) -> Box<dyn Session> {
//! #         Box::new(Self)
//! #     }
//! # }
//! # impl Session for Echo {
//! #     fn message(&mut self, message: &[u8], out: &mut Replies<'_>) -> Flow {
//! #         out.send(message);
//! #         Flow::Close
//! #     }
//! # }
//!
//! # fn main() -> std::io::Result<()> {
//! let service = Service::framed(Arc::new(Echo), Framing::Line);
//! let running = anyloop::start(anyloop::Smol, TcpListener::bind("127.0.0.1:0")?, service)?;
//!
//! let mut client = TcpStream::connect(running.address())?;
//! client.write_all(b"hello\n")?;
//! let mut reply = String::new();
//! client.read_to_string(&mut reply)?;
//! assert_eq!(reply, "hello\n");
//! drop(client);
//!
//! running.stop();
//! let report = running.wait()?; // in a task: `running.await?`
//! assert_eq!((report.accepted, report.messages), (1, 1));
//! # Ok(())
//! # }
//! ```
//!
//! | feature | backend | model |
//! | --- | --- | --- |
//! | `sequential` | `Sequential` | one client at a time |
//! | `threads` | `Threads` | a thread for each connection |
//! | `pool` | `Pool` | a rayon pool that shares one poller |
//! | `async-std` | `AsyncStd` | a task for each connection, on async-std (discontinued) |
//! | `smol` | `Smol` | a task for each connection, on smol |
//! | `tokio` | `Tokio` | a task for each connection, on tokio |
//! | `epoll` | `Epoll` | a bare poller for each worker (Linux) |
//! | `uring` | `Uring` | an io_uring for each worker (Linux) |
//!
//! The feature `handlers` adds the built-in handlers, as `anyloop::handlers`, and `serde` has [`Statistics`] serialized.

pub use common::{
    Address, Application, Blocking, Client, CloseReason, Codec, Decoded, ErrorReply, Flow, Framed,
    FramedHandler, Framing, Handler, Length, Limits, Line, MAX_READ, Outbox, Outcome, Overload, Progress,
    Protocol, Raw, Replies, Service, Session, TURN_MESSAGES, TURN_REPLIES, testing,
};
#[cfg(feature = "handlers")]
pub use handlers;
pub use serving::{
    Backend, Listener, Report, Requested, Running, Statistics, Stop, Subscription, Urgency, start,
};

#[cfg(feature = "async-std")]
pub use backend_async_std::AsyncStd;
#[cfg(all(feature = "epoll", target_os = "linux"))]
pub use backend_epoll::Epoll;
#[cfg(feature = "pool")]
pub use backend_pool::Pool;
#[cfg(feature = "sequential")]
pub use backend_sequential::Sequential;
#[cfg(feature = "smol")]
pub use backend_smol::Smol;
#[cfg(feature = "threads")]
pub use backend_threads::Threads;
#[cfg(feature = "tokio")]
pub use backend_tokio::{OnRuntime, Tokio};
#[cfg(all(feature = "uring", target_os = "linux"))]
pub use backend_uring::Uring;

pub mod backend {
    //! What authors of backends need.

    pub use common::{Active, Connection, Next, Output, Timer};
    pub use serving::*;
}
