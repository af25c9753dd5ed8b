//! The handler of the cases in which other threads push messages to clients and answer messages later.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use common::{
    Blocking, Client, CloseReason, Flow, Group, Handle, Handler, Later, Replies, SendError, Session,
};

use crate::gate::{Gate, GateHandle};
use crate::handlers::pattern;
use crate::log::SessionLog;
use crate::subject::Subject;

/// Greets with `hello`, sends pushed messages to the client, and executes the messages:
///
/// | message | what it does |
/// | --- | --- |
/// | `later` | is answered by the case |
/// | `part` | sends `part`, and is answered by the case |
/// | `last`, `fail` | is answered by the case, and ends the conversation |
/// | `hold` | is answered with `stopping` when the server stops |
/// | `tell` | answers, and sends `stopping` when the server stops |
/// | `now TEXT` | is answered with the text by a [`Later`] within the call |
/// | `twice` | requests two answers |
/// | `drop` | drops the answer |
/// | `self TEXT` | answers, and pushes the text to its own client |
/// | `timer N` | answers, and sends `timer` after N ms |
/// | `repeat N` | answers, and sends `timer` every N ms |
/// | `timer-later N` | answers, and after N ms requests an answer by the case |
/// | `cancel` | answers, and cancels the timer |
/// | `wait` | answers when the gate is open |
/// | `big N` | answers with [`pattern`] of N bytes |
/// | `exit` | ends the conversation |
/// | `leave` | ends the conversation, and pushes `left` to all other clients when it is closed |
/// | anything else | answers with its number, a colon, and the message |
///
/// The pushed message `later` is answered by the case, and `again` and `send again` are pushed again, where `again` is not sent.
/// If pushed messages were dropped, it sends `missed N`.
#[derive(Clone)]
pub(crate) struct Remote {
    opened: Sender<Handle>,
    laters: Sender<Later>,
    closed: Sender<Result<(), SendError>>,
    group: Arc<Group>,
    log: Arc<SessionLog>,
    gate: Arc<GateHandle>,
    may_block: bool,
    greets_later: bool,
}

/// What the case receives from the handler.
pub(crate) struct Clients {
    opened: Receiver<Handle>,
    laters: Receiver<Later>,
    closed: Receiver<Result<(), SendError>>,
    group: Arc<Group>,
    timeout: Duration,
}

impl Remote {
    /// The handler, and what the case receives from it.
    pub(crate) fn new(subject: &Subject) -> (Self, Clients) {
        let (opened_sender, opened) = channel();
        let (laters_sender, laters) = channel();
        let (closed_sender, closed) = channel();
        let group = Arc::new(Group::new());
        let remote = Self {
            opened: opened_sender,
            laters: laters_sender,
            closed: closed_sender,
            group: Arc::clone(&group),
            log: Arc::default(),
            gate: Arc::default(),
            may_block: false,
            greets_later: false,
        };
        (remote, Clients { opened, laters, closed, group, timeout: subject.timeout() })
    }

    /// Waits at this gate, and declares that it may block.
    pub(crate) fn blocking_at(self, gate: &Gate) -> Self {
        Self { gate: gate.handle(), may_block: true, ..self }
    }

    /// Declares that it may block.
    pub(crate) fn may_block(self) -> Self {
        Self { may_block: true, ..self }
    }

    /// Sends no greeting. The case sends it by a [`Later`].
    pub(crate) fn greeting_later(self) -> Self {
        Self { greets_later: true, ..self }
    }

    /// The events of its sessions.
    pub(crate) fn log(&self) -> Arc<SessionLog> {
        Arc::clone(&self.log)
    }
}

impl Clients {
    /// Waits until a session is opened, and returns the handle of its client. The handles come in the order of the sessions.
    pub(crate) fn next_handle(&self) -> Handle {
        self.opened.recv_timeout(self.timeout).expect("a session is opened")
    }

    /// Waits until a message is to be answered later, and returns its answer.
    pub(crate) fn next_later(&self) -> Later {
        self.laters.recv_timeout(self.timeout).expect("a message is to be answered later")
    }

    /// Like [`next_later`](Self::next_later), but returns `None` once `ended` holds.
    pub(crate) fn next_later_unless(&self, ended: impl Fn() -> bool) -> Option<Later> {
        let deadline = Instant::now() + self.timeout;
        loop {
            if let Ok(later) = self.laters.recv_timeout(Duration::from_millis(1)) {
                return Some(later);
            }
            if ended() {
                return None;
            }
            assert!(Instant::now() < deadline, "no message is to be answered later");
        }
    }

    /// Checks that no other message is to be answered later.
    pub(crate) fn assert_no_later(&self) {
        assert!(self.laters.try_recv().is_err(), "a message was handled before the last one was answered");
    }

    /// Waits until a session is closed, and returns the result of a push to its own client by `closed`.
    pub(crate) fn next_push_at_close(&self) -> Result<(), SendError> {
        self.closed.recv_timeout(self.timeout).expect("a session is closed")
    }

