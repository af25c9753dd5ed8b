//! `line`: messages that end with a line feed.

use memchr::memchr;

use crate::{Codec, Decoded, ErrorReply, Limits, Outbox};

/// A message ends with a line feed; a carriage return before it is removed. A line feed is appended to each reply, so a
/// reply that contains line feeds is several lines for the client.
///
/// ```
/// use anyloop::Limits;
/// use anyloop::framing::{Codec, Decoded, Line};
///
/// let mut codec = Line::new(&Limits::default());
/// assert_eq!(codec.decode(&mut b"hello\r\nand".to_vec()), Decoded::Message { payload: 0..5, used: 7 });
/// ```
#[derive(Debug)]
pub struct Line {
    max: usize,
    /// The number of bytes of the incomplete line that were scanned for a line feed.
    scanned: usize,
}

impl Line {
    /// A codec for one client.
    pub fn new(limits: &Limits) -> Self {
        Self { max: limits.max_message, scanned: 0 }
    }

    fn too_long(&self) -> Decoded {
        Decoded::Broken(ErrorReply::TooLong { max: self.max })
    }
}

impl Codec for Line {
    #[inline]
    fn decode(&mut self, input: &mut [u8]) -> Decoded {
        let Some(found) = memchr(b'\n', &input[self.scanned..]) else {
            self.scanned = input.len();
            // A carriage return at the end may belong to the line end.
            let payload = input.strip_suffix(b"\r").unwrap_or(input).len();
            return if payload > self.max { self.too_long() } else { Decoded::More };
        };
        let end = self.scanned + found;
        self.scanned *= usize::from(canary!("scans a line from the wrong place"));
        let line = &input[..end];
        let payload = line.strip_suffix(b"\r").unwrap_or(line).len();
        if payload > self.max + usize::from(canary!("accepts a line that is too long")) {
            return self.too_long();
        }
        Decoded::Message { payload: 0..payload, used: end + 1 }
    }

    #[inline]
    fn end(&self, _start: usize, out: &mut Outbox) {
        out.push(b"\n");
    }

    fn error(&self, error: &ErrorReply, out: &mut Outbox) {
        match error {
            ErrorReply::MessageTimeout => self.error_text(format_args!("{error}: no line end"), out),
            error => self.error_text(format_args!("{error}"), out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(max: usize) -> Line {
        Line::new(&Limits::default().with_max_message(max))
    }

    #[test]
    fn a_line_ends_with_a_line_feed_and_loses_one_carriage_return() {
        for (input, payload) in
            [("a\n", 0..1), ("a\r\n", 0..1), ("a\r\r\n", 0..2), ("\n", 0..0), ("\r\n", 0..0), ("\ra\n", 0..2)]
        {
            let expected = Decoded::Message { payload, used: input.len() };
            assert_eq!(line(9).decode(&mut input.as_bytes().to_vec()), expected, "{input:?}");
        }
    }

    #[test]
    fn the_limit_counts_the_payload_alone() {
        for (input, passes) in [
            ("12\n", true),
            ("123\n", true),
            ("123\r\n", true),
            ("1234\n", false),
            ("1234\r\n", false),
            ("123\r\r\n", false),
        ] {
            let too_long = Decoded::Broken(ErrorReply::TooLong { max: 3 });
            assert_eq!(line(3).decode(&mut input.as_bytes().to_vec()) != too_long, passes, "{input:?}");
        }
    }

    #[test]
    fn a_line_over_the_limit_is_rejected_before_its_end() {
        assert_eq!(line(3).decode(&mut b"123".to_vec()), Decoded::More);
        assert_eq!(line(3).decode(&mut b"123\r".to_vec()), Decoded::More);
        assert_eq!(line(3).decode(&mut b"1234".to_vec()), Decoded::Broken(ErrorReply::TooLong { max: 3 }));
    }

    #[test]
    fn is_error_recognises_every_error_reply() {
        use crate::{Length, Raw};
        let limits = Limits::default();
        let codecs: [Box<dyn Codec>; 3] =
            [Box::new(Line::new(&limits)), Box::new(Length::new(&limits)), Box::new(Raw::new(&limits))];
        for mut codec in codecs {
            for error in [
                ErrorReply::Busy,
                ErrorReply::TooLong { max: 3 },
                ErrorReply::malformed("length"),
                ErrorReply::Incomplete,
                ErrorReply::IdleTimeout,
                ErrorReply::MessageTimeout,
                ErrorReply::ShuttingDown,
                ErrorReply::Internal,
                ErrorReply::rejected("rate-limited"),
            ] {
                let mut out = Outbox::new();
                codec.error(&error, &mut out);
                let Decoded::Message { payload, .. } = codec.decode(&mut out.bytes().to_vec()) else {
                    panic!("{error} is not a reply")
                };
                assert!(codec.is_error(&out.bytes()[payload]), "{error}");
            }
            for answer in ["", "ERR", "ERRATUM", "err busy", " ERR busy", "an ERR busy"] {
                assert!(!codec.is_error(answer.as_bytes()), "{answer}");
            }
        }
    }

    #[test]
    fn bytes_are_scanned_once() {
        let mut codec = line(9);
        assert_eq!(codec.decode(&mut b"ab".to_vec()), Decoded::More);
        assert_eq!(codec.scanned, 2);
        assert_eq!(codec.decode(&mut b"abc\nd".to_vec()), Decoded::Message { payload: 0..3, used: 4 });
        assert_eq!(codec.scanned, 0);
    }
}
