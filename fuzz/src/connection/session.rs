//! The session, which does what a message says: its first byte is a kind, and a number follows.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyloop::{Answer, Blocking, Client, CloseReason, Flow, Handler, Later, Replies, Session};

use super::Settings;

/// What happens to the session, for the check.
#[derive(Default)]
pub(super) struct Script(Mutex<Events>);

#[derive(Default)]
pub(super) struct Events {
    pub(super) opened: usize,
    /// The number of messages that were handled.
    pub(super) handled: usize,
    pub(super) closed: Vec<CloseReason>,
    /// The answers that are awaited, with the numbers of their messages.
    pub(super) laters: Vec<(usize, Later)>,
    /// How the messages with these numbers were answered; `None` if the answer was dropped.
    pub(super) answers: Vec<(usize, Option<Answer>)>,
}

impl Script {
    pub(super) fn events(&self) -> MutexGuard<'_, Events> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a message asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Echo,
    Two,
    Nothing,
    Long,
    Later,
    Timer,
    Close,
    Fail,
    Panic,
    TooMuch,
}

impl Kind {
    /// The usual ones first, and those last that end the conversation.
    pub(super) const ALL: [Self; 10] = [
        Self::Echo,
        Self::Two,
        Self::Nothing,
        Self::Long,
        Self::Later,
        Self::Timer,
        Self::Close,
        Self::Fail,
        Self::Panic,
        Self::TooMuch,
    ];

    /// The message of this kind with this number.
    pub(super) fn message(self, number: usize) -> Vec<u8> {
        let letter = b'a' + Self::ALL.iter().position(|&kind| kind == self).unwrap_or_default() as u8;
        format!("{}{number}", char::from(letter)).into_bytes()
    }

    fn of(message: &[u8]) -> (Self, usize) {
        let (kind, number) = message.split_first().expect("no message is empty");
        let number = std::str::from_utf8(number).ok().and_then(|number| number.parse().ok());
        (Self::ALL[usize::from(kind - b'a')], number.expect("a number"))
    }
}

pub(super) struct Scripted {
    pub(super) script: Arc<Script>,
    pub(super) settings: Settings,
}

/// The length of a long reply.
pub(super) fn long(settings: &Settings) -> usize {
    settings.limits.max_reply - 10
}

impl Handler for Scripted {
    fn open(&self, _client: &Client, out: &mut Replies<'_>) -> Box<dyn Session> {
        self.script.events().opened += 1;
        out.send(b"hi");
        Box::new(Self { script: Arc::clone(&self.script), settings: self.settings })
    }

    fn blocking(&self) -> Blocking {
        if self.settings.blocking { Blocking::MayBlock } else { Blocking::Never }
    }
}

impl Session for Scripted {
    fn message(&mut self, message: &[u8], out: &mut Replies<'_>) -> Flow {
        let (kind, number) = Kind::of(message);
        {
            let mut events = self.script.events();
            assert_eq!(number, events.handled, "a message was lost, doubled or reordered");
            events.handled += 1;
        }
        match kind {
            Kind::Echo => out.send(message),
            Kind::Two => {
                out.send(message);
                out.send(message);
            }
            Kind::Nothing => {}
            Kind::Long => out.send(&vec![b'x'; long(&self.settings)]),
            Kind::Later => {
                let later = out.later();
                self.script.events().laters.push((number, later));
            }
            Kind::Timer => out.set_timer(Duration::from_millis(3)),
            Kind::Close => return Flow::Close,
            Kind::Fail => {
                out.send(message);
                out.reject("no");
                return Flow::Fail;
            }
            Kind::Panic => {
                out.send(message);
                std::panic::resume_unwind(Box::new("a session's panic")); // without a message of a panic hook
            }
            Kind::TooMuch => {
                out.send(message);
                out.send(&vec![b'x'; self.settings.limits.max_reply]);
            }
        }
        Flow::Continue
    }

    fn missed(&mut self, count: u64, out: &mut Replies<'_>) -> Flow {
        out.write(format_args!("missed {count}"));
        Flow::Continue
    }

    fn timer(&mut self, out: &mut Replies<'_>) -> Flow {
        out.send(b"timer");
        Flow::Continue
    }

    fn closed(&mut self, why: CloseReason) {
        self.script.events().closed.push(why);
    }
}
