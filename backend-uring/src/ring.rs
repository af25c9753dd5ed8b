//! The ring: operations go to the kernel, completions come back. What the kernel holds while it works stays
//! with the ring until then.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::Duration;

use common::Output;
use io_uring::types::{Fd, SubmitArgs, Timespec};
use io_uring::{IoUring, Probe, cqueue, opcode, squeue};
use rustix::io::Errno;
use slab::Slab;

use crate::buffers::{GROUP, ProvidedBuffers};

/// A ring.
pub(crate) struct Ring {
    ring: IoUring,
    buffers: Option<ProvidedBuffers>,
    /// What is being sent.
    outputs: Slab<Output>,
    completed: VecDeque<cqueue::Entry>,
}

/// What the kernel says is done. `more` is whether the same operation will complete again.
pub(crate) enum Completion {
    Listener { result: io::Result<()> },
    Received { slot: usize, received: io::Result<Received>, more: bool },
    Sent { slot: usize, output: Output, sent: io::Result<usize> },
    Notified { more: bool },
}

/// How long to wait until something is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    No,
    /// For [`MOMENT`].
    Moment,
    Endless,
}

/// How long is waited for what has been sent, before its client is taken for one that has to be waited for.
const MOMENT: Duration = Duration::from_millis(10);

/// What was received: so many bytes in this buffer; none is the end of the input.
pub(crate) struct Received {
    pub(crate) buffer: Option<u16>,
    pub(crate) count: usize,
}

/// What an operation's completion is told apart by: its kind, what it sends, and the slot of its client.
#[derive(Clone, Copy)]
struct Token(u64);

const LISTENER: u64 = 0;
const RECEIVE: u64 = 1;
const SEND: u64 = 2;
const NOTIFIER: u64 = 3;
const CANCEL: u64 = 4;

impl Token {
    fn new(kind: u64, output: usize, slot: usize) -> Self {
        Self(kind << 60 | (output as u64) << 32 | slot as u64)
    }
}

/// How many operations fit into one submission, and how many completions wait.
const ENTRIES: u32 = 256;
const COMPLETIONS: u32 = 4096;

impl Ring {
    /// A ring that is not [enabled](Self::enable) yet.
    ///
    /// # Errors
    /// `Unsupported`, which says what is missing.
    pub(crate) fn new() -> io::Result<Self> {
        let ring = build().map_err(|error| missing(&error))?;
        let mut probe = Probe::new();
        ring.submitter().register_probe(&mut probe).map_err(|error| missing(&error))?;
        // What it is used for came with Linux 6.0, as did this operation; that it can be received many times
        // over by one operation can't be asked for.
        if !probe.is_supported(opcode::SendZc::CODE) {
            return Err(unsupported("the kernel is older than Linux 6.0, and can't receive without end"));
        }
        let buffers = ProvidedBuffers::new(&ring).map_err(|error| missing(&error))?;
        Ok(Self { ring, buffers: Some(buffers), outputs: Slab::new(), completed: VecDeque::new() })
    }

    /// Makes this thread the one that uses it.
    pub(crate) fn enable(&self) -> io::Result<()> {
        self.ring.submitter().register_enable_rings()
    }

    /// Waits once for clients.
    pub(crate) fn watch_listener(&mut self, listener: impl AsFd) {
        let poll = opcode::PollAdd::new(descriptor(listener.as_fd()), libc::POLLIN as u32);
        self.push(poll.build(), Token::new(LISTENER, 0, 0));
    }

    /// Ends the waiting for clients.
    pub(crate) fn cancel_listener(&mut self) {
        self.cancel(Token::new(LISTENER, 0, 0));
    }

    /// Receives all that comes for the client in this slot.
    pub(crate) fn receive(&mut self, socket: impl AsFd, slot: usize) {
        let entry = opcode::RecvMulti::new(descriptor(socket.as_fd()), GROUP).build();
        self.push(entry, Token::new(RECEIVE, 0, slot));
    }

    /// Sends an output to the client in this slot. Returns what to [cancel](Self::cancel_send) it by.
    pub(crate) fn send(&mut self, socket: impl AsFd, slot: usize, output: Output) -> usize {
        let key = self.outputs.insert(output);
        let bytes = self.outputs[key].bytes();
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let send = opcode::Send::new(descriptor(socket.as_fd()), bytes.as_ptr(), length);
        self.push(send.flags(libc::MSG_NOSIGNAL).build(), Token::new(SEND, key, slot));
        key
    }

    /// Waits for the notifier, again and again.
    pub(crate) fn watch_notifier(&mut self, notifier: impl AsFd) {
        let poll = opcode::PollAdd::new(descriptor(notifier.as_fd()), libc::POLLIN as u32);
        self.push(poll.multi(true).build(), Token::new(NOTIFIER, 0, 0));
    }

    /// Ends the receiving for the client in this slot.
    pub(crate) fn cancel_receive(&mut self, slot: usize) {
        self.cancel(Token::new(RECEIVE, 0, slot));
    }

    /// Ends a sending.
    pub(crate) fn cancel_send(&mut self, key: usize, slot: usize) {
        self.cancel(Token::new(SEND, key, slot));
    }

