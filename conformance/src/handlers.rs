//! The handler of most cases, which is controlled by messages.

use std::hint::black_box;
use std::panic::resume_unwind;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use common::{Blocking, Client, CloseReason, Flow, Framing, Handler, Limits, Replies, Service, Session};
use rustix::event::{Timespec, poll};

use crate::gate::{Gate, GateHandle};
use crate::log::SessionLog;

/// Greets with `hello`, and executes the messages:
///
/// | message | what it does |
/// | --- | --- |
/// | `exit` | ends the conversation |
/// | `panic` | panics |
/// | `no-reply` | sends no reply |
/// | `triple` | answers three times |
/// | `wait` | answers when the gate is open |
/// | `wait-no-reply` | waits until the gate is open, and sends no reply |
/// | `stack` | answers after using [`STACK`] bytes of stack |
/// | `sleep` | sleeps in a system call for [`SLEEP`], and answers whether a signal has interrupted it |
/// | `big N` | answers with [`pattern`] of N bytes |
/// | `last N` | the same, and ends the conversation |
/// | not UTF-8 | is rejected with `not-utf8`, and not counted |
/// | anything else | answers with its number, a colon, and the message |
#[derive(Clone, Default)]
pub(crate) struct Scripted {
    gate: Arc<GateHandle>,
    log: Arc<SessionLog>,
    may_block: bool,
    at_open: Action,
    at_close: Action,
    at_drop: Action,
}

/// What a session does when it is opened, closed or dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Action {
    #[default]
    Nothing,
    Panic,
    Wait,
    /// Waits, and sends no greeting.
    WaitWithoutGreeting,
    /// Waits, except in the first session.
    WaitUnlessFirst,
}

impl Scripted {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Waits at this gate, and declares that it may block.
    pub(crate) fn blocking_at(self, gate: &Gate) -> Self {
        Self { gate: gate.handle(), may_block: true, ..self }
    }

    /// Waits at this gate, without declaring that it may block.
    pub(crate) fn blocking_undeclared_at(self, gate: &Gate) -> Self {
        Self { gate: gate.handle(), ..self }
    }

    /// Declares that it may block.
    pub(crate) fn may_block(self) -> Self {
        Self { may_block: true, ..self }
    }

    /// Does this when a session is opened.
    pub(crate) fn at_open(self, at_open: Action) -> Self {
        Self { at_open, ..self }
    }

    /// Does this when a session is closed.
    pub(crate) fn at_close(self, at_close: Action) -> Self {
        Self { at_close, ..self }
    }

    /// Does this when a session is dropped.
    pub(crate) fn at_drop(self, at_drop: Action) -> Self {
        Self { at_drop, ..self }
    }

    /// The events of its sessions.
    pub(crate) fn log(&self) -> Arc<SessionLog> {
        Arc::clone(&self.log)
    }

    fn run(&self, action: Action, first: bool) {
        match action {
            Action::Nothing => {}
            Action::WaitUnlessFirst if first => {}
            Action::Panic => panic_quietly(),
            Action::Wait | Action::WaitWithoutGreeting | Action::WaitUnlessFirst => self.gate.pass(),
        }
    }
}

impl Handler for Scripted {
    fn open(&self, _client: &Client, out: &mut Replies<'_>) -> Box<dyn Session> {
        let mut first = false;
        self.log.record(|sessions| {
            first = sessions.max_open == 0;
            sessions.open += 1;
            sessions.max_open = sessions.max_open.max(sessions.open);
        });
        self.run(self.at_open, first);
        if self.at_open != Action::WaitWithoutGreeting {
            out.send(b"hello");
        }
        Box::new(ScriptedSession { script: self.clone(), number: 0 })
    }

    fn blocking(&self) -> Blocking {
        if self.may_block { Blocking::MayBlock } else { Blocking::Never }
    }
}

struct ScriptedSession {
    script: Scripted,
    number: u64,
}

