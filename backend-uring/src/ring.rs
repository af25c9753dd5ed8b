//! The ring: submits operations to the kernel and returns their completions. It owns the memory that the kernel uses.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::thread;
use std::time::Duration;

use common::Output;
use io_uring::types::{Fd, SubmitArgs, Timespec};
use io_uring::{IoUring, Probe, cqueue, opcode, squeue};
use rustix::io::Errno;
use slab::Slab;

use crate::buffers::{GROUP, ProvidedBuffers};

pub(crate) struct Ring {
    ring: IoUring,
    buffers: ProvidedBuffers,
    /// The outputs that are being sent.
    outputs: Slab<Output>,
    completed: VecDeque<cqueue::Entry>,
}

/// The completion of an operation.
pub(crate) enum Completion {
    Listener(io::Result<()>),
    Notifier,
    /// Of a client in a slot.
    Client(usize, Event),
    /// The cancelled operation completes as well.
    Cancel,
}

/// An event of a client.
pub(crate) enum Event {
    /// So many bytes were received into this buffer, or none at the end of the input. With `more`, receiving continues.
    Received {
        buffer: Option<u16>,
        count: io::Result<usize>,
        more: bool,
    },
    Sent(Output, io::Result<usize>),
    /// The client has marks, gets another turn, or its conversation was returned.
    Woken,
}

/// An operation that the kernel may be carrying out.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Operation {
    #[default]
    None,
    Running,
    /// The operation is being cancelled. It may still produce results.
    Cancelled,
}

/// Identifies an operation by its kind, the key of its output, and the slot of its client.
#[derive(Clone, Copy)]
pub(crate) struct Token(u64);

const LISTENER: u64 = 0;
const NOTIFIER: u64 = 1;
const RECEIVE: u64 = 2;
const SEND: u64 = 3;
const CANCEL: u64 = 4;

impl Token {
    pub(crate) const LISTENER: Self = Self::new(LISTENER, 0, 0);
    pub(crate) const NOTIFIER: Self = Self::new(NOTIFIER, 0, 0);

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
    /// Creates a ring for a single thread, which [enables](Self::enable) it.
    ///
    /// # Errors
    /// `Unsupported`, with what is missing, if the kernel or a sandbox doesn't support the ring.
    pub(crate) fn new() -> io::Result<Self> {
        Self::build().map_err(setup_error)
    }

    fn build() -> io::Result<Self> {
        let mut builder = IoUring::builder();
        builder.setup_cqsize(COMPLETIONS).setup_r_disabled();
        // Deferred task work came with Linux 6.1.
        let mut deferred = builder.clone();
        deferred.setup_single_issuer().setup_defer_taskrun().setup_taskrun_flag();
        let ring = match deferred.build(ENTRIES) {
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => builder.build(ENTRIES)?,
            built => built?,
        };
        let mut probe = Probe::new();
        ring.submitter().register_probe(&mut probe)?;
        // A probe can't find multishot receive, which came with Linux 6.0, but it finds this operation, which came with it.
        if !probe.is_supported(opcode::SendZc::CODE) {
            return Err(Errno::INVAL.into());
        }
        let buffers = ProvidedBuffers::new(&ring)?;
        Ok(Self { ring, buffers, outputs: Slab::new(), completed: VecDeque::new() })
    }

    /// Enables the ring for the current thread.
    pub(crate) fn enable(&self) -> io::Result<()> {
        self.ring.submitter().register_enable_rings()
    }

    /// Waits for a descriptor to be readable, once.
    pub(crate) fn poll(&mut self, descriptor: impl AsFd, token: Token) {
        self.push(opcode::PollAdd::new(fd(descriptor), libc::POLLIN as u32).build(), token);
    }

    /// Receives input of the client in this slot, repeatedly.
    pub(crate) fn receive(&mut self, socket: impl AsFd, slot: usize) {
        self.push(opcode::RecvMulti::new(fd(socket), GROUP).build(), Token::receive(slot));
    }

    /// Sends an output to the client in this slot. Returns the key of the output.
    pub(crate) fn send(&mut self, socket: impl AsFd, slot: usize, output: Output) -> u32 {
        let key = self.outputs.insert(output);
        let bytes = self.outputs[key].bytes();
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let send = opcode::Send::new(fd(socket), bytes.as_ptr(), length);
        let key = key as u32; // there are fewer outputs than clients, and fewer clients than 2^28
        self.push(send.flags(libc::MSG_NOSIGNAL).build(), Token::send(key, slot));
        key
    }