    /// Submits what was asked for, and fetches what is done; waits for that as long as it is told to.
    pub(crate) fn submit(&mut self, wait: Wait) -> io::Result<()> {
        if let Some(buffers) = &mut self.buffers {
            buffers.publish();
        }
        let submitted = match wait {
            Wait::No => self.ring.submit(),
            Wait::Moment => {
                let moment = Timespec::from(MOMENT);
                self.ring.submitter().submit_with_args(1, &SubmitArgs::new().timespec(&moment))
            }
            Wait::Endless => self.ring.submit_and_wait(1),
        };
        match submitted {
            Ok(_) => {}
            // The time is up, or it was interrupted; or there are so many completions that they have to be fetched first.
            Err(error)
                if matches!(
                    error.raw_os_error(),
                    Some(libc::ETIME | libc::EINTR | libc::EBUSY | libc::EAGAIN)
                ) => {}
            Err(error) => return Err(error),
        }
        self.completed.extend(self.ring.completion());
        Ok(())
    }

    /// The next that is done, of what was fetched.
    pub(crate) fn next(&mut self) -> Option<Completion> {
        loop {
            let entry = self.completed.pop_front()?;
            let (kind, slot) = (entry.user_data() >> 60, entry.user_data() as u32 as usize);
            let result =
                usize::try_from(entry.result()).map_err(|_| io::Error::from_raw_os_error(-entry.result()));
            let more = cqueue::more(entry.flags());
            return Some(match kind {
                LISTENER => Completion::Listener { result: result.map(drop) },
                RECEIVE => {
                    let buffer = cqueue::buffer_select(entry.flags());
                    let received = result.map(|count| Received { buffer, count });
                    Completion::Received { slot, received, more }
                }
                SEND => {
                    let output = self.outputs.remove((entry.user_data() << 4 >> 36) as usize);
                    Completion::Sent { slot, output, sent: result }
                }
                NOTIFIER => Completion::Notified { more },
                _ => continue, // a cancellation, which shows in what was cancelled
            });
        }
    }

    /// What was received.
    pub(crate) fn bytes(&mut self, received: &Received) -> &mut [u8] {
        match (&mut self.buffers, received.buffer) {
            (Some(buffers), Some(buffer)) => buffers.bytes(buffer, received.count),
            _ => &mut [],
        }
    }

    /// What was received has been looked at.
    pub(crate) fn provide_again(&mut self, received: Received) {
        if let (Some(buffers), Some(buffer)) = (&mut self.buffers, received.buffer) {
            buffers.provide(buffer);
        }
    }

    fn cancel(&mut self, token: Token) {
        self.push(opcode::AsyncCancel::new(token.0).build(), Token::new(CANCEL, 0, 0));
    }

    #[expect(unsafe_code, reason = "the kernel reads what an operation points at")]
    fn push(&mut self, entry: squeue::Entry, token: Token) {
        let entry = entry.user_data(token.0);
        // SAFETY: what it points at is an output, which stays here until its completion, or a provided
        // buffer; its descriptor is open now, and the kernel holds what it stands for from the submission on.
        while unsafe { self.ring.submission().push(&entry) }.is_err() {
            // There is no room: what is there goes to the kernel first, and what is done may stand in its way.
            if let Err(error) = self.ring.submit() {
                tracing::debug!(%error, "the ring takes nothing; it tries again");
                self.completed.extend(self.ring.completion());
            }
        }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        if let Some(buffers) = self.buffers.take() {
            buffers.free(&self.ring);
        }
        // The kernel may still be reading them.
        std::mem::forget(std::mem::take(&mut self.outputs));
    }
}

/// A ring for one thread, whose work is done when that thread asks for it, where the kernel has that (Linux 6.1).
fn build() -> io::Result<IoUring> {
    let mut builder = IoUring::builder();
    builder.setup_cqsize(COMPLETIONS).setup_r_disabled();
    let mut best = builder.clone();
    best.setup_single_issuer().setup_defer_taskrun().setup_taskrun_flag();
    match best.build(ENTRIES) {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => builder.build(ENTRIES),
        built => built,
    }
}

/// What an error of the setup means, and what to do.
fn missing(error: &io::Error) -> io::Error {
    unsupported(&match Errno::from_io_error(error) {
        Some(Errno::NOSYS) => "the kernel has no io_uring".to_owned(),
        Some(Errno::PERM | Errno::ACCESS) => {
            "io_uring is forbidden here, by the sysctl kernel.io_uring_disabled \
             or by a sandbox's filter of system calls"
                .to_owned()
        }
        Some(Errno::INVAL) => {
            "the kernel is older than Linux 6.0, and has no ring of provided buffers".to_owned()
        }
        _ => return io::Error::new(error.kind(), format!("an io_uring can't be set up: {error}")),
    })
}

fn unsupported(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, format!("{why}; choose another backend, such as epoll"))
}

fn descriptor(descriptor: BorrowedFd<'_>) -> Fd {
    Fd(descriptor.as_raw_fd())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_said() {
        for (errno, said) in [
            (Errno::NOSYS, "the kernel has no io_uring; choose another backend, such as epoll"),
            (Errno::PERM, "kernel.io_uring_disabled"),
            (Errno::INVAL, "older than Linux 6.0"),
        ] {
            let error = missing(&errno.into());
            assert_eq!(error.kind(), io::ErrorKind::Unsupported);
            assert!(error.to_string().contains(said), "{error}");
        }
        assert!(missing(&Errno::NOMEM.into()).to_string().contains("can't be set up"));
    }
}
