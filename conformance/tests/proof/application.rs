//! Modified applications.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use common::{
    Application, Blocking, Client, CloseReason, ErrorReply, Flow, Limits, Outbox, Progress, Protocol,
};
use serving::Stop;

use crate::defect::Defect;

/// A wrapper of the correct application.
pub(crate) struct Tampered {
    inner: Arc<dyn Application>,
    defect: Defect,
    stop: Stop,
    shared: Mutex<Option<Shared>>,
}

/// A conversation that several clients share.
type Shared = Arc<Mutex<Box<dyn Protocol>>>;

impl Tampered {
    pub(crate) fn new(inner: Arc<dyn Application>, defect: Defect, stop: Stop) -> Self {
        Self { inner, defect, stop, shared: Mutex::new(None) }
    }
}

impl Application for Tampered {
    fn open(&self, client: Client, limits: &Limits, out: &mut Outbox) -> Box<dyn Protocol> {
        let Self { inner, defect, stop, shared } = self;
        let mut discarded = Outbox::new();
        let out = if *defect == Defect::NoGreeting { &mut discarded } else { out };
        let inner = ending_at_panics(*defect, stop, || inner.open(client, limits, out));
        let inner = if *defect == Defect::SharesOneSession {
            let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
            Box::new(Sharing(Arc::clone(shared.get_or_insert_with(|| Arc::new(Mutex::new(inner))))))
        } else {
            inner
        };
        let (delayed, copy) = Default::default();
        Box::new(Conversation { inner: Some(inner), defect: *defect, stop: stop.clone(), delayed, copy })
    }

    fn refuse(&self, error: &ErrorReply, limits: &Limits, out: &mut Outbox) {
        if self.defect != Defect::SendsNoErrorReplies {
            ending_at_panics(self.defect, &self.stop, || self.inner.refuse(error, limits, out));
        }
    }

    fn blocking(&self) -> Blocking {
        ending_at_panics(self.defect, &self.stop, || self.inner.blocking())
    }
}

/// Stops the server after a panic, if that is the defect.
fn ending_at_panics<T>(defect: Defect, stop: &Stop, call: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| {
        if defect == Defect::EndsAtPanics {
            stop.now();
        }
        resume_unwind(panic)
    })
}

struct Conversation {
    /// Until it is dropped.
    inner: Option<Box<dyn Protocol>>,
    defect: Defect,
    stop: Stop,
    /// Replies that are delayed until all received messages are answered.
    delayed: Vec<u8>,
    copy: Vec<u8>,
}

impl Drop for Conversation {
    fn drop(&mut self) {
        let inner = self.inner.take();
        ending_at_panics(self.defect, &self.stop, || drop(inner));
    }
}

impl Protocol for Conversation {
    fn receive(&mut self, input: &mut [u8], out: &mut Outbox) -> Progress {
        let Self { inner: Some(inner), defect, stop, delayed, copy } = self else {
            unreachable!("it is present until the drop")
        };
        let mut output = Outbox::new();
        let progress = match defect {
            Defect::CopiesInput => {
                // The last copy is dropped after the next was created, so that their addresses differ.
                let last = std::mem::replace(copy, input.to_vec());
                let progress = inner.receive(copy, out);
                drop(last);
                return progress;
            }
            Defect::SendsOnlyTheFirstReply
            | Defect::DiscardsRepliesAtExit
            | Defect::DiscardsOutputWithoutMessage => inner.receive(input, &mut output),
            _ => ending_at_panics(*defect, stop, || inner.receive(input, out)),
        };
        match (*defect, progress) {
            (Defect::SendsOnlyTheFirstReply, progress) => {
                out.push(output.bytes().split_inclusive(|&byte| byte == b'\n').next().unwrap_or_default());
                progress
            }
            (Defect::DiscardsRepliesAtExit, progress) => {
                delayed.extend_from_slice(output.bytes());
                if !matches!(progress, Progress::Message { .. }) {
                    out.push(&std::mem::take(delayed));
                }
                progress
            }
            (Defect::DiscardsOutputWithoutMessage, progress) => {
                if !matches!(progress, Progress::More { .. }) {
                    out.push(output.bytes());
                }
                progress
            }
            (Defect::NeverEndsMessages, Progress::More { used, .. }) => Progress::More { used, begun: true },
            (Defect::DiscardsPartialMessages, Progress::More { .. }) => {
                Progress::More { used: input.len(), begun: false }
            }
            (Defect::AnswersOneMessagePerRead, Progress::Message { flow, .. }) => {
                Progress::Message { used: input.len(), flow }
            }
            (Defect::IgnoresExit, Progress::Message { used, .. }) => {
                Progress::Message { used, flow: Flow::Continue }
            }
            (Defect::IgnoresInvalidMessages, Progress::Broken(_)) => {
                Progress::More { used: input.len(), begun: false }
            }
            (_, progress) => progress,
        }
    }

    fn finish(&mut self, input: &mut [u8], out: &mut Outbox) -> Progress {
        let Some(inner) = &mut self.inner else { unreachable!("it is present until the drop") };
        inner.finish(input, out)
    }

    fn notified(&mut self, message: &[u8], out: &mut Outbox) -> Flow {
        self.inner.as_mut().map_or(Flow::Continue, |inner| inner.notified(message, out))
    }

    fn missed(&mut self, count: u64, out: &mut Outbox) -> Flow {
        self.inner.as_mut().map_or(Flow::Continue, |inner| inner.missed(count, out))
    }

    fn answered(&mut self, answer: &[u8], out: &mut Outbox) {
        if let Some(inner) = &mut self.inner {
            inner.answered(answer, out);
        }
    }

    fn timer(&mut self, out: &mut Outbox) -> Flow {
        self.inner.as_mut().map_or(Flow::Continue, |inner| inner.timer(out))
    }

    fn stopping(&mut self, out: &mut Outbox) -> Flow {
        self.inner.as_mut().map_or(Flow::Continue, |inner| inner.stopping(out))
    }

    fn error(&mut self, error: &ErrorReply, out: &mut Outbox) {
        if self.defect != Defect::SendsNoErrorReplies
            && let Some(inner) = &mut self.inner
        {
            ending_at_panics(self.defect, &self.stop, || inner.error(error, out));
        }
    }

    fn closed(&mut self, why: CloseReason) {
        let Self { inner: Some(inner), defect, stop, .. } = self else { return };
        match defect {
            Defect::NeverCallsClosed => {}
            Defect::CallsClosedTwice => {
                inner.closed(why);
                inner.closed(why);
            }
            _ => ending_at_panics(*defect, stop, || inner.closed(why)),
        }
    }
}

struct Sharing(Shared);

impl Protocol for Sharing {
    fn receive(&mut self, input: &mut [u8], out: &mut Outbox) -> Progress {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).receive(input, out)
    }

    fn error(&mut self, error: &ErrorReply, out: &mut Outbox) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).error(error, out);
    }
}
