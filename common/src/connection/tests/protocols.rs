//! Protocols that are not codecs, and user code that panics.

use std::panic::panic_any;

use super::*;
use crate::{Application, ErrorReply, Progress, Protocol};

/// Each byte is an instruction.
#[derive(Clone)]
struct Instructed {
    closed: Arc<Mutex<Vec<CloseReason>>>,
    /// The functions that panic.
    panics: &'static str,
}

impl Instructed {
    fn panic_in(&self, function: &str) {
        if self.panics.contains(function) {
            panic_any("a panic of the user's code");
        }
    }
}

impl Application for Instructed {
    fn open(&self, _: Client, _: &Limits, _: &mut Outbox) -> Box<dyn Protocol> {
        self.panic_in("open");
        Box::new(self.clone())
    }

    fn refuse(&self, _: &ErrorReply, _: &Limits, out: &mut Outbox) {
        out.push(b"half a refusal");
        self.panic_in("refuse");
    }

    fn blocking(&self) -> Blocking {
        self.panic_in("blocking");
        Blocking::Never
    }
}

impl Protocol for Instructed {
    fn receive(&mut self, input: &mut [u8], out: &mut Outbox) -> Progress {
        match input {
            [] => Progress::More { used: 0, begun: false },
            // The beginning and the end of a message that gets no answer.
            [b'(', ..] => Progress::More { used: 1, begun: true },
            [b')', ..] => Progress::More { used: 1, begun: false },
            // A part of a delimiter, which the protocol does not report as a begun message.
            [b'['] => Progress::More { used: 0, begun: false },
            [b'[', b']', ..] => Progress::More { used: 2, begun: false },
            // Output that answers no message.
            [b'!', ..] => {
                out.push(b"word");
                Progress::More { used: 1, begun: false }
            }
            [b'>', ..] => Progress::Message { used: input.len() + 1, flow: Flow::Continue },
            [b'<', ..] => Progress::More { used: input.len() + 1, begun: false },
            _ => {
                out.push(b"answer");
                Progress::Message { used: 1, flow: Flow::Continue }
            }
        }
    }

    fn finish(&mut self, input: &mut [u8], out: &mut Outbox) -> Progress {
        out.push(&[b"finish:", &*input].concat());
        Progress::Broken(ErrorReply::Incomplete)
    }

    fn error(&mut self, error: &ErrorReply, out: &mut Outbox) {
        out.push(error.to_string().as_bytes());
        self.panic_in("error");
    }

    fn closed(&mut self, why: CloseReason) {
        self.closed.lock().unwrap().push(why);
        self.panic_in("closed");
    }
}

impl Drop for Instructed {
    fn drop(&mut self) {
        // The original belongs to the test.
        if Arc::strong_count(&self.closed) > 2 {
            self.panic_in("drop");
        }
    }
}

type Closed = Arc<Mutex<Vec<CloseReason>>>;

fn rig(panics: &'static str) -> (Rig, Closed) {
    let closed = Closed::default();
    let application = Arc::new(Instructed { closed: Arc::clone(&closed), panics });
    (Rig::serving(Service::new(application)), closed)
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn the_protocol_determines_whether_a_message_has_begun() {
    let (mut rig, _) = rig("");
    rig.settle();
    rig.send("(");
    assert_eq!(rig.connection.deadline(), Some(rig.now + 10 * SECOND));
    rig.pass(9 * SECOND);
    rig.send(")");
    assert_eq!(rig.connection.deadline(), Some(rig.now + 300 * SECOND));
    rig.pass(9 * SECOND);
    rig.send("(");
    assert_eq!(
        rig.connection.deadline(),
        Some(rig.now + 10 * SECOND),
        "the next message has its own timeout"
    );
    rig.send(")");
    assert_eq!(rig.end_input(), Next::Done(CloseReason::EndOfInput));
    assert_eq!(rig.heard(), "");
}

#[test]
fn finish_is_called_only_within_a_message() {
    for (input, expected) in [("[", ""), ("[]", ""), ("()", ""), ("(", "finish:ERR incomplete")] {
        let (mut rig, _) = rig("");
        rig.settle();
        for byte in input.split_inclusive(|_| true) {
            rig.send(byte);
        }
        rig.end_input();
        assert_eq!(rig.heard(), expected, "{input}");
    }
}

#[test]
fn output_without_a_message_is_delivered() {
    let (mut rig, _) = rig("");
    rig.settle();
    assert_eq!(rig.send("!"), Next::Read);
    assert_eq!(rig.heard(), "word");
    assert_eq!(rig.connection.messages(), 0);
}

#[test]
fn invalid_progress_ends_the_conversation() {
    for input in ["><", ">", "<"] {
        let (mut rig, closed) = rig("");
        rig.settle();
        assert_eq!(rig.send(input), Next::Done(CloseReason::Panicked), "{input}");
        assert_eq!(rig.heard(), "ERR internal");
        assert_eq!(*closed.lock().unwrap(), [CloseReason::Panicked]);
    }
}

#[test]
fn a_panic_ends_only_its_conversation() {
    for (panics, expected) in [
        ("open refuse", ""),
        ("open", "half a refusal"),
        ("blocking", "answer"),
        ("error", ""),
        ("closed", "answer"),
        ("drop", "answer"),
        ("closed drop", "answer"),
    ] {
        let (mut rig, closed) = rig(panics);
        rig.settle();
        rig.send(if panics == "error" { ">" } else { "a" });
        rig.end_input();
        assert!(matches!(rig.settle(), Next::Done(_)), "{panics}");
        assert_eq!(rig.heard(), expected, "{panics}");
        assert_eq!(closed.lock().unwrap().len(), usize::from(!panics.contains("open")), "{panics}");
    }
}

#[test]
fn dropping_a_connection_closes_its_protocol() {
    for (panics, opened) in [("", true), ("closed drop", true), ("", false)] {
        let (mut rig, closed) = rig(panics);
        if opened {
            rig.settle();
        }
        drop(rig);
        let expected: &[_] = if opened { &[CloseReason::Lost] } else { &[] };
        assert_eq!(*closed.lock().unwrap(), expected);
    }
}
