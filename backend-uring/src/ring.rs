//! The ring: submits operations to the kernel and returns their completions. It owns the memory that the kernel uses.

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
    buffers: ProvidedBuffers,
    /// The outputs that are being sent.
    outputs: Slab<Output>,
    completed: VecDeque<cqueue::Entry>,
}

/// The completion of an operation. With `more`, the same operation will complete again.
pub(crate) enum Completion {
    Listener { result: io::Result<()> },
    Notifier { more: bool },
    Received { slot: usize, received: io::Result<Received>, more: bool },
    Sent { slot: usize, output: Output, sent: io::Result<usize> },
}

/// Received bytes: `count` bytes in this buffer, or no buffer at the end of the input.
pub(crate) struct Received {
    buffer: Option<u16>,
    count: usize,
}

/// Identifies an operation by its kind, the key of its output, and the slot of its client.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token(u64);

const LISTENER: u64 = 0;
const RECEIVE: u64 = 1;
const SEND: u64 = 2;
const NOTIFIER: u64 = 3;
const CANCEL: u64 = 4;

impl Token {
    /// The poll of the listener.
    pub(crate) const LISTENER: Self = Self::new(LISTENER, 0, 0);

    /// Receiving from the client in this slot.
    pub(crate) fn receive(slot: usize) -> Self {
        Self::new(RECEIVE, 0, slot)
    }

    /// Sending the output with this key to the client in this slot.
    pub(crate) fn send(output: u32, slot: usize) -> Self {
        Self::new(SEND, output, slot)
    }

    const fn new(kind: u64, output: u32, slot: usize) -> Self {
        Self(kind << 60 | (output as u64) << 32 | slot as u64)
    }
}

/// The sizes of the submission queue and of the completion queue.
const ENTRIES: u32 = 256;
const COMPLETIONS: u32 = 4096;

impl Ring {
    /// Creates a ring, to be [enabled](Self::enable) by the thread that uses it.
    ///
    /// # Errors
    /// `Unsupported`, with what is missing, if the kernel or a sandbox doesn't support the ring.
    pub(crate) fn new() -> io::Result<Self> {
        let ring = build().map_err(|error| setup_error(&error))?;
        let mut probe = Probe::new();
        ring.submitter().register_probe(&mut probe).map_err(|error| setup_error(&error))?;
        // A probe can't find multishot receive, which came with Linux 6.0, but it finds this operation, which came with it.
        if !probe.is_supported(opcode::SendZc::CODE) {
            return Err(unsupported("the kernel is older than Linux 6.0, and has no multishot receive"));
        }
        let buffers = ProvidedBuffers::new(&ring).map_err(|error| setup_error(&error))?;
        Ok(Self { ring, buffers, outputs: Slab::new(), completed: VecDeque::new() })
    }

    /// Enables the ring for the current thread.
    pub(crate) fn enable(&self) -> io::Result<()> {
        self.ring.submitter().register_enable_rings()
    }

    /// Polls the listener, once.
    pub(crate) fn poll_listener(&mut self, listener: impl AsFd) {
        let poll = opcode::PollAdd::new(descriptor(listener.as_fd()), libc::POLLIN as u32);
        self.push(poll.build(), Token::LISTENER);
    }

    /// Polls the notifier, repeatedly.
    pub(crate) fn poll_notifier(&mut self, notifier: impl AsFd) {
        let poll = opcode::PollAdd::new(descriptor(notifier.as_fd()), libc::POLLIN as u32);
        self.push(poll.multi(true).build(), Token::new(NOTIFIER, 0, 0));
    }

    /// Receives input of the client in this slot, repeatedly.
    pub(crate) fn receive(&mut self, socket: impl AsFd, slot: usize) {
        let entry = opcode::RecvMulti::new(descriptor(socket.as_fd()), GROUP).build();
        self.push(entry, Token::receive(slot));
    }

    /// Sends an output to the client in this slot. Returns the key of the output.
    pub(crate) fn send(&mut self, socket: impl AsFd, slot: usize, output: Output) -> u32 {
        let key = self.outputs.insert(output);
        let bytes = self.outputs[key].bytes();
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let send = opcode::Send::new(descriptor(socket.as_fd()), bytes.as_ptr(), length);
        let key = key as u32; // there are fewer outputs than clients, and fewer clients than 2^28
        self.push(send.flags(libc::MSG_NOSIGNAL).build(), Token::send(key, slot));
        key
    }

    /// Cancels an operation, which then completes.
    pub(crate) fn cancel(&mut self, token: Token) {
        self.push(opcode::AsyncCancel::new(token.0).build(), Token::new(CANCEL, 0, 0));
    }

