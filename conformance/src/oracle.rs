//! What a conversation should come to, told by the pure core in memory.

use std::sync::Arc;
use std::time::Instant;

use common::{CloseReason, Connection, MAX_READ, Next, Outbox, Service};

/// What is said to a client that sends `input` and then ends it, and why its conversation ends.
pub(crate) fn foretell(service: Service, input: &[u8]) -> (Vec<u8>, CloseReason) {
    // No deadline is ever looked at, so any time will do.
    let now = Instant::now();
    let mut connection = Connection::new(Arc::new(service), ([127, 0, 0, 1], 1).into(), now);
    let mut out = Outbox::new();
    let mut said = Vec::new();
    let mut pieces = input.chunks(MAX_READ);
    loop {
        match connection.what_now(&mut out) {
            Next::Write => {
                let output = connection.output(&out).to_vec();
                connection.wrote(output.len(), &mut out, now);
                said.extend(output);
            }
            Next::Run => connection.run(&mut out, || now),
            Next::Read => match pieces.next() {
                Some(piece) => connection.receive(piece, &mut out, || now),
                None => connection.end_of_input(&mut out, || now),
            },
            Next::Done(reason) => return (said, reason),
        }
    }
}
