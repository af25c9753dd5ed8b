//! Answers that come later, from any thread or task.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, Waker};

use crate::cell::{Cell, Wakeup};
use crate::mailbox::Mail;
use crate::{Marks, Record, SendError};

/// The answer to one message, which any thread or task may give later. [`Replies::later`](crate::Replies::later) creates it.
///
/// Until the answer is given, the message counts as being answered: the next messages of the client are not read, and a
/// server that stops waits for it. Messages that are [pushed](crate::Handle::send) to the client are delivered meanwhile. If
/// no answer is given within [`Limits::answer_timeout`](crate::Limits::answer_timeout), the client gets `ERR timeout answer`,
/// and if the answer is dropped, `ERR internal`. Then the conversation ends.
///
/// ```
/// use std::sync::mpsc::{Sender, channel};
///
/// use anyloop::testing::TestClient;
/// use anyloop::{Flow, Framing, Handler, Later, Replies, Service, Session};
///
/// /// Passes each message to another thread, which answers it.
/// struct Worker(Sender<(Vec<u8>, Later)>);
///
/// impl Handler for Worker {
///     fn open(&self, _client: &anyloop::Client, _out: &mut Replies<'_>) -> Box<dyn Session> {
///         Box::new(Self(self.0.clone()))
///     }
/// }
///
/// impl Session for Worker {
///     fn message(&mut self, message: &[u8], out: &mut Replies<'_>) -> Flow {
///         let later = out.later();
///         let _ = self.0.send((message.to_vec(), later)); // if there is no thread, the answer is dropped
///         Flow::Continue
///     }
/// }
///
/// let (sender, receiver) = channel();
/// let service = Service::framed(std::sync::Arc::new(Worker(sender)), Framing::Line);
/// let mut client = TestClient::connect(service);
/// client.say("1\n2\n");
/// for _ in 0..2 {
///     let (message, later) = receiver.try_recv().expect("a message");
///     assert!(receiver.try_recv().is_err(), "the next message is not read before");
///     later.send(format!("answer to {}", String::from_utf8_lossy(&message))).expect("a client");
///     assert!(client.heard().starts_with("answer to"));
/// }
/// ```
#[must_use = "an answer that is dropped ends the conversation with an error"]
pub struct Later {
    record: Arc<Record>,
    answered: bool,
}

/// The answer to a message. Text and bytes are a [`Reply`](Self::Reply).
///
/// ```
/// use anyloop::Answer;
///
/// assert_eq!(Answer::from("yes"), Answer::Reply(b"yes".to_vec()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer {
    /// A reply.
    Reply(Vec<u8>),
    /// An error reply with this text, as [`Replies::reject`](crate::Replies::reject) sends it.
    Reject(String),
    /// A reply after which the conversation ends.
    Close(Vec<u8>),
}

impl<T: Into<Vec<u8>>> From<T> for Answer {
    fn from(reply: T) -> Self {
        Self::Reply(reply.into())
    }
}

/// Whether an answer is awaited.
#[derive(Debug, Default)]
pub(crate) enum Awaiting {
    #[default]
    Nothing,
    /// An answer is awaited. The waker is woken when it isn't any more.
    Answer(Option<Waker>),
}

impl Later {
    /// Begins to await an answer.
    ///
    /// # Panics
    /// If one is awaited already.
    pub(crate) fn new(record: &Arc<Record>) -> Self {
        assert!(record.cell.await_answer(), "an answer is awaited already: a message has one answer");
        Self { record: Arc::clone(record), answered: false }
    }

    /// Answers the message with one reply, after the replies that were sent before.
    ///
    /// # Errors
    /// [`Gone`](SendError::Gone) if the conversation has ended, or the answer is too late.
    pub fn send(self, reply: impl AsRef<[u8]>) -> Result<(), SendError> {
        self.answer(Answer::Reply(reply.as_ref().to_vec()))
    }

    /// Answers the message with an error reply, as [`Replies::reject`](crate::Replies::reject) does.
    ///
    /// # Errors
    /// As for [`send`](Self::send).
    pub fn reject(self, why: impl Into<String>) -> Result<(), SendError> {
        self.answer(Answer::Reject(why.into()))
    }

