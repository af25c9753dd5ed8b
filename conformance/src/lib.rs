//! The required behaviours of backends, as named test cases over real sockets: TCP on the loopback interface, and Unix
//! sockets.
//!
//! To test a backend, put this into a file under its `tests/`:
//!
//! ```text
//! conformance::suite!(MyBackend);
//! ```
//!
//! Each case becomes a test over TCP, and one over Unix sockets in the module `over_unix`. Cases about conversations
//! become a third test in the module `through_a_transform`, where all bytes of all clients are transformed. In these two
//! variants, a sample of the cases runs by default. The others are ignored, and run with
//! `cargo test -- --include-ignored`.
//!
//! A backend to which some cases don't apply lists them with the reason:
//!
//! ```text
//! conformance::suite!(MyBackend, except {
//!     two_clients_at_once: "it serves one client at a time",
//! });
//! ```
//!
//! An exemption names a case, or a [`Need`] to exempt from all cases with this need. **An exempted case must fail**:
//! its test fails if the case passes, so that outdated exemptions are found.
//!
//! No verdict depends on timing. Each wait ends with an event, and has a timeout after which the case fails. Deadlines
//! are checked not to be early, but never to be on time.

#![forbid(unsafe_code)]

mod cases;
mod child;
mod client;
mod ends;
mod framing;
mod gate;
mod handlers;
mod kernel;
mod log;
#[macro_use]
mod list;
mod oracle;
mod protocols;
mod remote;
mod server;
mod socket;
mod subject;
mod suite;
mod transforms;

pub use ends::Transforms;
pub use serving::Backend;
pub use subject::{Subject, Transport};
pub use suite::{Behaviour, CASES, Case, Exemption, Need, case, check, check_over_unix, check_through};
