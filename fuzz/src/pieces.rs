//! Input in pieces, and what a service answers to them.

use std::sync::Arc;

use anyloop::testing::TestClient;
use anyloop::{Client, CloseReason, Service};
use arbitrary::{Result, Unstructured};

/// How input is cut into pieces: the lengths of the pieces, which are repeated. A length of zero means all that is left.
#[derive(Clone, Copy)]
pub(crate) struct Cuts([u8; 4]);

impl Cuts {
    pub(crate) fn new(data: &mut Unstructured<'_>) -> Result<Self> {
        data.arbitrary().map(Self)
    }

    /// The input in pieces.
    pub(crate) fn pieces(self, mut input: &[u8]) -> Vec<&[u8]> {
        let mut pieces = Vec::new();
        for length in self.0.into_iter().cycle() {
            if input.is_empty() {
                break;
            }
            let length = match length {
                0 => input.len(),
                length => usize::from(length).min(input.len()),
            };
            let (piece, rest) = input.split_at(length);
            pieces.push(piece);
            input = rest;
        }
        pieces
    }
}

/// What a client receives, and how its conversation ends.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) bytes: Vec<u8>,
    /// The number of answered messages.
    pub(crate) messages: u64,
    pub(crate) over: CloseReason,
}

/// What a client receives that sends these pieces and then ends its input.
pub(crate) fn converse<'a>(service: Service, pieces: impl IntoIterator<Item = &'a [u8]>) -> Heard {
    let mut client = TestClient::connect_as(Client::new(anyloop::Address::Unknown), Arc::new(service));
    for piece in pieces {
        client.say(piece);
    }
    client.end();
    let over = client.over().expect("the input has ended, so the conversation has");
    assert_ne!(over, CloseReason::Panicked, "after {:?}", client.heard());
    Heard { bytes: client.heard_bytes(), messages: client.messages(), over }
}

/// What a client receives that sends this input, which must not depend on how the input is cut.
pub(crate) fn same_in_pieces(service: impl Fn() -> Service, input: &[u8], cuts: Cuts) -> Heard {
    let whole = converse(service(), [input]);
    assert_eq!(whole, converse(service(), cuts.pieces(input)), "{:?}", cuts.pieces(input));
    whole
}
