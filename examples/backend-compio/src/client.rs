//! The task of a client: it starts the operations that the conversation asks for, and reports their results.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{self, Write};
use std::mem;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use anyloop::backend::{Buffers, Conversation, MAX_READ, Output, Socket, Step, WorkerContext};
use compio::BufResult;
use compio::buf::{IntoInner, IoBuf};
use compio::driver::op::{
    Interest, PollOnce, Recv, RecvFlags, RecvManaged, ResultTakeBuffer, Send, SendFlags,
};
use compio::driver::{BufferPool, BufferRef, SharedFd};
use compio::runtime::submit;

/// Serves a client until it leaves.
pub(crate) async fn serve(
    client: (Socket, Conversation),
    pool: BufferPool,
    worker: Rc<RefCell<WorkerContext>>,
) {
    let (socket, mut conversation) = client;
    let waker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
    conversation.register(&waker);
    let socket = SharedFd::new(socket); // operations own it as well
    {
        let (mut receiving, mut sending) = (pin!(None), pin!(None));
        let mut step = Buffers::of_this_thread(|buffers| conversation.step(&*socket, buffers));
        loop {
            let (mut yields, mut continues) = (false, false);
            match step {
                Step::Send(output) => match (&*socket).write(output.bytes()) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        Buffers::of_this_thread(|buffers| conversation.stalled(&*socket, buffers));
                        let flags = SendFlags::NOSIGNAL;
                        sending.set(Some(submit(Send::new(socket.clone(), Lent(output), flags))));
                    }
                    sent => {
                        step = Buffers::of_this_thread(|buffers| conversation.sent(output, sent, buffers));
                        continue;
                    }
                },
                Step::Receive | Step::Sending | Step::Wakeup => {}
                Step::Turn => (yields, continues) = (true, true),
                Step::Blocking => {
                    conversation = conversation.offloaded().await;
                    continues = true;
                }
                Step::Over => break,
            }
            step = poll_fn(|cx| {
                if mem::take(&mut yields) {
                    waker.wake_by_ref();
                    return Poll::Pending;
                }
                Buffers::of_this_thread(|buffers| {
                    if let Some(operation) = sending.as_mut().as_pin_mut()
                        && let Poll::Ready(BufResult(sent, operation)) = operation.poll(cx)
                    {
                        sending.set(None);
                        return Poll::Ready(conversation.sent(operation.into_inner().0, sent, buffers));
                    }
                    if receiving.is_none() && sending.is_none() && !conversation.is_behind() {
                        receiving.set(Some(receive(socket.clone(), &pool)));
                    }
                    if let Some(operation) = receiving.as_mut().as_pin_mut()
                        && let Poll::Ready(received) = operation.poll(cx)
                    {
                        receiving.set(None);
                        if let Ok((mut pooled, mut own)) = received {
                            let input = pooled.as_deref_mut().unwrap_or(&mut own);
                            return Poll::Ready(conversation.received(input, buffers));
                        }
                        conversation.mark_lost();
                        continues = true;
                    }
                    // What has completed comes first. Otherwise a conversation that always has a turn would not receive.
                    if continues || conversation.is_marked() {
                        return Poll::Ready(conversation.step(&*socket, buffers));
                    }
                    Poll::Pending
                })
            })
            .await;
        }
    }
    // The operations were dropped, which cancels them. The socket is closed once they no longer own it.
    if let Some(socket) = socket.take().await {
        conversation.end(socket);
    }
    worker.borrow().client_left();
}

/// Output that is lent to the system.
struct Lent(Output);

impl IoBuf for Lent {
    fn as_init(&self) -> &[u8] {
        self.0.bytes()
    }
}

/// Receives once. The input is in a buffer of the pool, of which a silent client occupies none, or if all are in use, in
/// one of its own. At the end of the input it is empty.
async fn receive(socket: SharedFd<Socket>, pool: &BufferPool) -> io::Result<(Option<BufferRef>, Vec<u8>)> {
    let readable = || async { submit(PollOnce::new(socket.clone(), Interest::Readable)).await.0 };
    if !pool.is_io_uring()? {
        readable().await?; // epoll's driver takes the buffer before it waits
    }
    let received = match RecvManaged::new(socket.clone(), pool, MAX_READ, RecvFlags::empty()) {
        #[expect(unsafe_code, reason = "compio has no safe way to take the buffer of an operation")]
        // SAFETY: the length is the one that the operation has returned.
        Ok(operation) => unsafe { submit(operation).await.take_buffer() },
        Err(error) => Err(error),
    };
    match received {
        Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
            readable().await?;
            let operation = Recv::new(socket.clone(), vec![0; MAX_READ], RecvFlags::empty());
            let BufResult(length, operation) = submit(operation).await;
            let mut own = operation.into_inner();
            own.truncate(length?);
            Ok((None, own))
        }
        received => Ok((received?, Vec::new())),
    }
}