    /// The group of all clients.
    pub(crate) fn group(&self) -> &Group {
        &self.group
    }
}

impl Handler for Remote {
    fn open(&self, client: &Client, out: &mut Replies<'_>) -> Box<dyn Session> {
        self.group.join(&client.handle());
        let _ = self.opened.send(client.handle()); // fails if the case has ended
        let session = RemoteSession {
            remote: self.clone(),
            client: client.handle(),
            number: 0,
            at_timer: AtTimer::Send,
            leaves: false,
            held: None,
            tells: false,
        };
        if self.greets_later {
            session.answer_later(out);
        } else {
            out.send(b"hello");
        }
        Box::new(session)
    }

    fn blocking(&self) -> Blocking {
        if self.may_block { Blocking::MayBlock } else { Blocking::Never }
    }
}

struct RemoteSession {
    remote: Remote,
    client: Handle,
    number: u64,
    at_timer: AtTimer,
    leaves: bool,
    /// The answer that is given when the server stops.
    held: Option<Later>,
    /// Whether it sends `stopping` when the server stops.
    tells: bool,
}

/// What the session does when its timer expires.
#[derive(Clone, Copy)]
enum AtTimer {
    Send,
    SendAndRepeat(Duration),
    AnswerLater,
}

impl RemoteSession {
    fn answer_later(&self, out: &mut Replies<'_>) {
        let _ = self.remote.laters.send(out.later()); // if the case has ended, the answer is dropped
    }

    fn set_timer(&mut self, milliseconds: &str, at_timer: fn(Duration) -> AtTimer, out: &mut Replies<'_>) {
        let after = Duration::from_millis(milliseconds.parse().unwrap_or(0));
        self.at_timer = at_timer(after);
        out.set_timer(after);
    }
}

impl Session for RemoteSession {
    fn message(&mut self, message: &[u8], out: &mut Replies<'_>) -> Flow {
        self.number += 1;
        let text = String::from_utf8_lossy(message);
        let (word, rest) = text.split_once(' ').unwrap_or((&text, ""));
        let mut flow = Flow::Continue;
        let mut replies = false;
        match word {
            "part" => out.send(b"part"),
            "last" | "exit" => flow = Flow::Close,
            "fail" => flow = Flow::Fail,
            "leave" => (self.leaves, flow) = (true, Flow::Close),
            "big" => out.send(pattern(rest.parse().unwrap_or(0))),
            "drop" => drop(out.later()),
            "twice" => drop((out.later(), out.later())),
            "now" => out.later().send(rest).expect("an answer within the call"),
            "hold" => self.held = Some(out.later()),
            "later" => {}
            _ => replies = true,
        }
        match word {
            "later" | "part" | "last" | "fail" => self.answer_later(out),
            "tell" => self.tells = true,
            "wait" => self.remote.gate.pass(),
            "self" => self.client.send(rest.as_bytes()).expect("a push to the own client"),
            "timer" => self.set_timer(rest, |_| AtTimer::Send, out),
            "repeat" => self.set_timer(rest, AtTimer::SendAndRepeat, out),
            "timer-later" => self.set_timer(rest, |_| AtTimer::AnswerLater, out),
            "cancel" => out.set_timer(None),
            _ => {}
        }
        if replies {
            out.write(format_args!("{}:{text}", self.number));
        }
        self.remote.log.record(|sessions| sessions.answered += 1);
        flow
    }

    fn notified(&mut self, message: &[u8], out: &mut Replies<'_>) -> Flow {
        match message {
            b"later" => self.answer_later(out),
            b"again" => drop(self.client.send(message)), // fails once the server stops
            b"send again" => {
                out.send(message);
                let _ = self.client.send(message);
            }
            _ => out.send(message),
        }
        Flow::Continue
    }

    fn missed(&mut self, count: u64, out: &mut Replies<'_>) -> Flow {
        out.write(format_args!("missed {count}"));
        Flow::Continue
    }

    fn timer(&mut self, out: &mut Replies<'_>) -> Flow {
        match self.at_timer {
            AtTimer::Send => out.send(b"timer"),
            AtTimer::SendAndRepeat(after) => {
                out.send(b"timer");
                out.set_timer(after);
            }
            AtTimer::AnswerLater => self.answer_later(out),
        }
        Flow::Continue
    }

    fn stopping(&mut self, out: &mut Replies<'_>) -> Flow {
        if self.tells {
            out.send(b"stopping");
        }
        if let Some(later) = self.held.take() {
            later.send("stopping").expect("an answer that is awaited");
        }
        Flow::Continue
    }

    fn closed(&mut self, why: CloseReason) {
        if self.leaves {
            self.remote.group.send_to_others(&self.client, *b"left");
        }
        let _ = self.remote.closed.send(self.client.send(*b"closed"));
        self.remote.log.record(|sessions| sessions.closed.push(why));
    }
}
