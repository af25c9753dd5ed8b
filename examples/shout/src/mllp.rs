//! `mllp`: the framing in which hospitals send each other HL7 messages.

use anyloop::framing::{Codec, Decoded};
use anyloop::protocol::Outbox;
use anyloop::{ErrorReply, Limits};

/// A message stands between a vertical tab, and a file separator with a carriage return behind it: HL7's minimal
/// lower layer protocol.
///
/// What stands between two messages is passed over, such as the line feed that many programs send behind the carriage
/// return. It may be as long as a message.
#[derive(Debug)]
pub struct Mllp {
    max: usize,
    /// How much of the message at hand was looked at, so that none of it is looked at twice.
    scanned: usize,
    /// How many bytes were passed over since the last message.
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
        // The last byte may yet turn out to be the first of the end.
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

    /// Passes over what stands outside of a message.
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
    fn a_message_is_found_however_it_comes() {
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

    /// What is said to these pieces, and how it went.
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
    fn what_stands_outside_is_passed_over_however_it_comes() {
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
    fn what_stands_outside_has_a_limit() {
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
    fn an_end_within_a_message_is_told_and_no_other() {
        for (input, incomplete) in
            [(&b"\x0bhi"[..], true), (b"\n\x0b", true), (b"\x0bhi\x1c", true), (b"\n", false), (b"hi", false)]
        {
            let (_, last) = say(99, &[input]);
            assert_eq!(last == Progress::Broken(ErrorReply::Incomplete), incomplete, "{input:?}: {last:?}");
        }
    }
}
