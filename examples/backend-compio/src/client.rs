//! The task of a client: it submits what the conversation asks for, and reports what completes.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use anyloop::backend::{Buffers, Conversation, MAX_READ, Output, Socket, Step};
use compio::BufResult;
use compio::buf::IoBuf;
use compio::driver::op::{
    Interest, PollOnce, Recv, RecvFlags, RecvManaged, ResultTakeBuffer, Send, SendFlags,
};
use compio::driver::{BufferRef, SharedFd};
use compio::runtime::submit;

use crate::worker::Shared;

/// Serves a client until it leaves.
pub(crate) async fn serve(worker: Rc<Shared>, slot: usize, socket: Socket, mut conversation: Conversation) {
    let mailbox = worker.register(&conversation, slot);
    let socket = SharedFd::new(socket);
    let blocked = Cell::new(false); // whether the system has no space for the output
    {
        let (mut receiving, mut sending) = (pin!(None), pin!(None));
        let mut step = Buffers::of_this_thread(|buffers| conversation.step(&*socket, buffers));
        loop {
            let mut has_turn = false;
            match step {
                Step::Send(output) => {
                    blocked.set(false);
                    sending.set(Some(send(&worker, socket.clone(), output, &blocked)));
                }
                Step::Receive | Step::Sending | Step::Wakeup => {}
                Step::Turn => {
                    yield_now().await;
                    has_turn = true; // but what has completed meanwhile comes first
                }
                Step::Blocking => {
                    conversation = worker.offload(conversation, slot, &mailbox).await;
                    has_turn = true;
                }
                Step::Over => break,
            }
            let mut has_stalled = false;
            let event = poll_fn(|cx| {
                if receiving.is_none() && !has_stalled && !conversation.is_behind() {
                    receiving.set(Some(receive(&worker, socket.clone())));
                }
                if let Some(operation) = sending.as_mut().as_pin_mut()
                    && let Poll::Ready((output, sent)) = operation.poll(cx)
                {
                    return Poll::Ready(Event::Sent(output, sent));
                }
                if blocked.replace(false) {
                    has_stalled = true;
                    Buffers::of_this_thread(|buffers| conversation.stalled(&*socket, buffers));
                }
                if let Some(operation) = receiving.as_mut().as_pin_mut()
                    && let Poll::Ready(received) = operation.poll(cx)
                {
                    return Poll::Ready(Event::Received(received));
                }
                if has_turn || conversation.is_marked() {
                    return Poll::Ready(Event::Step);
                }
                mailbox.register(cx);
                Poll::Pending
            })
            .await;
            step = Buffers::of_this_thread(|buffers| match event {
                Event::Sent(output, sent) => {
                    sending.set(None);
                    conversation.sent(output, sent, buffers)
                }
                Event::Received(received) => {
                    receiving.set(None);
                    match received {
                        Ok(Some(mut input)) => conversation.received(input.bytes(), buffers),
                        Ok(None) => conversation.received(&mut [], buffers),
                        Err(_) => {
                            conversation.mark_lost();
                            conversation.step(&*socket, buffers)
                        }
                    }
                }
                Event::Step => conversation.step(&*socket, buffers),
            });
        }
    }
    // The operations were dropped, which cancels them. Once none uses the socket, it is taken back.
    if let Some(socket) = socket.take().await {
        conversation.end(socket);
    }
    worker.leave(slot);
}

/// What the task of a client waits for.
enum Event {
    Sent(Output, io::Result<usize>),
    /// `None` at the end of the input.
    Received(io::Result<Option<Input>>),
    Step,
}

/// Input that was received.
enum Input {
    Pooled(BufferRef),
    Own(Vec<u8>, usize),
}

impl Input {
    fn bytes(&mut self) -> &mut [u8] {
        match self {
            Self::Pooled(buffer) => buffer,
            Self::Own(buffer, length) => &mut buffer[..*length],
        }
    }
}

/// Receives once. The buffer is one of the worker's, so that a client that is silent has none.
async fn receive(worker: &Shared, socket: SharedFd<Socket>) -> io::Result<Option<Input>> {
    if worker.is_polling {
        // This driver takes the buffer before it waits.
        submit(PollOnce::new(socket.clone(), Interest::Readable)).await.0?;
    }
    match RecvManaged::new(socket.clone(), &worker.pool, MAX_READ, RecvFlags::empty()) {
        Ok(operation) => {
            #[expect(unsafe_code, reason = "compio has no other way to take the buffer of an operation")]
            // SAFETY: the length is the one that the operation has returned.
            let input = unsafe { submit(operation).await.take_buffer() };
            match input {
                Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {}
                input => return Ok(input?.map(Input::Pooled)),
            }
        }
        Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {}
        Err(error) => return Err(error),
    }
    // All buffers of the worker are in use. There is input, so this one is not held for long.
    let BufResult(received, operation) =
        submit(Recv::new(socket, vec![0; MAX_READ], RecvFlags::empty())).await;
    let length = received?;
    Ok((length > 0).then(|| Input::Own(compio::buf::IntoInner::into_inner(operation), length)))
}

/// Lends output to the system.
struct Lent(Output);

impl IoBuf for Lent {
    fn as_init(&self) -> &[u8] {
        self.0.bytes()
    }
}

/// Sends once. Sets `blocked` when the system takes nothing, since the client doesn't read.
async fn send(
    worker: &Shared,
    socket: SharedFd<Socket>,
    output: Output,
    blocked: &Cell<bool>,
) -> (Output, io::Result<usize>) {
    let mut operation =
        pin!(submit(Send::new(socket.clone(), Lent(output), SendFlags::NOSIGNAL | SendFlags::DONTWAIT)));
    let mut is_first_poll = true;
    let BufResult(sent, returned) = poll_fn(|cx| {
        let polled = operation.as_mut().poll(cx);
        if worker.is_polling && is_first_poll && polled.is_pending() {
            blocked.set(true);
        }
        is_first_poll = false;
        polled
    })
    .await;
    let output = compio::buf::IntoInner::into_inner(returned).0;
    if !matches!(&sent, Err(error) if error.kind() == io::ErrorKind::WouldBlock) {
        return (output, sent);
    }
    blocked.set(true);
    let BufResult(sent, returned) = submit(Send::new(socket, Lent(output), SendFlags::NOSIGNAL)).await;
    (compio::buf::IntoInner::into_inner(returned).0, sent)
}

/// Lets the other tasks run first.
async fn yield_now() {
    let mut has_yielded = false;
    poll_fn(|cx| {
        if has_yielded {
            return Poll::Ready(());
        }
        has_yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
