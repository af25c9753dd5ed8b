//! Conversations in tasks, and handlers that run on other threads.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use common::sync::Mutex;

use crate::{Buffers, Conversation, Transport, Wait};

impl Conversation {
    /// [Advances](Self::advance) the conversation in a task, until it returns [`Turn`](Wait::Turn),
    /// [`Blocking`](Wait::Blocking) or [`Over`](Wait::Over). `socket` must be non-blocking. `poll_ready` waits for the socket to
    /// be [`Readable`](Wait::Readable) or [`Writable`](Wait::Writable), depending on its argument.
    ///
    /// While an answer is pending, it also waits for the socket to be readable, as it is if it fails. If it has not failed then,
    /// the task waits for nothing but its waker, since a runtime would report the unread input again and again.
    pub fn poll_advance(
        &mut self,
        mut socket: impl Transport,
        cx: &mut Context<'_>,
        mut poll_ready: impl FnMut(&mut Context<'_>, Wait) -> Poll<io::Result<()>>,
    ) -> Poll<Wait> {
        self.register(cx.waker());
        // A task that waited for its socket is polled because that is ready, unless the conversation is marked.
        if std::mem::take(&mut self.waits_for_socket) {
            if self.is_marked() { self.has_watched = false } else { self.ready(false) }
        }
        loop {
            // The buffers of the thread are borrowed for one advance, never across an await.
            match Buffers::of_this_thread(|buffers| self.advance(&mut socket, buffers)) {
                Wait::Wakeup if std::mem::replace(&mut self.has_watched, true) => return Poll::Pending,
                wait @ (Wait::Readable | Wait::Writable | Wait::Wakeup) => {
                    self.waits_for_socket = wait != Wait::Writable;
                    self.has_watched &= wait != Wait::Readable;
                    let event = if wait == Wait::Writable { wait } else { Wait::Readable };
                    match ready!(poll_ready(cx, event)) {
                        Ok(()) => self.ready(false),
                        Err(_) => self.mark_lost(),
                    }
                }
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
