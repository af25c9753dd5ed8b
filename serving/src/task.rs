//! A conversation within a task, and one whose handler is called elsewhere meanwhile.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use crate::{Buffers, Conversation, Transport, Wait};

impl Conversation {
    /// [Advances](Self::advance) within a task until it needs something else than its socket, which doesn't block.
    /// `poll_ready` waits until that is [`Readable`](Wait::Readable) or [`Writable`](Wait::Writable), as it is told.
    pub fn poll_advance(
        &mut self,
        mut socket: impl Transport,
        cx: &mut Context<'_>,
        mut poll_ready: impl FnMut(&mut Context<'_>, Wait) -> Poll<io::Result<()>>,
    ) -> Poll<Wait> {
        self.register(cx.waker());
        // As a rule, a task that waited for input is polled because some has come; if it has marks, because of these.
        if std::mem::take(&mut self.waits_for_input) && !self.is_marked() {
            self.ready(false);
        }
        loop {
            // The thread's buffers are lent for the advance alone, never across an await.
            match Buffers::of_this_thread(|buffers| self.advance(&mut socket, buffers)) {
                wait @ (Wait::Readable | Wait::Writable) => {
                    self.waits_for_input = wait == Wait::Readable;
                    match ready!(poll_ready(cx, wait)) {
                        Ok(()) => self.ready(false),
                        Err(_) => self.mark_lost(),
                    }
                }
                Wait::Wakeup => return Poll::Pending,
                wait @ (Wait::Turn | Wait::Blocking | Wait::Over) => return Poll::Ready(wait),
            }
        }
    }

    /// Has the handler do what waits on one of the server's threads for handlers that block, of which there are
    /// [so many](common::Service::blocking_threads), and then calls `back` there with the conversation.
    pub fn offload(mut self, back: impl FnOnce(Self) + Send + 'static) {
        let threads = Arc::clone(&self.state.blocking_threads);
        threads.run(move || {
            Buffers::of_this_thread(|buffers| self.run(buffers));
            back(self);
        });
    }

    /// As [`offload`](Self::offload), for a task, which waits until the conversation is back.
    pub fn offloaded(self) -> Offloaded {
        let way = Arc::new(Mutex::new(Way::default()));
        let arrival = Arc::clone(&way);
        self.offload(move |conversation| {
            let mut way = arrival.lock().unwrap_or_else(PoisonError::into_inner);
            way.back = Some(conversation);
            let waker = way.waker.take();
            drop(way);
            if let Some(waker) = waker {
                waker.wake();
            }
        });
        Offloaded(way)
    }
}

/// A conversation whose handler is being called elsewhere. It is a future that returns the conversation.
#[must_use = "the conversation comes back by it"]
#[derive(Debug)]
pub struct Offloaded(Arc<Mutex<Way>>);

/// By which it comes back.
#[derive(Debug, Default)]
struct Way {
    back: Option<Conversation>,
    waker: Option<Waker>,
}

impl Future for Offloaded {
    type Output = Conversation;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Conversation> {
        let mut way = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match way.back.take() {
            Some(conversation) => Poll::Ready(conversation),
            None => {
                way.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}
