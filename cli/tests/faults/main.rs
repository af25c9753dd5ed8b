//! Every fault on every backend: each row of the table of faults is a test on each backend, which passes or says why it
//! is skipped. `docs/faults.md` is generated from the [table](rows).

#![allow(clippy::unwrap_used, reason = "these are tests, their helpers too")]

#[macro_use]
mod table;

mod accept;
mod backlog;
mod calls;
mod clock;
mod crowds;
mod handshakes;
mod network;
mod output;
mod ports;
mod resources;
mod rows;
mod start;
mod vanished;

// The helpers of the other tests of the command.
#[path = "../../../examples/testing/certificates.rs"]
#[allow(dead_code, reason = "not all of it is needed here")]
mod certificates;
#[path = "../it/group.rs"]
#[allow(dead_code, reason = "not all of it is needed here")]
mod group;
#[path = "../it/process.rs"]
#[allow(dead_code, reason = "not all of it is needed here")]
mod process;
#[path = "../it/server.rs"]
#[allow(dead_code, reason = "not all of it is needed here")]
mod server;
