//! What a conversation should come to, told by the pure core in memory.

use common::testing::Client;
use common::{CloseReason, Service};

/// What is said to a client that sends `input` and then ends it, and why its conversation ends.
///
/// # Panics
/// If the conversation doesn't end.
pub(crate) fn foretell(service: Service, input: &[u8]) -> (Vec<u8>, CloseReason) {
    let mut client = Client::connect(service);
    client.say(input);
    client.end();
    (client.heard_bytes(), client.over().expect("a conversation ends with its input"))
}
