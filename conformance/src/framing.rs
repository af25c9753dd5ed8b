//! The framings, as a client encodes messages and decodes replies.

use common::Framing;

/// Frames a message.
pub(crate) fn encode(framing: Framing, message: &[u8]) -> Vec<u8> {
    match framing {
        Framing::Line => [message, b"\n"].concat(),
        Framing::Length => {
            let length = u32::try_from(message.len()).expect("a short message");
            [&length.to_be_bytes(), message].concat()
        }
        Framing::Raw => message.to_vec(),
        other => panic!("the kit's client does not know the framing {other:?}"),
    }
}

/// The first reply in `received`, and its length with framing.
pub(crate) fn decode(framing: Framing, received: &[u8]) -> Option<(Vec<u8>, usize)> {
    match framing {
        Framing::Line => {
            let end = received.iter().position(|&byte| byte == b'\n')?;
            Some((received[..end].to_vec(), end + 1))
        }
        Framing::Length => {
            let (header, rest) = received.split_first_chunk::<4>()?;
            let reply = rest.get(..u32::from_be_bytes(*header) as usize)?;
            Some((reply.to_vec(), 4 + reply.len()))
        }
        Framing::Raw => (!received.is_empty()).then(|| (received.to_vec(), received.len())),
        other => panic!("the kit's client does not know the framing {other:?}"),
    }
}
