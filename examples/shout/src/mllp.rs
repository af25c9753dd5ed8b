//! `mllp`: the framing in which hospitals send each other HL7 messages.

use common::{Codec, Decoded, ErrorReply, Limits, Outbox};

/// A message stands between a vertical tab, and a file separator with a carriage return behind it: HL7's minimal
/// lower layer protocol.
pub struct Mllp {
    max: usize,
    /// How much of the unfinished message has no end in it, so that none of it is looked at twice.
    scanned: usize,
}

const START: u8 = 0x0b;
const END: [u8; 2] = [0x1c, b'\r'];

impl Codec for Mllp {
    fn new(limits: &Limits) -> Self {
        Self { max: limits.max_message, scanned: 0 }
    }

    fn decode(&mut self, input: &[u8]) -> Decoded {
        match input.first() {
            None => return Decoded::More,
            Some(&START) => {}
            Some(_) => return Decoded::Broken(ErrorReply::Malformed("no start of a message")),
        }
        let from = self.scanned.max(1);
        let end = input[from..].windows(END.len()).position(|two| two == END).map(|at| from + at);
        // The last byte may yet turn out to be the first of the end.
        let begun = if input.last() == Some(&END[0]) { input.len() - 1 } else { input.len() };
        let payload = 1..end.unwrap_or(begun);
        if payload.len() > self.max {
            return Decoded::Broken(ErrorReply::TooLong { max: self.max });
        }
        self.scanned = if end.is_some() { 0 } else { begun };
        match end {
            Some(end) => Decoded::Message { payload, used: end + END.len() },
            None => Decoded::More,
        }
    }

    fn begin(&self, out: &mut Outbox) {
        out.push(&[START]);
    }

    fn end(&self, _start: usize, out: &mut Outbox) {
        out.push(&END);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mllp(max: usize) -> Mllp {
        Mllp::new(&Limits { max_message: max, ..Limits::default() })
    }

    #[test]
    fn a_message_is_found_however_it_comes() {
        let bytes = b"\x0bMSH|^~\\&|\r\x1cA\x1c\r\x0b";
        let whole = Decoded::Message { payload: 1..bytes.len() - 3, used: bytes.len() - 1 };
        let mut codec = mllp(99);
        for count in 0..bytes.len() - 1 {
            assert_eq!(codec.decode(&bytes[..count]), Decoded::More, "{count}");
            assert!(codec.scanned <= count);
        }
        assert_eq!(codec.decode(bytes), whole);
        assert_eq!(codec.scanned, 0);
        assert_eq!(mllp(99).decode(b"\x0b\x1c\r"), Decoded::Message { payload: 1..1, used: 3 });
    }

    #[test]
    fn the_limit_counts_the_payload_alone() {
        for (input, passes) in [
            (&b"\x0b123"[..], true),
            (b"\x0b123\x1c", true),
            (b"\x0b123\x1c\r", true),
            (b"\x0b1234", false),
            (b"\x0b1234\x1c\r", false),
            (b"\x0b123\x1c4", false),
        ] {
            let too_long = Decoded::Broken(ErrorReply::TooLong { max: 3 });
            assert_eq!(mllp(3).decode(input) != too_long, passes, "{input:?}");
        }
    }

    #[test]
    fn what_does_not_begin_is_no_message() {
        assert!(matches!(mllp(9).decode(b"hello"), Decoded::Broken(ErrorReply::Malformed(_))));
    }
}
