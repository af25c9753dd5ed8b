//! Sessions that answer by an `async fn`.

#[cfg(test)]
mod tests;

use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use crate::{Answer, Client, Flow, Handler, Replies, Session};

/// A session that answers each message by a future. [`AsyncHandler`] serves it on every backend.
pub trait AsyncSession: Send + 'static {
    /// Answers one message. The next one waits for the answer. The future is dropped if the client leaves before.
    fn message(&mut self, message: &[u8]) -> impl Future<Output = Answer> + Send;

    /// The answer to a message whose future is not complete when the server stops. The future is dropped then. By default, or
    /// with `None`, the server awaits it until the drain deadline.
    fn stopping(message: &[u8]) -> Option<Answer> {
        let _ = message;
        None
    }
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
        let shared = Shared { session: Some((self.open)(client)), is_stopping: false, waker: None };
        Box::new(Asynchronous { shared: Arc::new(Mutex::new(shared)), spawn: Arc::clone(&self.spawn) })
    }
}

impl<O, S> fmt::Debug for AsyncHandler<O, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncHandler").finish_non_exhaustive()
    }
}

struct Asynchronous<A, S> {
    shared: Arc<Mutex<Shared<A>>>,
    spawn: Arc<S>,
}

/// What a session and the future that answers its message share.
struct Shared<A> {
    /// `None` while a message is being answered, and after a panic.
    session: Option<A>,
    /// Whether the server is stopping.
    is_stopping: bool,
    /// The task that answers a message, which is woken at a stop.
    waker: Option<Waker>,
}

impl<A: AsyncSession, S: Fn(Answering) + Send + Sync + 'static> Session for Asynchronous<A, S> {
    fn message(&mut self, message: &[u8], out: &mut Replies<'_>) -> Flow {
        let later = out.later();
        let session = locked(&self.shared).session.take();
        // The next message comes after the answer, so the session is there, unless it panicked. Then the answer is dropped.
        let Some(mut session) = session else { return Flow::Continue };
        let (message, shared) = (message.to_vec(), Arc::clone(&self.shared));
        (self.spawn)(Box::pin(async move {
            let answer = {
                let mut answering = pin!(session.message(&message));
                let mut gone = pin!(later.gone());
                poll_fn(|cx| {
                    if let Poll::Ready(answer) = answering.as_mut().poll(cx) {
                        return Poll::Ready(Some(answer));
                    }
                    if gone.as_mut().poll(cx).is_ready() {
                        return Poll::Ready(None);
                    }
                    let is_stopping = register(&shared, cx.waker());
                    match if is_stopping { A::stopping(&message) } else { None } {
                        Some(answer) => Poll::Ready(Some(answer)),
                        None => Poll::Pending,
                    }
                })
                .await
            };
            // Before the answer, after which the next message may come.
            let mut place = locked(&shared);
            place.session = Some(session);
            let waker = place.waker.take();
            drop(place);
            drop(waker); // outside the lock, since it runs foreign code
            if let Some(answer) = answer {
                let _ = later.answer(answer); // fails if the client has left
            }
        }));
        Flow::Continue
    }

    fn stopping(&mut self, _out: &mut Replies<'_>) -> Flow {
        let mut shared = locked(&self.shared);
        shared.is_stopping = true;
        let waker = shared.waker.take();
        drop(shared);
        if let Some(waker) = waker {
            waker.wake();
        }
        Flow::Continue
    }
}

/// Registers `waker` to be woken at a stop. Returns whether the server is stopping already.
fn register<A>(shared: &Mutex<Shared<A>>, waker: &Waker) -> bool {
    let waker = waker.clone();
    let mut shared = locked(shared);
    let is_stopping = shared.is_stopping;
    let earlier = shared.waker.replace(waker);
    drop(shared);
    drop(earlier); // outside the lock, since it runs foreign code
    is_stopping
}

fn locked<A>(shared: &Mutex<Shared<A>>) -> MutexGuard<'_, Shared<A>> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
