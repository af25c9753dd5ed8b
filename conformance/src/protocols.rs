//! An application that does not use a codec.

use std::sync::Arc;

use common::{Application, Blocking, Client, ErrorReply, Flow, Limits, Outbox, Progress, Protocol, Service};

use crate::handlers::panic_quietly;

/// A protocol of single bytes:
///
/// | byte | what it does |
/// | --- | --- |
/// | `(` | begins a message |
/// | `)` | ends it, without an answer |
/// | `!` | writes `notice`, and is not a message |
/// | `>`, `<` | returns that it has used more bytes than there are, for a message or for a part of one |
/// | anything else | is answered with `answer` |
///
/// At the end of the input within a message it writes `unfinished`. Each reply is a line.
#[derive(Clone, Copy, Default)]
pub(crate) struct Bytes {
    panics: Option<Callback>,
}

/// The function of the application that panics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Callback {
    Refuse,
    OpenAndRefuse,
    Blocking,
    Error,
    Destructor,
}

impl Bytes {
    pub(crate) fn service(self) -> Service {
        Service::new(Arc::new(self))
    }

    /// Panics in this function.
    pub(crate) fn panicking_in(callback: Callback) -> Self {
        Self { panics: Some(callback) }
    }

    fn panics_in(self, callbacks: &[Callback]) {
        if self.panics.is_some_and(|callback| callbacks.contains(&callback)) {
            panic_quietly();
        }
    }
}

impl Application for Bytes {
    fn open(&self, _: Client, _: &Limits, out: &mut Outbox) -> Box<dyn Protocol> {
        self.panics_in(&[Callback::OpenAndRefuse]);
        out.push(b"hello\n");
        Box::new(Conversation(*self))
    }

    fn refuse(&self, error: &ErrorReply, _: &Limits, out: &mut Outbox) {
        self.panics_in(&[Callback::Refuse, Callback::OpenAndRefuse]);
        out.push(format!("{error}\n").as_bytes());
    }

    fn blocking(&self) -> Blocking {
        self.panics_in(&[Callback::Blocking]);
        Blocking::Never
    }
}

struct Conversation(Bytes);

impl Protocol for Conversation {
    fn receive(&mut self, input: &mut [u8], out: &mut Outbox) -> Progress {
        let Some(byte) = input.first() else { return Progress::More { used: 0, begun: false } };
        match byte {
            b'(' | b')' => {
                let used = input.iter().take_while(|byte| matches!(byte, b'(' | b')')).count();
                return Progress::More { used, begun: input[used - 1] == b'(' };
            }
            b'!' => {
                out.push(b"notice\n");
                return Progress::More { used: 1, begun: false };
            }
            b'<' => return Progress::More { used: input.len() + 1, begun: false },
            b'>' => return Progress::Message { used: input.len() + 1, flow: Flow::Continue },
            _ => out.push(b"answer\n"),
        }
        Progress::Message { used: 1, flow: Flow::Continue }
    }

    fn finish(&mut self, _: &mut [u8], out: &mut Outbox) -> Progress {
        out.push(b"unfinished\n");
        Progress::Message { used: 0, flow: Flow::Continue }
    }

    fn error(&mut self, error: &ErrorReply, out: &mut Outbox) {
        self.0.panics_in(&[Callback::Error]);
        out.push(format!("{error}\n").as_bytes());
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        self.0.panics_in(&[Callback::Destructor]);
    }
}
