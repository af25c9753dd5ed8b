//! Functions that write messages and judge replies. They are somebody else's, and may panic.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

/// Writes the message of this number of this connection into a buffer that is empty.
type WriteMessage = dyn Fn(u32, u64, &mut Vec<u8>) + Send + Sync;

/// A function that writes messages.
#[derive(Clone)]
pub struct MessageHook(Arc<WriteMessage>);

impl MessageHook {
    /// Messages as `write` writes them. It is given the number of the connection, the number of the message within
    /// that connection, each from 0, and an empty buffer for the payload. In the framings `resp` and `http` the
    /// buffer takes the whole request as it is sent.
    pub fn new(write: impl Fn(u32, u64, &mut Vec<u8>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(write))
    }

    /// Writes a payload behind what the buffer holds.
    pub fn write(&self, connection: u32, number: u64, buffer: &mut Vec<u8>) {
        call("messages", || (self.0)(connection, number, buffer));
    }
}

impl PartialEq for MessageHook {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for MessageHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MessageHook")
    }
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

/// Calls a hook. If it panics, the panic goes on, and [`reason`] tells which hook it was.
#[inline]
fn call<T>(name: &str, hook: impl FnOnce() -> T) -> T {
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