impl Session for ScriptedSession {
    fn message(&mut self, message: &[u8], out: &mut Replies<'_>) -> Flow {
        let Ok(text) = std::str::from_utf8(message) else {
            out.reject("not-utf8");
            return Flow::Continue;
        };
        self.number += 1;
        let flow = match text.split_once(' ').unwrap_or((text, "")) {
            ("exit", "") => Flow::Close,
            ("panic", "") => panic_quietly(),
            ("no-reply", "") => Flow::Continue,
            ("triple", "") => {
                (0..3).for_each(|_| out.write(format_args!("{}:{text}", self.number)));
                Flow::Continue
            }
            ("big", length) => {
                out.send(pattern(length.parse().unwrap_or(0)));
                Flow::Continue
            }
            ("last", length) => {
                out.send(pattern(length.parse().unwrap_or(0)));
                Flow::Close
            }
            ("wait-no-reply", "") => {
                self.script.gate.pass();
                Flow::Continue
            }
            ("stack", "") => {
                out.write(format_args!("{}:{}", self.number, use_stack(STACK)));
                Flow::Continue
            }
            ("sleep", "") => {
                out.write(format_args!("{}:{}", self.number, sleep()));
                Flow::Continue
            }
            (word, _) => {
                if word == "wait" {
                    self.script.gate.pass();
                }
                out.write(format_args!("{}:{text}", self.number));
                Flow::Continue
            }
        };
        self.script.log.record(|sessions| sessions.answered += 1);
        flow
    }

    fn closed(&mut self, why: CloseReason) {
        self.script.log.record(|sessions| {
            sessions.open = sessions.open.saturating_sub(1);
            sessions.closed.push(why);
        });
        self.script.run(self.script.at_close, false);
    }
}

impl Drop for ScriptedSession {
    fn drop(&mut self) {
        self.script.run(self.script.at_drop, false);
    }
}

/// The services of a handler.
pub(crate) trait IntoService: Handler + Sized + 'static {
    /// A service with the framing `line`.
    fn service(self) -> Service {
        self.service_in(Framing::Line)
    }

    /// A service with this framing.
    fn service_in(self, framing: Framing) -> Service {
        Service::framed(Arc::new(self), framing)
    }

    /// A service with the framing `line` and changed limits.
    fn limited(self, limit: impl FnOnce(&mut Limits)) -> Service {
        limited(self.service(), limit)
    }
}

impl<H: Handler + 'static> IntoService for H {}

/// Changes the limits of a service.
pub(crate) fn limited(mut service: Service, limit: impl FnOnce(&mut Limits)) -> Service {
    limit(&mut service.limits);
    service
}

/// Text in which any lost, duplicated or moved piece is detected.
pub(crate) fn pattern(length: usize) -> &'static [u8] {
    static PATTERN: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let numbers = (0..).flat_map(|number: u32| format!("{number:x},").into_bytes());
        numbers.take(MAX_PATTERN).collect()
    });
    &PATTERN[..length.min(MAX_PATTERN)]
}

const MAX_PATTERN: usize = 1_000_000;

/// The stack that a session may use on every backend, in bytes.
pub(crate) const STACK: usize = 1024 * 1024;

/// Uses this number of bytes of stack, and returns the number of calls that were needed.
fn use_stack(left: usize) -> usize {
    const FRAME: usize = 16 * 1024;
    let mut frame = [0_u8; FRAME];
    black_box(&mut frame);
    let calls = if left > FRAME { 1 + use_stack(left - FRAME) } else { 0 };
    calls + usize::from(frame[calls])
}

/// The duration of `sleep`.
pub(crate) const SLEEP: Duration = Duration::from_millis(300);

fn sleep() -> &'static str {
    let time = Timespec { tv_sec: 0, tv_nsec: SLEEP.subsec_nanos().into() };
    match poll(&mut [], Some(&time)) {
        Ok(_) => "slept",
        Err(_) => "was woken by a signal",
    }
}

/// Panics without a message on stderr, since there would be thousands.
pub(crate) fn panic_quietly() -> ! {
    resume_unwind(Box::new("requested by the case"))
}