    /// Answers the message with one reply, and ends the conversation.
    ///
    /// # Errors
    /// As for [`send`](Self::send).
    pub fn close(self, reply: impl AsRef<[u8]>) -> Result<(), SendError> {
        self.answer(Answer::Close(reply.as_ref().to_vec()))
    }

    /// Answers the message.
    ///
    /// # Errors
    /// As for [`send`](Self::send).
    pub fn answer(mut self, answer: impl Into<Answer>) -> Result<(), SendError> {
        self.answered = true;
        self.record.cell.answer(Some(answer.into()))
    }

    /// Whether the answer can't be delivered any more, since the conversation has ended or the answer is too late.
    pub fn is_gone(&self) -> bool {
        !self.record.cell.awaits_answer()
    }

    /// Waits until the answer can't be delivered any more, so that work for it can be cancelled.
    pub async fn gone(&self) {
        poll_fn(
            |cx| {
                if self.record.cell.register_answer(cx.waker()) { Poll::Pending } else { Poll::Ready(()) }
            },
        )
        .await;
    }
}

impl Drop for Later {
    fn drop(&mut self) {
        if !self.answered && !canary!("waits for an answer that was dropped") {
            let _ = self.record.cell.answer(None); // fails if the conversation has ended
        }
    }
}

impl fmt::Debug for Later {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Later").field("is_gone", &self.is_gone()).finish_non_exhaustive()
    }
}

impl Cell {
    /// Begins to await an answer. Returns `false` if one is awaited already.
    pub(crate) fn await_answer(&self) -> bool {
        let mut inner = self.inner();
        let awaiting = &mut self.mailbox(&mut inner).awaiting;
        let is_first = matches!(awaiting, Awaiting::Nothing);
        if is_first {
            *awaiting = Awaiting::Answer(None);
        }
        is_first
    }

    /// Whether an answer is awaited.
    pub(crate) fn awaits_answer(&self) -> bool {
        self.if_mailbox(|mailbox| matches!(mailbox.awaiting, Awaiting::Answer(_))) == Some(true)
    }

    /// Registers `waker` to be woken when the answer is not awaited any more. Returns whether it is awaited.
    fn register_answer(&self, waker: &Waker) -> bool {
        let waker = waker.clone();
        let registered = self.if_mailbox(|mailbox| match &mut mailbox.awaiting {
            Awaiting::Answer(registered) => Ok(registered.replace(waker)),
            Awaiting::Nothing => Err(waker),
        });
        matches!(registered, Some(Ok(_))) // the other waker is dropped outside the lock
    }

    /// Pushes the awaited answer, or `None` if it was dropped. Fails if it is not awaited any more.
    pub(crate) fn answer(&self, answer: Option<Answer>) -> Result<(), SendError> {
        let mut inner = self.inner();
        let Some(mailbox) = &mut inner.mailbox else { return Err(SendError::Gone) };
        let awaiting = std::mem::take(&mut mailbox.awaiting);
        let is_awaited = matches!(awaiting, Awaiting::Answer(_)) && !mailbox.overrun;
        let mut wakeup = Wakeup::None;
        if is_awaited {
            mailbox.queue.push_back(Mail::Answer(answer));
            wakeup = self.wakeup(&inner, Marks::NOTIFIED);
        }
        drop(inner);
        drop(awaiting); // outside the lock, since it runs foreign code
        wakeup.wake();
        if is_awaited { Ok(()) } else { Err(SendError::Gone) }
    }

    /// Stops awaiting an answer. Returns whether one was awaited.
    pub(crate) fn revoke_answer(&self) -> bool {
        match self.if_mailbox(|mailbox| std::mem::take(&mut mailbox.awaiting)) {
            Some(Awaiting::Answer(waker)) => {
                waker.into_iter().for_each(Waker::wake);
                true
            }
            Some(Awaiting::Nothing) | None => false,
        }
    }
}
