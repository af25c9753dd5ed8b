//! The replies to expect.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

/// The replies to expect.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Expect {
    /// The message itself.
    Echo,
    /// A greeting, and then the replies of the handler `counter` in Chinese.
    Counter,
    /// A greeting, and then the replies of the handler `counter` in English.
    CounterEnglish,
    /// A greeting, and then the replies of the handler `ack`.
    Ack,
    /// `ok` for each message, and no greeting: the replies of the handler `fanout`.
    Ok,
    /// Any reply for each message, and no greeting. Replies are counted, not verified.
    Any,
    /// Any greeting, and then any reply for each message. Replies are counted, not verified.
    Greeted,
    /// Replies that a function accepts.
    By(ReplyHook),
}

/// The content of a reply, for verification.
pub(crate) enum Reply<'a> {
    /// It echoes this message.
    Says(&'a [u8]),
    /// It is right for any message.
    Right,
    /// It is right if this function accepts it.
    Judged(&'a ReplyHook),
    /// It is not an expected reply.
    Wrong,
}

impl Expect {
    /// Whether a greeting comes before any reply.
    pub fn greets(&self) -> bool {
        match self {
            Self::Echo | Self::Ok | Self::Any => false,
            Self::Counter | Self::CounterEnglish | Self::Ack | Self::Greeted => true,
            Self::By(hook) => hook.greeted,
        }
    }

    /// Whether replies are verified. If not, they are only counted.
    pub fn verifies(&self) -> bool {
        !matches!(self, Self::Any | Self::Greeted)
    }

    /// Whether the first line is the expected greeting.
    pub(crate) fn is_greeting(&self, said: &[u8]) -> bool {
        match self {
            Self::Greeted | Self::By(_) => self.greets(),
            _ => self.greeting() == Some(said),
        }
    }

    /// The text of the greeting, if it is fixed.
    pub(crate) fn greeting(&self) -> Option<&'static [u8]> {
        match self {
            Self::Echo | Self::Ok | Self::Any | Self::Greeted | Self::By(_) => None,
            Self::Counter => Some("連接成功!".as_bytes()),
            Self::CounterEnglish => Some(b"Connected!"),
            Self::Ack => Some(b"Hello World!"),
        }
    }

    /// Whether a reply identifies its message.
    pub(crate) fn tells_message(&self) -> bool {
        matches!(self, Self::Echo | Self::Counter | Self::CounterEnglish)
    }

    /// Whether a message determines its reply.
    #[inline]
    pub(crate) fn has_answers(&self) -> bool {
        !matches!(self, Self::Ack | Self::Any | Self::Greeted | Self::By(_))
    }

    /// Adds the reply to a message, which is given in two parts, and returns true if the message determines it.
    /// `before` is the number of earlier messages on its connection.
    #[inline]
    pub(crate) fn answer(&self, message: [&[u8]; 2], before: u64, out: &mut Vec<u8>) -> bool {
        match self {
            Self::Echo => {}
            Self::Counter => out.extend_from_slice(format!("第{}條信息:", before + 1).as_bytes()),
            Self::CounterEnglish => out.extend_from_slice(format!("Message {}: ", before + 1).as_bytes()),
            Self::Ok => {
                out.extend_from_slice(b"ok");
                return true;
            }
            Self::Ack | Self::Any | Self::Greeted | Self::By(_) => return false,
        }
        message.iter().for_each(|part| out.extend_from_slice(part));
        true
    }

    /// Parses a reply; `answered` is the number of earlier replies on its connection.
    #[inline(always)] // called for each reply, and returns more than registers hold
    pub(crate) fn read<'a>(&'a self, line: &'a [u8], answered: u64) -> Reply<'a> {
        match self {
            Self::Echo => Reply::Says(line),
            Self::Any | Self::Greeted => Reply::Right,
            Self::By(hook) => Reply::Judged(hook),
            Self::Counter => numbered(line, "第".as_bytes(), "條信息:".as_bytes(), answered),
            Self::CounterEnglish => numbered(line, b"Message ", b": ", answered),
            Self::Ack if is_acknowledgement(line) => Reply::Right,
            Self::Ok if line == b"ok" => Reply::Right,
            Self::Ack | Self::Ok => Reply::Wrong,
        }
    }

    /// The message that a reply contains, whatever its number.
    pub(crate) fn message_of<'a>(&self, line: &'a [u8]) -> &'a [u8] {
        let behind =
            |separator: &[u8]| memchr::memmem::find(line, separator).map(|at| &line[at + separator.len()..]);
        match self {
            Self::Counter => behind("條信息:".as_bytes()),
            Self::CounterEnglish => behind(b": "),
            Self::Echo | Self::Ack | Self::Ok | Self::Any | Self::Greeted | Self::By(_) => None,
        }
        .unwrap_or(line)
    }
}