    /// Submits the operations and fetches completions. Waits until there is at least one, or for `timeout`.
    pub(crate) fn submit(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.buffers.publish();
        let submitted = match timeout {
            None => self.ring.submit_and_wait(1),
            Some(Duration::ZERO) => self.ring.submit(),
            Some(timeout) => {
                let timeout = Timespec::from(timeout);
                self.ring.submitter().submit_with_args(1, &SubmitArgs::new().timespec(&timeout))
            }
        };
        match submitted.map_err(|error| (error.raw_os_error(), error)) {
            Ok(_) => {}
            // The time is up, a signal has interrupted the call, or completions must be fetched first.
            Err((Some(libc::ETIME | libc::EINTR | libc::EBUSY | libc::EAGAIN), _)) => {}
            Err((_, error)) => return Err(error),
        }
        self.completed.extend(self.ring.completion());
        Ok(())
    }

    /// Takes the next fetched completion.
    pub(crate) fn next(&mut self) -> Option<Completion> {
        loop {
            let entry = self.completed.pop_front()?;
            let (kind, slot) = (entry.user_data() >> 60, entry.user_data() as u32 as usize);
            let result =
                usize::try_from(entry.result()).map_err(|_| io::Error::from_raw_os_error(-entry.result()));
            let more = cqueue::more(entry.flags());
            return Some(match kind {
                LISTENER => Completion::Listener { result: result.map(drop) },
                NOTIFIER => Completion::Notifier { more },
                RECEIVE => {
                    let buffer = cqueue::buffer_select(entry.flags());
                    let received = result.map(|count| Received { buffer, count });
                    Completion::Received { slot, received, more }
                }
                SEND => {
                    let output = self.outputs.remove((entry.user_data() << 4 >> 36) as usize);
                    Completion::Sent { slot, output, sent: result }
                }
                _ => continue, // a cancellation: the cancelled operation completes itself
            });
        }
    }

    /// The bytes that were received.
    pub(crate) fn bytes(&mut self, received: &Received) -> &mut [u8] {
        match received.buffer {
            Some(buffer) => self.buffers.bytes(buffer, received.count),
            None => &mut [],
        }
    }

    /// Returns the buffer of received bytes to the kernel.
    pub(crate) fn release(&mut self, received: Received) {
        if let Some(buffer) = received.buffer {
            self.buffers.provide(buffer);
        }
    }

    #[expect(unsafe_code, reason = "the kernel accesses the memory to which an operation points")]
    fn push(&mut self, entry: squeue::Entry, token: Token) {
        let entry = entry.user_data(token.0);
        // SAFETY: the operation points to an output, which is kept until its completion, or to a provided buffer. Its
        // descriptor is open now, and from the submission on the kernel holds a reference to the open file.
        while unsafe { self.ring.submission().push(&entry) }.is_err() {
            // The queue is full: submit it. If the completion queue is full as well, fetch completions first.
            if let Err(error) = self.ring.submit() {
                tracing::debug!(%error, "submitting operations failed; retrying");
                self.completed.extend(self.ring.completion());
            }
        }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        self.buffers.unregister(&self.ring);
        // The kernel may still read the outputs, so they are leaked.
        std::mem::forget(std::mem::take(&mut self.outputs));
    }
}

/// Builds a ring for a single thread, with deferred task work if the kernel supports it (Linux 6.1).
fn build() -> io::Result<IoUring> {
    let mut builder = IoUring::builder();
    builder.setup_cqsize(COMPLETIONS).setup_r_disabled();
    let mut deferred = builder.clone();
    deferred.setup_single_issuer().setup_defer_taskrun().setup_taskrun_flag();
    match deferred.build(ENTRIES) {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => builder.build(ENTRIES),
        built => built,
    }
}

/// Explains an error of the setup.
fn setup_error(error: &io::Error) -> io::Error {
    unsupported(match Errno::from_io_error(error) {
        Some(Errno::NOSYS) => "the kernel has no io_uring",
        Some(Errno::PERM | Errno::ACCESS) => {
            "io_uring is forbidden, by the sysctl kernel.io_uring_disabled or by a sandbox's system call filter"
        }
        Some(Errno::INVAL) => "the kernel is older than Linux 6.0, and has no provided buffer rings",
        _ => return io::Error::new(error.kind(), format!("setting up an io_uring failed: {error}")),
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
    fn setup_errors_say_what_is_missing() {
        for (errno, expected) in [
            (Errno::NOSYS, "the kernel has no io_uring; choose another backend, such as epoll"),
            (Errno::PERM, "kernel.io_uring_disabled"),
            (Errno::INVAL, "older than Linux 6.0"),
        ] {
            let error = setup_error(&errno.into());
            assert_eq!(error.kind(), io::ErrorKind::Unsupported);
            assert!(error.to_string().contains(expected), "{error}");
        }
        assert!(setup_error(&Errno::NOMEM.into()).to_string().contains("io_uring failed"));
    }
}
