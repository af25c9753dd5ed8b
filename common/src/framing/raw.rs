//! `raw`: no framing; the bytes of each read are a message.

use crate::{Codec, Decoded, ErrorReply, Limits};

/// The bytes that have arrived are a message, up to 1,024 bytes, and replies are sent without a header or an end, as in
/// many socket tutorials. **This is not a framing**: TCP may split and join what was sent at any place, and so may the
/// server.
///
/// A message never ends inside a UTF-8 character: the first bytes of a character are kept until the rest arrives. At
/// the end of the input they are a separate message.
///
/// ```
/// use anyloop::Limits;
/// use anyloop::framing::{Codec, Decoded, Raw};
///
/// let mut codec = Raw::new(&Limits::default());
/// assert_eq!(codec.decode(&mut b"hello".to_vec()), Decoded::Message { payload: 0..5, used: 5 });
/// assert!(!codec.framed()); // the message may continue
/// ```
#[derive(Debug)]
pub struct Raw {
    max: usize,
}

/// The maximum length of a message, in bytes: the buffer size in many tutorials.
const MAX_LENGTH: usize = 1024;

impl Raw {
    /// A codec for one client.
    pub fn new(limits: &Limits) -> Self {
        Self { max: limits.max_message }
    }

    fn message(&self, length: usize) -> Decoded {
        if length > self.max {
            return Decoded::Broken(ErrorReply::TooLong { max: self.max });
        }
        Decoded::Message { payload: 0..length, used: length }
    }
}

impl Codec for Raw {
    fn decode(&mut self, input: &mut [u8]) -> Decoded {
        match whole_characters(&input[..input.len().min(MAX_LENGTH)]) {
            0 => Decoded::More,
            length => self.message(length),
        }
    }

    fn finish(&mut self, input: &mut [u8]) -> Decoded {
        self.message(input.len())
    }

    fn framed(&self) -> bool {
        false
    }
}

/// The length of `piece` without an incomplete character at its end. Zero if it contains nothing else.
fn whole_characters(piece: &[u8]) -> usize {
    let begun = (1..=piece.len().min(3)).find(|&back| piece[piece.len() - back] & 0b1100_0000 != 0b1000_0000);
    let Some(back) = begun else { return piece.len() };
    let length = match piece[piece.len() - back] {
        0b1100_0010..=0b1101_1111 => 2,
        0b1110_0000..=0b1110_1111 => 3,
        0b1111_0000..=0b1111_0100 => 4,
        _ => 1,
    };
    if length > back { piece.len() - back } else { piece.len() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The messages that these pieces make, each of which is decoded when it arrives.
    fn messages(pieces: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut codec = Raw::new(&Limits::default());
        let mut input = Vec::new();
        let mut messages = Vec::new();
        for piece in pieces {
            input.extend_from_slice(piece);
            while let Decoded::Message { payload, used } = codec.decode(&mut input) {
                messages.push(input[payload].to_vec());
                input.drain(..used);
            }
        }
        if !input.is_empty() {
            let Decoded::Message { payload, .. } = codec.finish(&mut input) else { panic!() };
            messages.push(input[payload].to_vec());
        }
        messages
    }

    #[test]
    fn each_read_is_a_message() {
        assert_eq!(messages(&[b"one", b"two\n"]), [b"one".to_vec(), b"two\n".to_vec()]);
    }

    #[test]
    fn a_message_has_at_most_1024_bytes_and_whole_characters() {
        for length in [1023, 1024, 1025, 2048, 3000, 16_384] {
            let lengths: Vec<_> = messages(&[&vec![b'a'; length]]).iter().map(Vec::len).collect();
            assert_eq!(lengths.iter().sum::<usize>(), length);
            assert!(lengths.iter().rev().skip(1).all(|&l| l == 1024), "{lengths:?}");
        }
        let text = "條".repeat(6000);
        for first in [1, 2, 3, 1023, 1024, 1025, 4000, 16_384] {
            let all = messages(&[&text.as_bytes()[..first], &text.as_bytes()[first..]]);
            assert_eq!(all.concat(), text.as_bytes());
            assert!(all.iter().all(|message| message.len() <= 1024));
            assert!(all.iter().all(|message| std::str::from_utf8(message).is_ok()), "{first}");
        }
    }

    #[test]
    fn an_incomplete_character_is_a_message_at_the_end_of_input() {
        let mut read = vec![b'a'; 1023];
        read.push(0xe7);
        assert_eq!(messages(&[&read]), [vec![b'a'; 1023], vec![0xe7]]);
    }

    #[test]
    fn a_message_that_is_not_text_has_at_most_1024_bytes() {
        let all = messages(&[&[0x80; 3000]]);
        assert_eq!(all.iter().map(Vec::len).collect::<Vec<_>>(), [1024, 1024, 952]);
    }
}
