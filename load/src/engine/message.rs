//! What is sent, and what should come back: every message tells its connection and its number.

/// The texts of the messages. A message's payload is the number of the message within its connection and the
/// number of the connection, each as eight hexadecimal digits with the lowest first, so that a short message
/// keeps the digits that change; then letters, up to its size.
#[derive(Debug)]
pub(super) struct Text {
    letters: Vec<u8>,
}

/// The payload's bytes that tell message and connection.
pub(super) const IDENTITY: usize = 16;

impl Text {
    /// For payloads of at most `longest` bytes.
    pub(super) fn new(longest: usize) -> Self {
        Self { letters: (b'a'..=b'z').cycle().take(longest).collect() }
    }

    /// The two parts of a message: who it is, of which a payload has as much as it has room for, and letters.
    #[inline]
    pub(super) fn parts(&self, connection: u32, sequence: u32, payload: usize) -> ([u8; IDENTITY], &[u8]) {
        (identity(connection, sequence), &self.letters[..payload.saturating_sub(IDENTITY)])
    }

    /// A message's payload, of this length.
    pub(super) fn payload(&self, connection: u32, sequence: u32, payload: usize) -> Vec<u8> {
        let (identity, letters) = self.parts(connection, sequence, payload);
        [&identity[..payload.min(IDENTITY)], letters].concat()
    }

    /// Whether a reply is this message.
    #[inline]
    pub(super) fn is(&self, reply: &[u8], connection: u32, sequence: u32, payload: usize) -> bool {
        let identity = identity(connection, sequence);
        reply.len() == payload
            && reply[..payload.min(IDENTITY)] == identity[..payload.min(IDENTITY)]
            && (payload <= IDENTITY || reply[IDENTITY..] == self.letters[..payload - IDENTITY])
    }
}

/// Which message, of which connection, a line says it is: sequence and connection. Too short a one can't say.
pub(super) fn parse(line: &[u8]) -> Option<(u32, u32)> {
    let number = |digits: &[u8]| {
        digits.iter().rev().try_fold(0, |number, &digit| Some(number << 4 | char::from(digit).to_digit(16)?))
    };
    let (sequence, rest) = line.split_at_checked(8)?;
    Some((number(sequence)?, number(rest.get(..8)?)?))
}

#[inline]
fn identity(connection: u32, sequence: u32) -> [u8; IDENTITY] {
    let mut identity = [0; IDENTITY];
    identity[..8].copy_from_slice(&digits(sequence));
    identity[8..].copy_from_slice(&digits(connection));
    identity
}

/// The hexadecimal digits of a number, the lowest first. All eight at once, since every message is written and
/// read with them: each half byte is moved into a byte of its own, and made a digit or a letter there.
#[inline]
fn digits(number: u32) -> [u8; 8] {
    let mut halves = u64::from(number);
    halves = (halves | halves << 16) & 0x0000_ffff_0000_ffff;
    halves = (halves | halves << 8) & 0x00ff_00ff_00ff_00ff;
    halves = (halves | halves << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    let letters = (halves + 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101;
    let step = u64::from(b'a' - b'9' - 1);
    (halves + 0x3030_3030_3030_3030 + letters * step).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_itself_and_no_other() {
        let text = Text::new(100);
        for payload in [1, 2, 7, 8, 9, 16, 17, 31, 99] {
            let message = text.payload(7, 11, payload);
            assert_eq!(message.len(), payload);
            assert!(text.is(&message, 7, 11, payload));
            assert!(!text.is(&message, 7, 12, payload), "{payload}");
            assert!(!text.is(&message, 7, 11, payload + 1));
            assert_eq!(parse(&message), (payload >= IDENTITY).then_some((11, 7)), "{payload}");
        }
    }

    #[test]
    fn digits_are_hexadecimal() {
        for number in (0..100_000).step_by(7).chain([0x89ab_cdef, 0x0123_4567, u32::MAX]) {
            let expected: String = format!("{number:08x}").chars().rev().collect();
            assert_eq!(digits(number), expected.as_bytes());
        }
    }
}
