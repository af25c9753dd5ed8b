//! What is sent, and what should come back: every message tells its connection and its number.

use crate::plan::Expect;

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

/// What a reply says beside the message that it answers.
pub(super) enum Reply<'a> {
    /// It says this message back.
    Says(&'a [u8]),
    /// It is right whatever the message was.
    Right,
    /// It is none.
    Wrong,
}

impl Expect {
    /// Whether a greeting comes before any reply.
    pub fn greets(self) -> bool {
        !matches!(self, Self::Echo | Self::Any)
    }

    /// Whether the first thing that is said is a greeting as it should be.
    pub(super) fn is_greeting(self, said: &[u8]) -> bool {
        self == Self::Greeted || self.greeting() == Some(said)
    }

    /// What the greeting says, if that is known.
    pub(super) fn greeting(self) -> Option<&'static [u8]> {
        match self {
            Self::Echo | Self::Any | Self::Greeted => None,
            Self::Counter => Some("連接成功!".as_bytes()),
            Self::CounterEnglish => Some(b"Connected!"),
            Self::Ack => Some(b"Hello World!"),
        }
    }

    /// Whether a reply tells which message it answers.
    pub(super) fn tells_message(self) -> bool {
        matches!(self, Self::Echo | Self::Counter | Self::CounterEnglish)
    }

    /// Takes the reply to the message of this sequence apart.
    #[inline]
    pub(super) fn read(self, line: &[u8], sequence: u32) -> Reply<'_> {
        match self {
            Self::Echo => Reply::Says(line),
            Self::Any | Self::Greeted => Reply::Right,
            Self::Counter => numbered(line, "第".as_bytes(), "條信息:".as_bytes(), sequence),
            Self::CounterEnglish => numbered(line, b"Message ", b": ", sequence),
            Self::Ack if is_acknowledgement(line) => Reply::Right,
            Self::Ack => Reply::Wrong,
        }
    }

    /// The message that a reply says it answers, whatever its number.
    pub(super) fn message_of(self, line: &[u8]) -> &[u8] {
        let behind =
            |separator: &[u8]| memchr::memmem::find(line, separator).map(|at| &line[at + separator.len()..]);
        match self {
            Self::Counter => behind("條信息:".as_bytes()),
            Self::CounterEnglish => behind(b": "),
            Self::Echo | Self::Ack | Self::Any | Self::Greeted => None,
        }
        .unwrap_or(line)
    }
}

/// A reply of the handler `counter`, which begins at 1.
fn numbered<'a>(line: &'a [u8], before: &[u8], behind: &[u8], sequence: u32) -> Reply<'a> {
    let Some(rest) = line.strip_prefix(before) else { return Reply::Wrong };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, rest) = rest.split_at(digits);
    let number = number.iter().fold(0_u64, |number, digit| number.wrapping_mul(10) + u64::from(digit - b'0'));
    match rest.strip_prefix(behind) {
        Some(message) if number == u64::from(sequence) + 1 => Reply::Says(message),
        _ => Reply::Wrong,
    }
}

/// Whether a line is a number from 1 to 1000 and `:ACK!`.
fn is_acknowledgement(line: &[u8]) -> bool {
    let number = line.strip_suffix(b":ACK!").and_then(|number| std::str::from_utf8(number).ok());
    number.and_then(|number| number.parse().ok()).is_some_and(|number: u16| (1..=1000).contains(&number))
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

    #[test]
    fn a_greeting_is_told_from_a_reply() {
        for (expect, greets, first, is_greeting) in [
            (Expect::Echo, false, "abc", false),
            (Expect::Any, false, "abc", false),
            (Expect::Greeted, true, "abc", true),
            (Expect::Ack, true, "Hello World!", true),
            (Expect::Ack, true, "Hello", false),
        ] {
            assert_eq!(
                (expect.greets(), expect.is_greeting(first.as_bytes())),
                (greets, is_greeting),
                "{expect:?}"
            );
        }
    }

    #[test]
    fn replies_are_told_from_others() {
        let says = |expect: Expect, line: &str| match expect.read(line.as_bytes(), 2) {
            Reply::Says(message) => String::from_utf8(message.to_vec()).ok(),
            Reply::Right => Some("right".to_owned()),
            Reply::Wrong => None,
        };
        for (expect, line, said) in [
            (Expect::Echo, "abc", Some("abc")),
            (Expect::Counter, "第3條信息:abc", Some("abc")),
            (Expect::Counter, "第4條信息:abc", None),
            (Expect::Counter, "第條信息:abc", None),
            (Expect::CounterEnglish, "Message 3: abc", Some("abc")),
            (Expect::CounterEnglish, "Message 3 abc", None),
            (Expect::Ack, "1000:ACK!", Some("right")),
            (Expect::Ack, "1001:ACK!", None),
            (Expect::Ack, "0:ACK!", None),
            (Expect::Ack, ":ACK!", None),
            (Expect::Any, "whatever", Some("right")),
            (Expect::Greeted, "whatever", Some("right")),
        ] {
            assert_eq!(says(expect, line).as_deref(), said, "{expect:?} {line}");
        }
    }
}
