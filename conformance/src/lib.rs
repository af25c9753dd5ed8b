//! The behaviours that every backend shows, as named cases over real sockets: those of the loopback device, and
//! Unix sockets.
//!
//! To try a backend, whoever has written it, put this into a file under its `tests/`:
//!
//! ```text
//! conformance::suite!(MyBackend);
//! ```
//!
//! Each case becomes a test, and another one over Unix sockets, in the module `over_unix`. Those of what goes on in
//! conversations become a third one in the module `through_a_transform`: there all clients talk through a transform, of which
//! the cases know nothing.
//!
//! A backend to which some cases don't apply says which, and why:
//!
//! ```text
//! conformance::suite!(MyBackend, except {
//!     two_clients_at_once: "it serves one client at a time",
//! });
//! ```
//!
//! An exemption names a case, or a [`Need`] and with it every case that has it. **An exempted case must
//! fail**: its test fails when it starts to pass, so that no exemption outlives its reason.
//!
//! No verdict depends on how fast something was. Every wait ends with an event, and is bounded so that what
//! never comes is a failure; a deadline is checked to be not early, never to be on time.

mod cases;
mod child;
mod client;
mod gate;
mod handlers;
mod journal;
mod kernel;
#[macro_use]
mod list;
mod oracle;
mod protocols;
mod server;
mod subject;
mod suite;
mod transforms;

pub use serving::Backend;
pub use subject::{Subject, Transport};
pub use suite::{Behaviour, CASES, Case, Exemption, Need, case, check, check_over_unix, check_transformed};
