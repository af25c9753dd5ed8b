//! Write the handler once; serve it on any loop.
//!
//! A service is a [`Handler`], which opens a [`Session`] for each client. It knows nothing of sockets, threads or tasks.
//! A [`Backend`] serves it with one concurrency model; each is behind a feature of its own. Framing, limits, deadlines,
//! backpressure, draining and accounting are the same on all of them.
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
//! // A test needs no socket.
//! let service = Service::framed(Arc::new(Shout), Framing::Line);
//! let mut client = anyloop::testing::TestClient::connect(service);
//! client.say("hello\nbye\n");
//! assert_eq!(client.heard(), "Hello, unknown!\nHELLO\n");
//! ```
//!
//! [`start`] has a backend serve, within a program of any kind:
//!

#![forbid(unsafe_code)]
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
//! # Backends
//!
//! None of the features is on unless you ask for it, and none brings in the runtime of another.
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
//! # Where to find what
//!
//! | you want to | look at |
//! | --- | --- |
//! | answer messages | [`Handler`], [`Session`], [`Replies`], [`Flow`]; [`Client`] says who it is, [`CloseReason`] says why it ended |
//! | push messages to clients, answer later | [`Handle`], [`Group`], [`Later`], [`AsyncSession`]; [`Limits`] bound the mailbox of each client |
//! | push messages to the clients of other processes | [`Exchange`]; the crate `anyloop-exchange-redis` has one |
//! | serve them | [`Service`], [`Limits`], [`Framing`]; [`start`], [`Running`], [`Stop`], [`Statistics`] |
//! | expose metrics and health checks | `admin`, with the feature `admin`; [`Monitor`] |
//! | test them | [`testing::TestClient`], without a socket |
//! | tell where a message ends | [`framing`]: a [`Codec`](framing::Codec) of your own, and those that are built in |
//! | decide over every byte | [`protocol`]: an [`Application`](protocol::Application) and its [`Protocol`](protocol::Protocol)s |
//! | change every byte, or read what comes before the first | [`transform`]: a [`Transform`](transform::Transform), a [`Preamble`](transform::Preamble); the crate `anyloop-proxy-header` has one |
//! | try a server at once | `handlers`, with the feature `handlers`: `Counter`, `Ack`, `Echo`, `Work`, `Fanout` |
//! | write a backend | [`backend`] |
//!
//! The feature `serde` has [`Statistics`] serialized. What goes wrong with a client is logged by [tracing], with targets that
//! begin with `anyloop_`, most with `anyloop_serving`.
//!
//! # Guides
//!
#![cfg_attr(
    doc,
    doc = "- [Write a handler](guide::write_a_handler), from nothing to a service that every backend serves
- [Embed a server](guide::embed) in a program that uses tokio, another runtime, or none
- [Push to clients, and answer later](guide::push)
- [Write a backend](guide::write_a_backend), from one client at a time to one that passes the test kit
- [Compare](guide::compare): how to measure which backend suits the load, and how to read the result
- [Operate](guide::operate): configuration, systemd, upgrades, HAProxy, metrics and health checks
- [TLS](guide::tls): certificates and their renewal, and what they cost
- [Load from many machines](guide::load)"
)]
//!
//! The crate `anyloop-cli` makes a command of your handlers, with `serve`, `client`, `load` and `compare`.
//!
//! [tracing]: https://docs.rs/tracing

#[cfg(feature = "admin")]
#[doc(inline)]
pub use admin;
#[doc(inline)]
pub use common::{
    Address, AddressError, Answer, Answering, AsyncHandler, AsyncSession, Blocking, Client, CloseReason,
    ErrorReply, Exchange, Flow, Framing, Group, Handle, Handler, Later, Limits, LocalExchange, MailboxFull,
    Outcome, Overload, PublishError, ReadyCheck, Replies, SendError, Service, Session, Subscriber,
    Subscription, testing,
};
#[cfg(feature = "handlers")]
#[doc(inline)]
pub use handlers;
#[doc(inline)]
pub use serving::{
    Backend, Durations, Listener, Monitor, NotReady, Report, Running, Statistics, Stop, start,
};

#[cfg(feature = "async-std")]
#[doc(inline)]
pub use backend_async_std::AsyncStd;
#[cfg(all(feature = "epoll", target_os = "linux"))]
#[doc(inline)]
pub use backend_epoll::Epoll;
#[cfg(feature = "pool")]
#[doc(inline)]
pub use backend_pool::Pool;
#[cfg(feature = "sequential")]
#[doc(inline)]
pub use backend_sequential::Sequential;
#[cfg(feature = "smol")]
#[doc(inline)]
pub use backend_smol::Smol;
#[cfg(feature = "threads")]
#[doc(inline)]
pub use backend_threads::Threads;
#[cfg(feature = "tokio")]
#[doc(inline)]
pub use backend_tokio::Tokio;
#[cfg(all(feature = "uring", target_os = "linux"))]
#[doc(inline)]
pub use backend_uring::Uring;

pub mod framing {
    //! Where a message ends, and how a reply is written: the built-in codecs, and what you need for one of your own.
    //!
    //! [`Framing`](crate::Framing) names the built-in ones for [`Service::framed`](crate::Service::framed). A
    //! [`Codec`] of your own is served by [`FramedHandler`].

    #[doc(inline)]
    pub use common::{Codec, Decoded, Framed, FramedHandler, Length, Line, Raw};
}

pub mod protocol {
    //! The layer under a session, bytes in and bytes out: for a protocol that no [`Codec`](crate::framing::Codec) fits.
    //!
    //! An [`Application`] opens a [`Protocol`] for each client, and is served by [`Service::new`](crate::Service::new).
    //! An [`Outbox`] is also where a codec puts what stands around a reply.

    #[doc(inline)]
    pub use common::{Application, Outbox, Progress, Protocol};
}

pub mod transform {
    //! What is below a protocol: a [`Transform`] of all bytes, as encryption is, and a [`Preamble`] before the first, as the
    //! header of a proxy is.
    //!
    //! They are made by [`Service::with_transform`](crate::Service::with_transform) and
    //! [`Service::with_preamble`](crate::Service::with_preamble).

    #[doc(inline)]
    pub use common::{
        FirstInputCheck, MAX_READ, MAX_RECORD, MakePreamble, MakeTransform, Opened, Preamble,
        PreambleProgress, TlsInfo, Transform,
    };
}

pub mod stop {
    //! How a server is told to stop, and how that is waited for. [`Stop`](crate::Stop) is the handle.

    #[doc(inline)]
    pub use serving::{Registration, Requested, Urgency};
}

pub mod backend {
    //! What authors of backends need.

    #[cfg(feature = "tokio")]
    #[doc(inline)]
    pub use backend_tokio::OnRuntime;
    #[doc(inline)]
    pub use common::{
        Active, BLOCKING_THREADS, Cell, Clock, Connection, Counter, Counts, MAX_READ, Marks, Next, Output,
        PushCounts, Record, TURN_MESSAGES, TURN_REPLIES, Timer, WakeQueue,
    };
    #[doc(inline)]
    pub use serving::*;
}

#[cfg(all(doc, not(doctest)))]
// the examples of the guides are tests of `examples`, which have what they need
pub mod guide;
