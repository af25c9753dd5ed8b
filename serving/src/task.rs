//! Conversations in tasks, and handlers that run on other threads.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use crate::{Buffers, Conversation, Transport, Wait};

impl Conversation {
    /// [Advances](Self::advance) the conversation in a task, until it returns [`Turn`](Wait::Turn),
    /// [`Blocking`](Wait::Blocking) or [`Over`](Wait::Over). `socket` must be non-blocking. `poll_ready` waits for the socket to
    /// be [`Readable`](Wait::Readable) or [`Writable`](Wait::Writable), depending on its argument.
    pub fn poll_advance(
        &mut self,
        mut socket: impl Transport,
        cx: &mut Context<'_>,
        mut poll_ready: impl FnMut(&mut Context<'_>, Wait) -> Poll<io::Result<()>>,
    ) -> Poll<Wait> {
        self.register(cx.waker());
        // A task that waited for input is polled because some has come, unless the conversation is marked.
        if std::mem::take(&mut self.waits_for_input) && !self.is_marked() {
            self.ready(false);
        }
        loop {
            // The buffers of the thread are borrowed for one advance, never across an await.
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

    /// Runs the handler on one of the server's [threads](common::Service::blocking_threads) for handlers that block, and then
    /// passes the conversation to `returned` on that thread.
    pub fn offload(mut self, returned: impl FnOnce(Self) + Send + 'static) {
        let threads = Arc::clone(&self.state.blocking_threads);
        threads.run(move || {
            Buffers::of_this_thread(|buffers| self.run(buffers));
            returned(self);
        });
    }

    /// Like [`offload`](Self::offload), for a task, which awaits the conversation.
    pub fn offloaded(self) -> Offloaded {
        let slot = Arc::new(Mutex::new(Slot::default()));
        let returned = Arc::clone(&slot);
        self.offload(move |conversation| {
            let mut slot = returned.lock().unwrap_or_else(PoisonError::into_inner);
            slot.conversation = Some(conversation);
            let waker = slot.waker.take();
            drop(slot);
            if let Some(waker) = waker {
                waker.wake();
            }
        });
        Offloaded(slot)
    }
}

/// A future that returns a conversation once its handler has run on another thread.
#[must_use = "the future returns the conversation"]
#[derive(Debug)]
pub struct Offloaded(Arc<Mutex<Slot>>);

/// Where the conversation is returned.
#[derive(Debug, Default)]
struct Slot {
    conversation: Option<Conversation>,
    waker: Option<Waker>,
}

impl Future for Offloaded {
    type Output = Conversation;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Conversation> {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match slot.conversation.take() {
            Some(conversation) => Poll::Ready(conversation),
            None => {
                slot.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}
