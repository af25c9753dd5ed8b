//! The traits of anyloop and its pure core, without I/O, clocks or threads. `common/clippy.toml` enforces this.
//!
//! ```text
//!              bytes                         messages
//!  socket ───────────► ┌────────────┐ ───────────► ┌─────────┐
//!          a backend   │ Connection │   Protocol   │ Session │  one per client
//!          moves bytes │            │   (framing)  └─────────┘
//!  socket ◄─────────── └────────────┘ ◄───────────   replies     a Handler opens them
//! ```

#![forbid(unsafe_code)]

#[macro_use]
#[doc(hidden)]
pub mod canary;

mod address;
mod async_session;
mod cell;
mod client;
mod clock;
mod close_reason;
mod connection;
mod error_reply;
mod exchange;
mod framing;
mod group;
mod guard;
mod handle;
mod handler;
mod later;
mod limits;
mod mailbox;
#[cfg(all(test, shuttle))]
mod models;
mod outbox;
mod protocol;
mod record;
mod replies;
mod service;
#[doc(hidden)]
pub mod sync; // which serving and the backends use as well
pub mod testing;
mod transform;

pub use address::{Address, AddressError};
pub use async_session::{Answering, AsyncHandler, AsyncSession};
pub use cell::{Cell, Marks, WakeQueue};
pub use client::{Client, TlsInfo};
pub use clock::Clock;
pub use close_reason::{CloseReason, Outcome};
pub use connection::{Active, Connection, Next, Output, Timer};
pub use error_reply::ErrorReply;
pub use exchange::{Exchange, LocalExchange, PublishError, Subscriber, Subscription};
pub use framing::{Codec, Decoded, Framed, FramedHandler, Framing, Length, Line, Raw};
pub use group::Group;
pub use guard::guarded;
pub use handle::Handle;
pub use handler::{Blocking, Flow, Handler, Session};
pub use later::{Answer, Later};
pub use limits::{Limits, MAX_READ, MailboxFull, Overload, TURN_MESSAGES, TURN_REPLIES};
pub use mailbox::{PushCounts, SendError};
pub use outbox::Outbox;
pub use protocol::{Application, Progress, Protocol};
pub use record::{Counter, Counts, Record};
pub use replies::Replies;
pub use service::{BLOCKING_THREADS, FirstInputCheck, MakePreamble, MakeTransform, ReadyCheck, Service};
pub use transform::{MAX_RECORD, Opened, Preamble, PreambleProgress, Transform};
