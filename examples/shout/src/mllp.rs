//! `mllp`: the framing of HL7 messages between hospital systems.

use anyloop::framing::{Codec, Decoded};
use anyloop::protocol::Outbox;
use anyloop::{ErrorReply, Limits};

/// HL7's minimal lower layer protocol: a message starts with a vertical tab, and ends with a file separator and a
/// carriage return.
///
/// Bytes between two messages are skipped, such as the line feed that many programs send after the carriage return.
/// They may be as long as a message.
#[derive(Debug)]
pub struct Mllp {
    max: usize,
    /// How many bytes of the current message were scanned, so that no byte is scanned twice.
    scanned: usize,
    /// How many bytes were skipped since the last message.
    outside: usize,
}

const START: u8 = 0x0b;
const END: [u8; 2] = [0x1c, b'\r'];

impl Codec for Mllp {
    fn decode(&mut self, input: &mut [u8]) -> Decoded {
        match input.iter().position(|&byte| byte == START) {
            Some(0) => {}
            None if input.is_empty() => return Decoded::More,
            start => return self.skip(start.unwrap_or(input.len())),
        }
        let from = self.scanned.max(1);
        let end = input[from..].windows(END.len()).position(|two| two == END).map(|at| from + at);
        // The last byte may be the first of the end marker.
        let begun = if input.last() == Some(&END[0]) { input.len() - 1 } else { input.len() };
        let payload = 1..end.unwrap_or(begun);
        if payload.len() > self.max {
            return Decoded::Broken(ErrorReply::TooLong { max: self.max });
        }
        let Some(end) = end else {
            self.scanned = begun;
            return Decoded::More;
        };
        (self.scanned, self.outside) = (0, 0);
        Decoded::Message { payload, used: end + END.len() }
    }

    fn begin(&self, out: &mut Outbox) {
        out.push(&[START]);
    }

    fn end(&self, _start: usize, out: &mut Outbox) {
        out.push(&END);
    }
}

impl Mllp {
    /// A codec for one client.
    pub fn new(limits: &Limits) -> Self {
        Self { max: limits.max_message, scanned: 0, outside: 0 }
    }

    /// Skips bytes outside of a message.
    fn skip(&mut self, used: usize) -> Decoded {
        self.outside += used;
        if self.outside > self.max {
            return Decoded::Broken(ErrorReply::malformed("too much outside of a message"));
        }
        Decoded::Skipped { used }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use anyloop::Flow;
    use anyloop::framing::FramedHandler;
    use anyloop::protocol::{Application, Progress};

    use super::*;
    use crate::Shout;

    fn mllp(max: usize) -> Mllp {
        Mllp::new(&Limits::default().with_max_message(max))
    }

    #[test]
    fn a_message_is_found_however_it_is_split() {
        let bytes = b"\x0bMSH|^~\\&|\r\x1cA\x1c\r\x0b";
        let whole = Decoded::Message { payload: 1..bytes.len() - 3, used: bytes.len() - 1 };
        let mut codec = mllp(99);
        for count in 0..bytes.len() - 1 {
            assert_eq!(codec.decode(&mut bytes[..count].to_vec()), Decoded::More, "{count}");
            assert!(codec.scanned <= count);
        }
        assert_eq!(codec.decode(&mut bytes.to_vec()), whole);
        assert_eq!(codec.scanned, 0);
        assert_eq!(mllp(99).decode(&mut b"\x0b\x1c\r".to_vec()), Decoded::Message { payload: 1..1, used: 3 });
    }

    #[test]
    fn the_limit_counts_the_payload_alone() {
        for (input, passes) in [
            (&b"\x0b12"[..], true),
            (b"\x0b12\x1c\r", true),
            (b"\x0b123", true),
            (b"\x0b123\x1c", true),
            (b"\x0b123\x1c\r", true),
            (b"\x0b1234", false),
            (b"\x0b1234\x1c\r", false),
            (b"\x0b123\x1c4", false),
        ] {
            let too_long = Decoded::Broken(ErrorReply::TooLong { max: 3 });
            assert_eq!(mllp(3).decode(&mut input.to_vec()) != too_long, passes, "{input:?}");
        }
    }

    /// The replies to these pieces, and the progress.
    fn say(max: usize, pieces: &[&[u8]]) -> (String, Progress) {
        let limits = Limits::default().with_max_message(max);
        let (mut out, mut input) = (Outbox::new(), Vec::new());
        let application = FramedHandler::new(Arc::new(Shout), Mllp::new);
        let mut client = application.open(anyloop::Client::new(anyloop::Address::Unknown), &limits, &mut out);
        let greeting = out.len();
        let mut last = Progress::More { used: 0, begun: false };
        for piece in pieces {
            input.extend_from_slice(piece);
            loop {
                last = client.receive(&mut input, &mut out);
                assert!(!matches!(last, Progress::More { used, begun } if begun != (used < input.len())));
                match last {
                    Progress::Message { used, flow: Flow::Continue } => drop(input.drain(..used)),
                    Progress::Message { .. } | Progress::Broken(_) => {
                        return (String::from_utf8_lossy(&out.bytes()[greeting..]).into_owned(), last);
                    }
                    Progress::More { used, .. } => {
                        input.drain(..used);
                        break;
                    }
                }
            }
        }
        if !input.is_empty() {
            last = client.finish(&mut input, &mut out);
        }
        (String::from_utf8_lossy(&out.bytes()[greeting..]).into_owned(), last)
    }

    #[test]
    fn bytes_between_messages_are_skipped() {
        let all = b"\r\n\x0bhi\x1c\r\n\r\x1c\r\x0bho\x1c\r\n";
        for split in 0..=all.len() {
            for pieces in [vec![&all[..split], &all[split..]], all.chunks(1).collect()] {
                let (said, last) = say(99, &pieces);
                assert_eq!(said, "\x0bHI\x1c\r\x0bHO\x1c\r", "{split}");
                assert!(matches!(last, Progress::More { .. }), "{split}: {last:?}");
            }
        }
    }

    #[test]
    fn bytes_between_messages_have_a_limit() {
        let broken = Progress::Broken(ErrorReply::malformed("too much outside of a message"));
        for (count, passes) in [(2, true), (3, true), (4, false)] {
            let outside = b"\n".repeat(count);
            let message = &b"\x0bhi\x1c\r"[..];
            for all in [
                [&outside, message].concat(),
                [message, &outside].concat(),
                [message, &outside, message].concat(),
                [message, b"\n", message, &outside, message].concat(),
            ] {
                for split in 0..=all.len() {
                    for pieces in [vec![&all[..split], &all[split..]], all.chunks(1).collect()] {
                        let (_, last) = say(3, &pieces);
                        assert_eq!(last == broken, !passes, "{count} in {all:?} at {split}: {last:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn only_an_end_within_a_message_is_reported() {
        for (input, incomplete) in
            [(&b"\x0bhi"[..], true), (b"\n\x0b", true), (b"\x0bhi\x1c", true), (b"\n", false), (b"hi", false)]
        {
            let (_, last) = say(99, &[input]);
            assert_eq!(last == Progress::Broken(ErrorReply::Incomplete), incomplete, "{input:?}: {last:?}");
        }
    }
}
