//! Modified sockets.

use std::io::{self, ErrorKind};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{SendFlags, send};
use serving::{Interrupt, Transport};

use crate::defect::Defect;

/// A socket whose reads block, and whose writes do not.
pub(crate) struct Socket<'a> {
    pub(crate) stream: serving::Socket,
    defect: Option<Defect>,
    interrupt: &'a Interrupt,
    /// Accepted bytes that were not sent yet.
    accepted: Vec<u8>,
    writes: usize,
    broken: bool,
}

impl<'a> Socket<'a> {
    pub(crate) fn new(stream: serving::Socket, defect: Option<Defect>, interrupt: &'a Interrupt) -> Self {
        Self { stream, defect, interrupt, accepted: Vec::new(), writes: 0, broken: false }
    }

    /// Waits for an event or an interrupt. Later operations report errors.
    pub(crate) fn wait(&self, events: PollFlags) {
        let wait = || Ok(poll(&mut [PollFd::new(&self.stream, events)], None)?);
        let _ = self.interrupt.call(|| false, wait);
    }

    fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        Ok(send(&self.stream, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)?)
    }

    /// Returns `WouldBlock` after a short pause.
    fn would_block<T>() -> io::Result<T> {
        thread::sleep(Duration::from_millis(1));
        Err(ErrorKind::WouldBlock.into())
    }
}

/// The number of the write that fails, if the defect affects one.
const FAULTY_WRITE: usize = 10;

impl Transport for Socket<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = match self.defect {
            Some(Defect::ReadsByteByByte) => 1,
            Some(Defect::ReadsAtMost1000Bytes) => 1000,
            _ => buffer.len(),
        };
        let buffer = &mut buffer[..most];
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        let has = |event| {
            poll(&mut [PollFd::new(&self.stream, event)], Some(&at_once)).is_ok_and(|count| count > 0)
        };
        match self.defect {
            Some(Defect::StallsAtUrgentData) if has(PollFlags::PRI) => return Self::would_block(),
            Some(Defect::Spins) if !has(PollFlags::IN) => return Err(ErrorKind::Interrupted.into()),
            _ => {}
        }
        let (interrupt, mut stream) = (self.interrupt, &self.stream);
        match (self.defect, interrupt.call(|| false, || stream.read(buffer))) {
            (Some(Defect::IgnoresEndOfInput), Ok(0)) => Self::would_block(),
            (Some(Defect::IgnoresResets), Err(error)) if error.kind() == ErrorKind::ConnectionReset => {
                self.broken = true;
                Self::would_block()
            }
            (Some(Defect::IgnoresResets), Ok(0)) if self.broken => Self::would_block(),
            (Some(Defect::StripsCarriageReturns), Ok(count)) if count > 0 => {
                let kept: Vec<u8> = buffer[..count].iter().copied().filter(|&byte| byte != b'\r').collect();
                buffer[..kept.len()].copy_from_slice(&kept);
                if kept.is_empty() { Self::would_block() } else { Ok(kept.len()) }
            }
            (Some(Defect::FailsOnInvalidUtf8), Ok(count)) if str::from_utf8(&buffer[..count]).is_err() => {
                Err(ErrorKind::InvalidData.into())
            }
            (_, result) => result,
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writes += 1;
        match self.defect {
            Some(Defect::DuplicatesWrites) if self.writes == FAULTY_WRITE => {
                self.send(bytes)?;
                self.send(bytes)
            }
            Some(Defect::LosesWrites) if self.writes == FAULTY_WRITE => Ok(bytes.len()),
            Some(Defect::ReordersWrites) => {
                let mut replies: Vec<_> = bytes.split_inclusive(|&byte| byte == b'\n').collect();
                if replies.len() >= 2 {
                    replies.swap(0, 1);
                }
                self.send(&replies.concat())
            }
            Some(Defect::IgnoresShortWrites) => self.send(bytes).map(|_| bytes.len()),
            Some(Defect::ReadsDespiteUnsentReplies) => {
                self.accepted.extend_from_slice(bytes);
                if let Ok(count) = self.send(&self.accepted) {
                    self.accepted.drain(..count);
                }
                Ok(bytes.len())
            }
            Some(Defect::IgnoresResets) => match self.send(bytes) {
                Err(error) if error.kind() != ErrorKind::WouldBlock => {
                    self.broken = true;
                    Self::would_block()
                }
                result => result,
            },
            _ => self.send(bytes),
        }
    }

    fn arrived(&self) -> usize {
        (&self.stream).arrived()
    }

    fn queued(&self) -> u64 {
        (&self.stream).queued()
    }
}
