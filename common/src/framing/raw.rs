//! `raw`: what one read returns is a message. The classic socket tutorial's way, and no framing at all.

use std::collections::VecDeque;

use crate::{Codec, Decoded, ErrorReply, Limits};

/// What one read returns is a message, up to 1,024 bytes of it, and a reply is its bytes alone: the classic
/// socket tutorial's way. **It is no framing at all**: TCP joins and parts what was sent as it likes.
///
/// A read of 1,024 bytes or more is text that goes on: it is cut into messages of at most 1,024 bytes, and a
/// cut that falls inside a UTF-8 character moves back in front of it. What stands behind the last cut is
/// joined to the next read, or is a message of its own when there is none.
#[derive(Debug)]
pub struct Raw {
    max: usize,
    /// The reads that are not used up, oldest first.
    reads: VecDeque<Read>,
    /// How many bytes of a character wait for the next read.
    held: usize,
}

#[derive(Debug)]
struct Read {
    left: usize,
    /// Whether it came at least as long as a tutorial's buffer, so that its end is a cut as well.
    cut: bool,
}

/// The buffer of the tutorial's programs, in bytes.
const LONGEST: usize = 1024;

impl Codec for Raw {
    fn new(limits: &Limits) -> Self {
        Self { max: limits.max_message, reads: VecDeque::new(), held: 0 }
    }

    fn arrived(&mut self, bytes: usize) {
        let held = std::mem::take(&mut self.held);
        self.reads.push_back(Read { left: held + bytes, cut: bytes >= LONGEST });
    }

    fn decode(&mut self, input: &[u8]) -> Decoded {
        loop {
            let Some(read) = self.reads.front_mut() else { return Decoded::More };
            let piece = &input[..read.left.min(LONGEST)];
            let used = if read.cut { whole_characters(piece) } else { piece.len() };
            if used > 0 {
                read.left -= used;
                if read.left == 0 {
                    self.reads.pop_front();
                }
                return self.message(used);
            }
            // Only the beginning of a character is left: it goes in front of the next read.
            let held = read.left;
            self.reads.pop_front();
            match self.reads.front_mut() {
                Some(next) => next.left += held,
                None => self.held = held,
            }
        }
    }

    fn finish(&mut self, input: &[u8]) -> Decoded {
        self.held = 0;
        self.message(input.len())
    }

    fn framed(&self) -> bool {
        false
    }
}

impl Raw {
    fn message(&self, length: usize) -> Decoded {
        if length > self.max {
            return Decoded::Broken(ErrorReply::TooLong { max: self.max });
        }
        Decoded::Message { payload: 0..length, used: length }
    }
}

/// How long `piece` is without the beginning of a character at its end. Zero if it is nothing else.
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

    /// The messages that these reads make.
    fn messages(reads: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut codec = Raw::new(&Limits::default());
        let mut input = Vec::new();
        let mut messages = Vec::new();
        for read in reads {
            codec.arrived(read.len());
            input.extend_from_slice(read);
            while let Decoded::Message { payload, used } = codec.decode(&input) {
                messages.push(input[payload].to_vec());
                input.drain(..used);
            }
        }
        if !input.is_empty() {
            let Decoded::Message { payload, .. } = codec.finish(&input) else { panic!() };
            messages.push(input[payload].to_vec());
        }
        messages
    }

    #[test]
    fn a_read_is_a_message() {
        assert_eq!(messages(&[b"one", b"two\n"]), [b"one".to_vec(), b"two\n".to_vec()]);
        assert_eq!(
            messages(&["第".as_bytes(), b"\xe7\xac"]),
            ["第".as_bytes().to_vec(), b"\xe7\xac".to_vec()]
        );
    }

    #[test]
    fn a_long_read_is_cut_at_1024_and_never_inside_a_character() {
        for length in [1023, 1024, 1025, 2048, 3000, 16_384] {
            let lengths: Vec<_> = messages(&[&vec![b'a'; length]]).iter().map(Vec::len).collect();
            assert_eq!(lengths.iter().sum::<usize>(), length);
            assert!(lengths.iter().rev().skip(1).all(|&l| l == 1024), "{lengths:?}");
        }
        let text = "條".repeat(6000);
        for first in [1, 1023, 1024, 1025, 4000, 16_384] {
            let all = messages(&[&text.as_bytes()[..first], &text.as_bytes()[first..]]);
            assert_eq!(all.concat(), text.as_bytes());
            assert!(all.iter().all(|message| message.len() <= 1024));
            if first >= 1024 {
                assert!(all.iter().all(|message| std::str::from_utf8(message).is_ok()), "{first}");
            }
        }
    }

    #[test]
    fn the_end_of_input_gives_out_a_begun_character() {
        let mut read = vec![b'a'; 1023];
        read.push(0xe7);
        assert_eq!(messages(&[&read]), [vec![b'a'; 1023], vec![0xe7]]);
    }

    #[test]
    fn bytes_that_are_no_text_are_cut_at_1024() {
        let all = messages(&[&[0x80; 3000]]);
        assert_eq!(all.iter().map(Vec::len).collect::<Vec<_>>(), [1024, 1024, 952]);
    }
}
