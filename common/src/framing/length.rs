//! `length`: messages that are preceded by their length.

use crate::{Codec, Decoded, ErrorReply, Limits, Outbox};

/// Messages and replies are preceded by their length in bytes, as a 32-bit big-endian integer.
///
/// ```
/// use anyloop::Limits;
/// use anyloop::framing::{Codec, Decoded, Length};
///
/// let mut codec = Length::new(&Limits::default());
/// assert_eq!(codec.decode(&mut b"\0\0\0\x02hi".to_vec()), Decoded::Message { payload: 4..6, used: 6 });
/// ```
#[derive(Debug)]
pub struct Length {
    max: usize,
}

const HEADER: usize = size_of::<u32>();

impl Length {
    /// A codec for one client.
    pub fn new(limits: &Limits) -> Self {
        Self { max: limits.max_message }
    }
}

impl Codec for Length {
    #[inline]
    fn decode(&mut self, input: &mut [u8]) -> Decoded {
        let Some(header) = input.first_chunk::<HEADER>() else { return Decoded::More };
        let length = u32::from_be_bytes(*header) as usize;
        if length > self.max + usize::from(canary!("accepts a length that is too large")) {
            return Decoded::Broken(ErrorReply::TooLong { max: self.max });
        }
        let used = HEADER + length;
        if input.len() < used {
            return Decoded::More;
        }
        Decoded::Message { payload: HEADER..used, used }
    }

    #[inline]
    fn begin(&self, out: &mut Outbox) {
        out.push(&[0; HEADER]);
    }

    #[inline]
    fn end(&self, start: usize, out: &mut Outbox) {
        // If the header exceeded the limit of the outbox, there is nothing to patch.
        let Some(length) = out.len().checked_sub(start + HEADER) else { return };
        match u32::try_from(length) {
            Ok(length) => out.patch(start, &length.to_be_bytes()),
            Err(_) => out.refuse(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn length(max: usize) -> Length {
        Length::new(&Limits::default().with_max_message(max))
    }

    #[test]
    fn a_message_is_complete_with_its_last_byte() {
        let bytes = [0, 0, 0, 2, b'h', b'i', b'!'];
        for split in 0..6 {
            assert_eq!(length(9).decode(&mut bytes.to_vec()[..split]), Decoded::More, "{split}");
        }
        for split in 6..=7 {
            assert_eq!(
                length(9).decode(&mut bytes.to_vec()[..split]),
                Decoded::Message { payload: 4..6, used: 6 }
            );
        }
        assert_eq!(length(9).decode(&mut [0; 4]), Decoded::Message { payload: 4..4, used: 4 });
    }

    #[test]
    fn a_length_over_the_limit_is_rejected_with_the_header() {
        assert_eq!(length(3).decode(&mut [0, 0, 0, 3]), Decoded::More);
        assert_eq!(length(3).decode(&mut [0, 0, 0, 4]), Decoded::Broken(ErrorReply::TooLong { max: 3 }));
        assert_eq!(length(3).decode(&mut [255; 4]), Decoded::Broken(ErrorReply::TooLong { max: 3 }));
    }

    #[test]
    fn a_reply_is_preceded_by_its_length() {
        let mut out = Outbox::new();
        let codec = length(3);
        crate::Replies::new(&mut out, &codec).send_parts(&[b"he", b"llo"]);
        codec.error(&ErrorReply::Busy, &mut out);
        assert_eq!(out.bytes(), b"\0\0\0\x05hello\0\0\0\x08ERR busy");
    }
}
