//! Sessions that answer by an `async fn`.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use crate::{Answer, Client, Flow, Handler, Replies, Session};

/// A session that answers each message by a future. [`AsyncHandler`] serves it on every backend.
pub trait AsyncSession: Send + 'static {
    /// Answers one message. The next one waits for the answer. The future is dropped if the client leaves before.
    fn message(&mut self, message: &[u8]) -> impl Future<Output = Answer> + Send;
}

/// The work of answering a message, which a runtime polls.
pub type Answering = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A handler whose sessions answer by futures. It opens each session by a function, and passes its futures to another, which
/// spawns them on a runtime.
///
/// ```
/// use std::sync::Arc;
///
/// use anyloop::testing::TestClient;
/// use anyloop::{Answer, AsyncHandler, AsyncSession, Framing, Service};
///
/// /// Sums up the numbers that a client sends.
/// struct Sum(u64);
///
/// impl AsyncSession for Sum {
///     async fn message(&mut self, message: &[u8]) -> Answer {
///         match parse(message).await {
///             Some(number) => self.0 += number,
///             None => return Answer::Reject("not-a-number".to_owned()),
///         }
///         self.0.to_string().into()
///     }
/// }
///
/// /// It could as well be a query to a database.
/// async fn parse(message: &[u8]) -> Option<u64> {
///     std::str::from_utf8(message).ok()?.parse().ok()
/// }
///
/// # fn block_on(mut answering: anyloop::Answering) {
/// #     let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
/// #     while answering.as_mut().poll(&mut cx).is_pending() {}
/// # }
/// // With tokio: `|answering| drop(tokio::spawn(answering))`; with smol: `|answering| smol::spawn(answering).detach()`.
/// let handler = AsyncHandler::new(|_client| Sum(0), |answering| block_on(answering));
/// let mut client = TestClient::connect(Service::framed(Arc::new(handler), Framing::Line));
/// client.say("1\n20\nx\n300\n");
/// assert_eq!(client.heard(), "1\n21\nERR not-a-number\n321\n");
/// ```
pub struct AsyncHandler<O, S> {
    open: O,
    spawn: Arc<S>,
}

impl<A, O, S> AsyncHandler<O, S>
where
    A: AsyncSession,
    O: Fn(&Client) -> A + Send + Sync,
    S: Fn(Answering) + Send + Sync + 'static,
{
    /// A handler that opens each session by `open`, and passes the futures that answer to `spawn`.
    pub fn new(open: O, spawn: S) -> Self {
        Self { open, spawn: Arc::new(spawn) }
    }
}

impl<A, O, S> Handler for AsyncHandler<O, S>
where
    A: AsyncSession,
    O: Fn(&Client) -> A + Send + Sync,
    S: Fn(Answering) + Send + Sync + 'static,
{
    fn open(&self, client: &Client, _out: &mut Replies<'_>) -> Box<dyn Session> {
        let session = Arc::new(Mutex::new(Some((self.open)(client))));
        Box::new(Asynchronous { session, spawn: Arc::clone(&self.spawn) })
    }
}

impl<O, S> fmt::Debug for AsyncHandler<O, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncHandler").finish_non_exhaustive()
    }
}

struct Asynchronous<A, S> {
    /// `None` while a message is being answered, and after a panic.
    session: Arc<Mutex<Option<A>>>,
    spawn: Arc<S>,
}

impl<A: AsyncSession, S: Fn(Answering) + Send + Sync + 'static> Session for Asynchronous<A, S> {
    fn message(&mut self, message: &[u8], out: &mut Replies<'_>) -> Flow {
        let later = out.later();
        let session = self.session.lock().unwrap_or_else(PoisonError::into_inner).take();
        // The next message comes after the answer, so the session is there, unless it panicked. Then the answer is dropped.
        let Some(mut session) = session else { return Flow::Continue };
        let (message, place) = (message.to_vec(), Arc::clone(&self.session));
        (self.spawn)(Box::pin(async move {
            let answer = {
                let mut answering = std::pin::pin!(session.message(&message));
                let mut gone = std::pin::pin!(later.gone());
                std::future::poll_fn(|cx| {
                    let answer = answering.as_mut().poll(cx).map(Some);
                    if answer.is_pending() { gone.as_mut().poll(cx).map(|()| None) } else { answer }
                })
                .await
            };
            // Before the answer, after which the next message may come.
            *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(session);
            if let Some(answer) = answer {
                let _ = later.answer(answer); // fails if the client has left
            }
        }));
        Flow::Continue
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::task::{Context, Poll, Waker};

    use super::*;
    use crate::testing::TestClient;
    use crate::{CloseReason, Framing, Service};

    /// Answers what `Waits` lets through.
    struct Waits(Arc<Mutex<bool>>);

    impl AsyncSession for Waits {
        async fn message(&mut self, message: &[u8]) -> Answer {
            match message {
                b"panic" => panic!("a session's panic"),
                b"bye" => Answer::Close(b"bye".to_vec()),
                _ => {
                    std::future::poll_fn(|_| {
                        if *self.0.lock().unwrap() { Poll::Ready(()) } else { Poll::Pending }
                    })
                    .await;
                    message.to_vec().into()
                }
            }
        }
    }

    /// A client, the futures that answer it, and whether they may.
    fn connect() -> (TestClient, std::sync::mpsc::Receiver<Answering>, Arc<Mutex<bool>>) {
        let (sender, spawned) = channel();
        let lets_through = Arc::new(Mutex::new(true));
        let shown = Arc::clone(&lets_through);
        let handler = AsyncHandler::new(
            move |_: &Client| Waits(Arc::clone(&shown)),
            move |answering| sender.send(answering).unwrap(),
        );
        let client = TestClient::connect(Service::framed(Arc::new(handler), Framing::Line));
        (client, spawned, lets_through)
    }

    fn poll(answering: &mut Answering) -> bool {
        answering.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    #[test]
    fn messages_are_answered_one_after_the_other() {
        let (mut client, spawned, _) = connect();
        client.say("one\ntwo\nbye\nignored\n");
        for expected in ["one\n", "two\n", "bye\n"] {
            assert_eq!(client.heard(), "");
            assert!(poll(&mut spawned.try_recv().unwrap()));
            assert_eq!(client.heard(), expected);
        }
        assert_eq!(client.over(), Some(CloseReason::Exit));
    }

    #[test]
    fn a_future_ends_when_its_client_is_gone() {
        let (mut client, spawned, lets_through) = connect();
        *lets_through.lock().unwrap() = false;
        client.say("one\n");
        let mut answering = spawned.try_recv().unwrap();
        assert!(!poll(&mut answering));
        drop(client);
        assert!(poll(&mut answering));
    }

    #[test]
    fn a_panic_and_a_dropped_future_end_the_conversation() {
        let (mut client, spawned, _) = connect();
        client.say("panic\n");
        let answering = spawned.try_recv().unwrap();
        assert!(crate::guarded(move || poll(&mut { answering })).is_none());
        assert_eq!(
            (client.heard().as_str(), client.over()),
            ("ERR internal\n", Some(CloseReason::Unanswered))
        );

        let (mut client, spawned, _) = connect();
        client.say("one\n");
        drop(spawned.try_recv().unwrap());
        assert_eq!(
            (client.heard().as_str(), client.over()),
            ("ERR internal\n", Some(CloseReason::Unanswered))
        );
    }
}
