//! TLS without sockets, between the transforms of both ends, and over sockets on every backend.

#[path = "../../../examples/testing/certificates.rs"]
mod certificates;

mod backends;
mod conversations;
mod faults;
mod handshakes;
mod pair;
mod reload;
