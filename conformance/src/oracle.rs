//! Computes the expected result of a conversation with the pure core in memory.

use common::testing::TestClient;
use common::{CloseReason, Service};

/// The output to a client that sends `input` and then ends it, and the reason why its conversation ends.
///
/// # Panics
/// If the conversation doesn't end.
pub(crate) fn expected_output(service: Service, input: &[u8]) -> (Vec<u8>, CloseReason) {
    let mut client = TestClient::connect(service);
    client.say(input);
    client.end();
    (client.heard_bytes(), client.over().expect("a conversation ends with its input"))
}
