//! Applications that are no codecs.

use std::sync::Arc;

use common::{
    Application, Blocking, Client, CloseReason, ErrorReply, Flow, Framing, Limits, Outbox, Progress,
    Protocol, Service,
};

use crate::handlers::{Scripted, panic_quietly};

/// A protocol of single bytes:
///
/// | byte | what it does |
/// | --- | --- |
/// | `(` | begins a message |
/// | `)` | ends it, without an answer |
/// | `!` | says `word`, and is no message |
/// | `>`, `<` | claims to have used more than there is, for a message or for a part of one |
/// | anything else | is answered with `answer` |
///
/// At the end of the input within a message it says `unfinished`. Every reply is a line.
#[derive(Clone, Copy, Default)]
pub(crate) struct Bytes {
    panics: Option<Place>,
}

/// Where the application panics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
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

    /// The same, which panics there.
    pub(crate) fn panicking_in(place: Place) -> Self {
        Self { panics: Some(place) }
    }

    fn panics_in(self, places: &[Place]) {
        if self.panics.is_some_and(|place| places.contains(&place)) {
            panic_quietly();
        }
    }
}

impl Application for Bytes {
    fn open(&self, _: Client, _: &Limits, out: &mut Outbox) -> Box<dyn Protocol> {
        self.panics_in(&[Place::OpenAndRefuse]);
        out.push(b"hello\n");
        Box::new(Conversation(*self))
    }

    fn refuse(&self, error: &ErrorReply, _: &Limits, out: &mut Outbox) {
        self.panics_in(&[Place::Refuse, Place::OpenAndRefuse]);
        out.push(format!("{error}\n").as_bytes());
    }

    fn blocking(&self) -> Blocking {
        self.panics_in(&[Place::Blocking]);
        Blocking::Never
    }
}

struct Conversation(Bytes);

impl Protocol for Conversation {
    fn receive(&mut self, input: &mut [u8], out: &mut Outbox) -> Progress {
        let Some(byte) = input.first() else { return Progress::More { used: 0, begun: false } };
        match byte {
            b'(' => return Progress::More { used: 1, begun: true },
            b')' => return Progress::More { used: 1, begun: false },
            b'!' => {
                out.push(b"word\n");
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
        self.0.panics_in(&[Place::Error]);
        out.push(format!("{error}\n").as_bytes());
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        self.0.panics_in(&[Place::Destructor]);
    }
}

/// Turns all bits of all bytes, in both directions, around `Scripted` in `line`.
pub(crate) struct Turned(Arc<dyn Application>);

impl Turned {
    pub(crate) fn service(script: Scripted) -> Service {
        Service::new(Arc::new(Self(Framing::Line.application(Arc::new(script)))))
    }
}

/// The bytes as such an application sends and takes them.
pub(crate) fn turned(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|byte| !byte).collect()
}

/// Has `say` say something, and turns it.
fn turning<T>(out: &mut Outbox, say: impl FnOnce(&mut Outbox) -> T) -> T {
    let mut said = Outbox::new();
    let result = say(&mut said);
    out.push(&turned(said.bytes()));
    result
}

impl Application for Turned {
    fn open(&self, client: Client, limits: &Limits, out: &mut Outbox) -> Box<dyn Protocol> {
        let inner = turning(out, |out| self.0.open(client, limits, out));
        Box::new(TurnedConversation { inner, input: Vec::new() })
    }

    fn refuse(&self, error: &ErrorReply, limits: &Limits, out: &mut Outbox) {
        turning(out, |out| self.0.refuse(error, limits, out));
    }

    fn blocking(&self) -> Blocking {
        self.0.blocking()
    }
}

struct TurnedConversation {
    inner: Box<dyn Protocol>,
    /// What has come and was not used, turned.
    input: Vec<u8>,
}

impl TurnedConversation {
    fn hand_on(
        &mut self,
        input: &[u8],
        out: &mut Outbox,
        to: fn(&mut dyn Protocol, &mut [u8], &mut Outbox) -> Progress,
    ) -> Progress {
        // What was left is handed over again, with more behind it.
        self.input.extend(turned(&input[self.input.len()..]));
        let Self { inner, input } = self;
        let progress = turning(out, |out| to(&mut **inner, input, out));
        if let Progress::More { used, .. } | Progress::Message { used, .. } = progress {
            input.drain(..used);
        }
        progress
    }
}

impl Protocol for TurnedConversation {
    fn receive(&mut self, input: &mut [u8], out: &mut Outbox) -> Progress {
        self.hand_on(input, out, |inner, input, out| inner.receive(input, out))
    }

    fn finish(&mut self, input: &mut [u8], out: &mut Outbox) -> Progress {
        self.hand_on(input, out, |inner, input, out| inner.finish(input, out))
    }

    fn error(&mut self, error: &ErrorReply, out: &mut Outbox) {
        turning(out, |out| self.inner.error(error, out));
    }

    fn closed(&mut self, why: CloseReason) {
        self.inner.closed(why);
    }
}
