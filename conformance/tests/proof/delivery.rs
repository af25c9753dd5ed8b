//! Modified deliveries of pushed messages, later answers, timers and stops.

use std::mem;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use common::{
    Application, Blocking, Client, CloseReason, ErrorReply, Flow, Handle, Limits, Outbox, Progress, Protocol,
};
use serving::{Stop, Urgency};

use crate::defect::Defect;

/// A wrapper of the correct application.
pub(crate) struct Tampered {
    inner: Arc<dyn Application>,
    defect: Defect,
    stop: Stop,
    /// The handles of all clients so far.
    handles: Arc<Mutex<Vec<Handle>>>,
}

impl Tampered {
    pub(crate) fn new(inner: Arc<dyn Application>, defect: Defect, stop: Stop) -> Self {
        Self { inner, defect, stop, handles: Arc::default() }
    }
}

impl Application for Tampered {
    fn open(&self, client: Client, limits: &Limits, out: &mut Outbox) -> Box<dyn Protocol> {
        let mut handles = self.handles.lock().unwrap_or_else(PoisonError::into_inner);
        let is_first = handles.is_empty();
        handles.push(client.handle());
        drop(handles);
        let client = match self.defect {
            // The record of no client.
            Defect::HandlesReachNobody => Client::with_record(client.peer, client.number, Arc::default()),
            _ => client,
        };
        Box::new(Conversation {
            inner: self.inner.open(client, limits, out),
            defect: self.defect,
            stop: self.stop.clone(),
            handles: is_first.then(|| Arc::clone(&self.handles)),
            pushes: 0,
            held: Vec::new(),
        })
    }

    fn refuse(&self, error: &ErrorReply, limits: &Limits, out: &mut Outbox) {
        self.inner.refuse(error, limits, out);
    }

    fn blocking(&self) -> Blocking {
        self.inner.blocking()
    }
}

struct Conversation {
    inner: Box<dyn Protocol>,
    defect: Defect,
    stop: Stop,
    /// The handles of all clients, in the conversation of the first one.
    handles: Option<Arc<Mutex<Vec<Handle>>>>,
    pushes: usize,
    /// Messages and answers that are delayed.
    held: Vec<Vec<u8>>,
}

/// The timeout of timers that expire early.
const EARLY: Duration = Duration::from_millis(1);
/// The timeout of timers that were cancelled.
const CANCELLED: Duration = Duration::from_millis(100);

impl Conversation {
    /// The handle of another client, for the first one.
    fn other(&self) -> Option<Handle> {
        let handles = self.handles.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
        handles.get(1).cloned()
    }

    fn send_held(&mut self, out: &mut Outbox) {
        for message in mem::take(&mut self.held) {
            self.inner.notified(&message, out);
        }
    }
}

impl Protocol for Conversation {
    fn receive(&mut self, input: &mut [u8], out: &mut Outbox) -> Progress {
        let sets_timer = input.starts_with(b"timer") || input.starts_with(b"repeat");
        let cancels = input.starts_with(b"cancel");
        let progress = self.inner.receive(input, out);
        match self.defect {
            Defect::FiresTimersEarly if sets_timer => out.set_timer(EARLY),
            Defect::FiresNoTimers if sets_timer => out.set_timer(None),
            Defect::FiresCancelledTimers if cancels => out.set_timer(CANCELLED),
            Defect::HoldsPushes if matches!(progress, Progress::Message { .. }) => self.send_held(out),
            _ => {}
        }
        progress
    }

    fn finish(&mut self, input: &mut [u8], out: &mut Outbox) -> Progress {
        self.inner.finish(input, out)
    }

    fn notified(&mut self, message: &[u8], out: &mut Outbox) -> Flow {
        self.pushes += 1;
        let is_second = self.pushes.is_multiple_of(2);
        match self.defect {
            Defect::LosesPushes if is_second => return Flow::Continue,
            Defect::LosesPushesAtStop if self.stop.urgency() > Urgency::None => return Flow::Continue,
            Defect::DuplicatesPushes if is_second => {
                self.inner.notified(message, out);
            }
            Defect::ReordersPushes if is_second => {
                self.inner.notified(message, out);
                self.send_held(out);
                return Flow::Continue;
            }
            Defect::ReordersPushes | Defect::HoldsPushes => {
                self.held.push(message.to_vec());
                return Flow::Continue;
            }
            Defect::PushesToAnotherClient => {
                if let Some(other) = self.other() {
                    let _ = other.send(message);
                    return Flow::Continue;
                }
            }
            _ => {}
        }
        self.inner.notified(message, out)
    }

    fn missed(&mut self, count: u64, out: &mut Outbox) -> Flow {
        match self.defect {
            Defect::HidesDroppedPushes => Flow::Continue,
            _ => self.inner.missed(count, out),
        }
    }

    fn answered(&mut self, answer: &[u8], out: &mut Outbox) {
        match self.defect {
            Defect::AnswersTheNextMessage => {
                for earlier in mem::replace(&mut self.held, vec![answer.to_vec()]) {
                    self.inner.answered(&earlier, out);
                }
                return;
            }
            Defect::DuplicatesAnswers => self.inner.answered(answer, out),
            Defect::HoldsPushes => self.send_held(out),
            _ => {}
        }
        self.inner.answered(answer, out);
    }

    fn timer(&mut self, out: &mut Outbox) -> Flow {
        if self.defect == Defect::FiresTimersTwice {
            self.inner.timer(out);
        }
        let flow = self.inner.timer(out);
        if self.defect == Defect::FiresTimersOnce {
            out.set_timer(None);
        }
        flow
    }

    fn stopping(&mut self, out: &mut Outbox) -> Flow {
        match self.defect {
            Defect::HidesStops => return Flow::Continue,
            Defect::TellsOfStopsTwice => drop(self.inner.stopping(out)),
            _ => {}
        }
        self.inner.stopping(out)
    }

    fn error(&mut self, error: &ErrorReply, out: &mut Outbox) {
        if self.defect == Defect::AnswersDespiteTimeout && *error == ErrorReply::AnswerTimeout {
            self.inner.answered(b"answer", out);
        }
        self.inner.error(error, out);
    }

    fn closed(&mut self, why: CloseReason) {
        self.inner.closed(why);
    }
}