/// A reply of the handler `counter`, which counts from 1.
fn numbered<'a>(line: &'a [u8], before: &[u8], behind: &[u8], answered: u64) -> Reply<'a> {
    let Some(rest) = line.strip_prefix(before) else { return Reply::Wrong };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, rest) = rest.split_at(digits);
    let number = number.iter().fold(0_u64, |number, digit| number.wrapping_mul(10) + u64::from(digit - b'0'));
    match rest.strip_prefix(behind) {
        Some(message) if number == answered + 1 => Reply::Says(message),
        _ => Reply::Wrong,
    }
}

/// Whether a line is a number from 1 to 1000 and `:ACK!`.
fn is_acknowledgement(line: &[u8]) -> bool {
    let number = line.strip_suffix(b":ACK!").and_then(|number| std::str::from_utf8(number).ok());
    number.and_then(|number| number.parse().ok()).is_some_and(|number: u16| (1..=1000).contains(&number))
}

/// Decides whether a reply answers a message.
type JudgeReply = dyn Fn(&[u8], &[u8]) -> bool + Send + Sync;

/// A function that verifies replies.
#[derive(Clone)]
pub struct ReplyHook {
    judge: Arc<JudgeReply>,
    pub(crate) greeted: bool,
}

impl ReplyHook {
    /// Verifies replies with `judge`, whose arguments are the payload of the message and that of the reply; in the
    /// framings `resp` and `http` these are the whole request and the whole reply in wire format. There is no greeting
    /// before the first reply. An error reply is counted as refused, without calling `judge`.
    pub fn new(judge: impl Fn(&[u8], &[u8]) -> bool + Send + Sync + 'static) -> Self {
        Self { judge: Arc::new(judge), greeted: false }
    }

    /// Expects any greeting before the first reply.
    #[must_use]
    pub fn greeted(self) -> Self {
        Self { greeted: true, ..self }
    }

    /// Whether this reply answers this message.
    pub fn is_right(&self, message: &[u8], reply: &[u8]) -> bool {
        call("expecting", || (self.judge)(message, reply))
    }
}

impl PartialEq for ReplyHook {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.judge, &other.judge) && self.greeted == other.greeted
    }
}

impl fmt::Debug for ReplyHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplyHook").field("greeted", &self.greeted).finish_non_exhaustive()
    }
}

/// The panic payload of a hook: its name and its message.
struct HookPanic(String);

/// Calls a user-supplied hook. If it panics, the panic is propagated, and [`reason`] returns the name of the hook.
#[inline]
pub(crate) fn call<T>(name: &str, hook: impl FnOnce() -> T) -> T {
    // The panic is propagated, so that no inconsistent state of the hook is used.
    catch_unwind(AssertUnwindSafe(hook)).unwrap_or_else(|panic| passed_on(name, &*panic))
}

#[cold]
fn passed_on(name: &str, panic: &(dyn Any + Send)) -> ! {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let said = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it does not say why");
    resume_unwind(Box::new(HookPanic(format!("the hook `{name}` panicked: {said}"))))
}

/// The message of a thread's panic, if a hook caused it.
pub(crate) fn reason(panic: &(dyn Any + Send)) -> Option<&str> {
    panic.downcast_ref::<HookPanic>().map(|HookPanic(text)| text.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_greeting_is_distinguished_from_a_reply() {
        for (expect, greets, first, is_greeting) in [
            (Expect::Echo, false, "abc", false),
            (Expect::Any, false, "abc", false),
            (Expect::Ok, false, "ok", false),
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
    fn the_reply_that_a_message_determines_is_the_one_that_is_right() {
        for expect in [Expect::Echo, Expect::Counter, Expect::CounterEnglish, Expect::Ok] {
            let mut reply = Vec::new();
            assert!(expect.has_answers() && expect.answer([b"ab", b"c"], 2, &mut reply));
            assert!(match expect.read(&reply, 2) {
                Reply::Says(message) => message == b"abc",
                other => matches!(other, Reply::Right),
            });
        }
        let hook = ReplyHook::new(|_, _| true);
        for expect in [Expect::Ack, Expect::Any, Expect::Greeted, Expect::By(hook)] {
            assert!(!expect.has_answers() && !expect.answer([b"abc", b""], 2, &mut Vec::new()));
        }
    }

    #[test]
    fn expected_replies_are_distinguished_from_others() {
        let says = |expect: &Expect, line: &str| match expect.read(line.as_bytes(), 2) {
            Reply::Says(message) => String::from_utf8(message.to_vec()).ok(),
            Reply::Right => Some("right".to_owned()),
            Reply::Judged(_) | Reply::Wrong => None,
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
            (Expect::Ok, "ok", Some("right")),
            (Expect::Ok, "OK", None),
            (Expect::Ok, "ok ", None),
            (Expect::Any, "whatever", Some("right")),
            (Expect::Greeted, "whatever", Some("right")),
        ] {
            assert_eq!(says(&expect, line).as_deref(), said, "{expect:?} {line}");
        }
    }
}