    /// Cancels an operation, which then completes.
    pub(crate) fn cancel(&mut self, operation: &mut Operation, token: Token) {
        if *operation == Operation::Running {
            self.push(opcode::AsyncCancel::new(token.0).build(), Token::new(CANCEL, 0, 0));
            *operation = Operation::Cancelled;
        }
    }

    /// Submits the operations and fetches completions. Waits until there is at least one, or for `timeout`.
    pub(crate) fn submit(&mut self, timeout: Option<Duration>) {
        let submitted = match timeout {
            None => self.ring.submit_and_wait(1),
            Some(Duration::ZERO) => self.ring.submit(),
            Some(timeout) => {
                let timeout = Timespec::from(timeout);
                self.ring.submitter().submit_with_args(1, &SubmitArgs::new().timespec(&timeout))
            }
        };
        // The time may be up, a signal may have interrupted the call, or completions must be fetched first.
        if let Err(error) = submitted
            && !matches!(error.raw_os_error(), Some(libc::ETIME | libc::EINTR | libc::EBUSY | libc::EAGAIN))
        {
            tracing::error!(%error, "submitting to the ring failed; retrying");
            thread::sleep(Duration::from_millis(100));
        }
        self.completed.extend(self.ring.completion());
    }

    /// Takes the next fetched completion.
    pub(crate) fn next(&mut self) -> Option<Completion> {
        let entry = self.completed.pop_front()?;
        let token = entry.user_data();
        let (output, slot) = ((token << 4 >> 36) as usize, token as u32 as usize);
        let result =
            usize::try_from(entry.result()).map_err(|_| io::Error::from_raw_os_error(-entry.result()));
        Some(match token >> 60 {
            LISTENER => Completion::Listener(result.map(drop)),
            NOTIFIER => Completion::Notifier,
            RECEIVE => {
                let (buffer, more) = (cqueue::buffer_select(entry.flags()), cqueue::more(entry.flags()));
                Completion::Client(slot, Event::Received { buffer, count: result, more })
            }
            SEND => Completion::Client(slot, Event::Sent(self.outputs.remove(output), result)),
            _ => Completion::Cancel,
        })
    }

    /// Passes `count` received bytes to `f`, and returns their buffer to the kernel.
    pub(crate) fn read<T>(&mut self, buffer: Option<u16>, count: usize, f: impl FnOnce(&mut [u8]) -> T) -> T {
        let Some(buffer) = buffer else { return f(&mut []) };
        let result = f(self.buffers.bytes(buffer, count));
        self.buffers.provide(buffer);
        result
    }

    #[expect(unsafe_code, reason = "the kernel accesses the memory to which an operation points")]
    fn push(&mut self, entry: squeue::Entry, token: Token) {
        let entry = entry.user_data(token.0);
        // SAFETY: the operation points to an output, which is kept until its completion, or to a provided buffer. Its
        // descriptor is open now, and from the submission on the kernel holds a reference to the open file.
        while unsafe { self.ring.submission().push(&entry) }.is_err() {
            self.submit(Some(Duration::ZERO)); // the queue is full
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

fn fd(descriptor: impl AsFd) -> Fd {
    Fd(descriptor.as_fd().as_raw_fd())
}

/// Explains an error of the setup.
fn setup_error(error: io::Error) -> io::Error {
    let why = match Errno::from_io_error(&error) {
        Some(Errno::NOSYS) => "the kernel has no io_uring",
        Some(Errno::PERM | Errno::ACCESS) => {
            "io_uring is forbidden, by the sysctl kernel.io_uring_disabled or by a sandbox's system call filter"
        }
        Some(Errno::INVAL) => "the kernel is older than Linux 6.0, and has no multishot receive",
        _ => return io::Error::new(error.kind(), format!("setting up an io_uring failed: {error}")),
    };
    io::Error::new(io::ErrorKind::Unsupported, format!("{why}; choose another backend, such as epoll"))
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
            (Errno::NOMEM, "setting up an io_uring failed"),
        ] {
            let error = setup_error(errno.into());
            assert_eq!(error.kind() == io::ErrorKind::Unsupported, errno != Errno::NOMEM);
            assert!(error.to_string().contains(expected), "{error}");
        }
    }
}
