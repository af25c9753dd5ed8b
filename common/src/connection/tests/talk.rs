//! The handler of the tests of messages that are pushed, of answers that come later, of session timers, and of stops.

use std::time::Duration;

use super::*;
use crate::testing::TestClient;
use crate::{Handle, Later, SendError};

/// Keeps the answers that it owes, and what happened in `closed`.
#[derive(Default)]
pub(super) struct Talk {
    blocking: bool,
    /// What a session does when it is told of a stop.
    at_stop: &'static str,
    answers: Mutex<Vec<Later>>,
    closed: Mutex<Vec<(CloseReason, Result<(), SendError>)>>,
}

struct Talking {
    talk: Arc<Talk>,
    handle: Handle,
}

impl Talk {
    pub(super) fn blocking() -> Arc<Self> {
        Arc::new(Self { blocking: true, ..Self::default() })
    }

    pub(super) fn at_stop(at_stop: &'static str) -> Arc<Self> {
        Arc::new(Self { at_stop, ..Self::default() })
    }

    pub(super) fn connect(self: &Arc<Self>, limits: Limits) -> TestClient {
        TestClient::connect(self.service(limits))
    }

    pub(super) fn service(self: &Arc<Self>, limits: Limits) -> Service {
        Service::framed(Arc::new(Talker(Arc::clone(self))), Framing::Line).with_limits(limits)
    }

    /// The answer that is owed for the longest time.
    pub(super) fn answer(&self) -> Later {
        self.answers.lock().unwrap().remove(0)
    }

    /// How many answers are owed.
    pub(super) fn owed(&self) -> usize {
        self.answers.lock().unwrap().len()
    }

    /// Why the conversation has ended, and the result of a push in `closed`.
    pub(super) fn closed(&self) -> Vec<(CloseReason, Result<(), SendError>)> {
        std::mem::take(&mut self.closed.lock().unwrap())
    }
}

struct Talker(Arc<Talk>);

impl Handler for Talker {
    fn open(&self, client: &Client, _out: &mut Replies<'_>) -> Box<dyn Session> {
        Box::new(Talking { talk: Arc::clone(&self.0), handle: client.handle() })
    }

    fn blocking(&self) -> Blocking {
        if self.0.blocking { Blocking::MayBlock } else { Blocking::Never }
    }
}

impl Talking {
    fn owe(&self, out: &mut Replies<'_>) {
        let later = out.later(); // before the lock, since it may panic
        self.talk.answers.lock().unwrap().push(later);
    }
}

/// Carries out commands, and echoes all other messages.
impl Session for Talking {
    fn message(&mut self, message: &[u8], out: &mut Replies<'_>) -> Flow {
        let text = std::str::from_utf8(message).unwrap();
        let (command, rest) = text.split_once(' ').unwrap_or((text, ""));
        match command {
            "later" => {
                if !rest.is_empty() {
                    out.send(rest.as_bytes());
                }
                self.owe(out);
            }
            "later-close" => {
                self.owe(out);
                return Flow::Close;
            }
            "later-fail" => {
                self.owe(out);
                return Flow::Fail;
            }
            "later-panic" => {
                self.owe(out);
                panic!("a session's panic");
            }
            "at-once" => out.later().send(rest).unwrap(),
            "drop" => drop(out.later()),
            "twice" => {
                self.owe(out);
                self.owe(out);
            }
            "self" => {
                let at_once = out.later();
                self.handle.send(format!("{rest} 1").into_bytes()).unwrap();
                at_once.send(format!("{rest} 2")).unwrap();
                self.handle.send(format!("{rest} 3").into_bytes()).unwrap();
            }
            "timer" => out.set_timer(Duration::from_secs(rest.parse().unwrap())),
            "no-timer" => out.set_timer(None),
            "exit" => return Flow::Close,
            _ => out.send(message),
        }
        Flow::Continue
    }

    fn notified(&mut self, message: &[u8], out: &mut Replies<'_>) -> Flow {
        match message {
            b"close" => return Flow::Close,
            b"fail" => return Flow::Fail,
            b"panic" => panic!("a session's panic"),
            b"later" => self.owe(out),
            b"large" => out.send(&[b'x'; 40_000]),
            b"too large" => out.send(&[b'x'; 1024 * 1024]),
            _ => out.send_parts(&[b"> ", message]),
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

    fn stopping(&mut self, out: &mut Replies<'_>) -> Flow {
        match self.talk.at_stop {
            "" => {}
            "answer" => self.talk.answer().send("stopping").unwrap(),
            "later" => self.owe(out),
            "close" => return Flow::Close,
            "fail" => return Flow::Fail,
            "panic" => panic!("a session's panic"),
            text => out.send(text.as_bytes()),
        }
        Flow::Continue
    }

    fn closed(&mut self, why: CloseReason) {
        self.talk.closed.lock().unwrap().push((why, self.handle.send(*b"too late")));
    }
}
