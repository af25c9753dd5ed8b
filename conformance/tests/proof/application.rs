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
    right: Arc<dyn Application>,
    defect: Defect,
    stop: Stop,
    shared: Mutex<Option<Shared>>,
}

/// A conversation that several clients share.
type Shared = Arc<Mutex<Box<dyn Protocol>>>;

impl Tampered {
    pub(crate) fn new(right: Arc<dyn Application>, defect: Defect, stop: Stop) -> Self {
        Self { right, defect, stop, shared: Mutex::new(None) }
    }
}

impl Application for Tampered {
    fn open(&self, client: Client, limits: &Limits, out: &mut Outbox) -> Box<dyn Protocol> {
        let Self { right, defect, stop, shared } = self;
        let mut unheard = Outbox::new();
        let out = if *defect == Defect::NoGreeting { &mut unheard } else { out };
        let right = ending_at_panics(*defect, stop, || right.open(client, limits, out));
        let right = if *defect == Defect::SharesOneSession {
            let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
            Box::new(Sharing(Arc::clone(shared.get_or_insert_with(|| Arc::new(Mutex::new(right))))))
        } else {
            right
        };
        let (owed, copy) = Default::default();
        Box::new(Conversation { right: Some(right), defect: *defect, stop: stop.clone(), owed, copy })
    }

    fn refuse(&self, error: &ErrorReply, limits: &Limits, out: &mut Outbox) {
        if self.defect != Defect::SendsNoErrorReplies {
            ending_at_panics(self.defect, &self.stop, || self.right.refuse(error, limits, out));
        }
    }

    fn blocking(&self) -> Blocking {
        ending_at_panics(self.defect, &self.stop, || self.right.blocking())
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
    right: Option<Box<dyn Protocol>>,
    defect: Defect,
    stop: Stop,
    /// Replies that are delayed until all received messages are answered.
    owed: Vec<u8>,
    copy: Vec<u8>,
}

impl Drop for Conversation {
    fn drop(&mut self) {
        let right = self.right.take();
        ending_at_panics(self.defect, &self.stop, || drop(right));
    }
}

impl Protocol for Conversation {
    fn receive(&mut self, input: &mut [u8], out: &mut Outbox) -> Progress {
        let Self { right: Some(right), defect, stop, owed, copy } = self else { unreachable!("it is here") };
        let mut said = Outbox::new();
        let progress = match defect {
            Defect::CopiesInput => {
                // The last copy is dropped after the next was created, so that their addresses differ.
                let last = std::mem::replace(copy, input.to_vec());
                let progress = right.receive(copy, out);
                drop(last);
                return progress;
            }
            Defect::SendsOnlyTheFirstReply
            | Defect::DiscardsRepliesAtExit
            | Defect::DiscardsOutputWithoutMessage => right.receive(input, &mut said),
            _ => ending_at_panics(*defect, stop, || right.receive(input, out)),
        };
        match (*defect, progress) {
            (Defect::SendsOnlyTheFirstReply, progress) => {
                out.push(said.bytes().split_inclusive(|&byte| byte == b'\n').next().unwrap_or_default());
                progress
            }
            (Defect::DiscardsRepliesAtExit, progress) => {
                owed.extend_from_slice(said.bytes());
                if !matches!(progress, Progress::Message { .. }) {
                    out.push(&std::mem::take(owed));
                }
                progress
            }
            (Defect::DiscardsOutputWithoutMessage, progress) => {
                if !matches!(progress, Progress::More { .. }) {
                    out.push(said.bytes());
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
        let Some(right) = &mut self.right else { unreachable!("it is here") };
        right.finish(input, out)
    }

    fn error(&mut self, error: &ErrorReply, out: &mut Outbox) {
        if self.defect != Defect::SendsNoErrorReplies
            && let Some(right) = &mut self.right
        {
            ending_at_panics(self.defect, &self.stop, || right.error(error, out));
        }
    }

    fn closed(&mut self, why: CloseReason) {
        let Self { right: Some(right), defect, stop, .. } = self else { return };
        match defect {
            Defect::NeverCallsClosed => {}
            Defect::CallsClosedTwice => {
                right.closed(why);
                right.closed(why);
            }
            _ => ending_at_panics(*defect, stop, || right.closed(why)),
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
