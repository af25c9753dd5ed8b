//! What the replies should be.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

/// What the replies should be.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Expect {
    /// The message itself.
    Echo,
    /// A greeting, and then what the handler `counter` says, in Chinese.
    Counter,
    /// A greeting, and then what the handler `counter` says, in English.
    CounterEnglish,
    /// A greeting, and then what the handler `ack` says.
    Ack,
    /// Any reply for each message, and no greeting. Replies are counted, not verified.
    Any,
    /// Any greeting, and then any reply for each message. Replies are counted, not verified.
    Greeted,
    /// A reply that a function finds right.
    By(ReplyHook),
}

/// What a reply says beside the message that it answers.
pub(crate) enum Reply<'a> {
    /// It says this message back.
    Says(&'a [u8]),
    /// It is right whatever the message was.
    Right,
    /// It is right if this function says so.
    Judged(&'a ReplyHook),
    /// It is none.
    Wrong,
}

impl Expect {
    /// Whether a greeting comes before any reply.
    pub fn greets(&self) -> bool {
        match self {
            Self::Echo | Self::Any => false,
            Self::Counter | Self::CounterEnglish | Self::Ack | Self::Greeted => true,
            Self::By(hook) => hook.greeted,
        }
    }

    /// Whether it is known what a reply should be. If not, replies are counted, and not verified.
    pub fn verifies(&self) -> bool {
        !matches!(self, Self::Any | Self::Greeted)
    }

    /// Whether the first thing that is said is a greeting as it should be.
    pub(crate) fn is_greeting(&self, said: &[u8]) -> bool {
        match self {
            Self::Greeted | Self::By(_) => self.greets(),
            _ => self.greeting() == Some(said),
        }
    }

    /// What the greeting says, if that is known.
    pub(crate) fn greeting(&self) -> Option<&'static [u8]> {
        match self {
            Self::Echo | Self::Any | Self::Greeted | Self::By(_) => None,
            Self::Counter => Some("連接成功!".as_bytes()),
            Self::CounterEnglish => Some(b"Connected!"),
            Self::Ack => Some(b"Hello World!"),
        }
    }

    /// Whether a reply tells which message it answers.
    pub(crate) fn tells_message(&self) -> bool {
        matches!(self, Self::Echo | Self::Counter | Self::CounterEnglish)
    }

    /// Takes a reply apart, before which so many messages were answered on its connection.
    #[inline(always)] // called for each reply, and returns more than registers hold
    pub(crate) fn read<'a>(&'a self, line: &'a [u8], answered: u64) -> Reply<'a> {
        match self {
            Self::Echo => Reply::Says(line),
            Self::Any | Self::Greeted => Reply::Right,
            Self::By(hook) => Reply::Judged(hook),
            Self::Counter => numbered(line, "第".as_bytes(), "條信息:".as_bytes(), answered),
            Self::CounterEnglish => numbered(line, b"Message ", b": ", answered),
            Self::Ack if is_acknowledgement(line) => Reply::Right,
            Self::Ack => Reply::Wrong,
        }
    }

    /// The message that a reply says it answers, whatever its number.
    pub(crate) fn message_of<'a>(&self, line: &'a [u8]) -> &'a [u8] {
        let behind =
            |separator: &[u8]| memchr::memmem::find(line, separator).map(|at| &line[at + separator.len()..]);
        match self {
            Self::Counter => behind("條信息:".as_bytes()),
            Self::CounterEnglish => behind(b": "),
            Self::Echo | Self::Ack | Self::Any | Self::Greeted | Self::By(_) => None,
        }
        .unwrap_or(line)
    }
}

/// A reply of the handler `counter`, which begins at 1.
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

/// Tells whether a reply answers a message.
type JudgeReply = dyn Fn(&[u8], &[u8]) -> bool + Send + Sync;

/// A function that judges replies.
#[derive(Clone)]
pub struct ReplyHook {
    judge: Arc<JudgeReply>,
    pub(crate) greeted: bool,
}

impl ReplyHook {
    /// Replies are right if `judge` says so. It is given the payload of the message and that of the reply; in the
    /// framings `resp` and `http` these are the whole request and the whole reply as they were sent. No greeting
    /// comes before the first reply. A reply that is an error is counted as refused, and not judged.
    pub fn new(judge: impl Fn(&[u8], &[u8]) -> bool + Send + Sync + 'static) -> Self {
        Self { judge: Arc::new(judge), greeted: false }
    }

    /// The same behind a greeting, which may be anything.
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

/// What a panic of a hook is passed on as: which hook it was, and what it said.
struct HookPanic(String);

/// Calls a hook, which is somebody else's, and may panic. If it does, the panic goes on, and [`reason`] tells which hook it was.
#[inline]
pub(crate) fn call<T>(name: &str, hook: impl FnOnce() -> T) -> T {
    // The panic goes on, so that nobody looks at what the hook left half done.
    catch_unwind(AssertUnwindSafe(hook)).unwrap_or_else(|panic| passed_on(name, &*panic))
}

#[cold]
fn passed_on(name: &str, panic: &(dyn Any + Send)) -> ! {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let said = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it does not say why");
    resume_unwind(Box::new(HookPanic(format!("the hook `{name}` panicked: {said}"))))
}

/// Why a thread has panicked, if a hook was the reason.
pub(crate) fn reason(panic: &(dyn Any + Send)) -> Option<&str> {
    panic.downcast_ref::<HookPanic>().map(|HookPanic(text)| text.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

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
            (Expect::Any, "whatever", Some("right")),
            (Expect::Greeted, "whatever", Some("right")),
        ] {
            assert_eq!(says(&expect, line).as_deref(), said, "{expect:?} {line}");
        }
    }
}
