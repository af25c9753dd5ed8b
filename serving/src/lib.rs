//! The serving layer, which all backends share: accepting, deadlines, stopping, lingering close, statistics.
//!
//! - [`Backend`]: the trait. [`Server`] is the frame of its `serve`; the [`Acceptor`] decides which clients are served.
//! - [`Listener`] and [`Socket`]: thin types over a descriptor, for TCP and Unix sockets.
//! - [`Conversation`]: serves one client. A backend drives it by [`Wait`] if it reads and writes, or by [`Step`] if it
//!   submits operations that complete later.
//! - [`start`]: runs a server on a dedicated thread, in any program.
//! - [`Stop`], [`Statistics`] and [`Monitor`]: stop a server, show what it has counted, and whether it is ready.
//! - [`Notifier`], [`Interrupt`]: wakers for threads that poll descriptors or block in a read.
//! - [`WorkerGroup`]: workers that each have their own clients and a [`WorkerContext`].
//! - [`ManualServer`]: a server without threads, for simulations.
//! - `epoll`: an epoll instance.
//! - [`blocking`]: serves one client on a thread that blocks.

mod accept_errors;
mod accept_loops;
mod acceptor;
mod backend;
mod bind;
pub mod blocking;
mod blocking_threads;
mod buffers;
mod completion;
mod connections;
mod conversation;
mod descriptors;
mod durations;
mod ending;
#[cfg(target_os = "linux")]
pub mod epoll;
mod interrupt;
mod lingering;
mod listener;
mod maintenance;
mod manual;
mod monitor;
mod notifier;
mod published;
mod running;
mod server;
mod socket;
mod state;
mod statistics;
mod stop;
mod task;
mod workers;

pub use accept_errors::LogLimiter;
pub use accept_loops::AcceptLoop;
pub use acceptor::{Accepting, Acceptor, Admission};
pub use backend::{Backend, BlockingHandlers, Capabilities, Workers, worker_count};
pub use buffers::Buffers;
pub use completion::Step;
pub use conversation::{Conversation, Wait};
pub use durations::Durations;
pub use interrupt::Interrupt;
pub use listener::Listener;
pub use manual::ManualServer;
pub use monitor::{Monitor, NotReady};
pub use notifier::Notifier;
pub use running::{Running, start};
pub use server::{Failure, SERVER_DESCRIPTORS, STACK_SIZE, Server};
pub use socket::{Accepted, Socket, Transport};
pub use statistics::{Report, Statistics};
pub use stop::{Registration, Requested, Stop, Urgency};
pub use task::Offloaded;
pub use workers::{Item, WorkerContext, WorkerGroup};
