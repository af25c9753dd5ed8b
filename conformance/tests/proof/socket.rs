//! Modified sockets.

use std::io::{self, ErrorKind};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{RecvFlags, SendFlags, recv, send};
use serving::{Interrupt, Transport};

use crate::defect::Defect;

/// A socket whose reads and writes don't block.
pub(crate) struct Socket<'a> {
    pub(crate) stream: serving::Socket,
    defect: Option<Defect>,
    interrupt: &'a Interrupt,
    /// Accepted bytes that were not sent yet.
    accepted: Vec<u8>,
    /// The output of the last write that was not sent, if the defect is to send it to the next client.
    pub(crate) unsent: Vec<u8>,
    /// Input that was read while an answer was pending, if that is the defect.
    ahead: Vec<u8>,
    writes: usize,
    broken: bool,
}

impl<'a> Socket<'a> {
    pub(crate) fn new(stream: serving::Socket, defect: Option<Defect>, interrupt: &'a Interrupt) -> Self {
        let (accepted, unsent, ahead) = Default::default();
        Self { stream, defect, interrupt, accepted, unsent, ahead, writes: 0, broken: false }
    }

    /// Waits for an event or an interrupt, unless there is buffered input. Later operations report errors.
    pub(crate) fn wait(&self, events: PollFlags, is_woken: impl FnOnce() -> bool) {
        let wait = || Ok(poll(&mut [PollFd::new(&self.stream, events)], None)?);
        let _ = self.interrupt.call(|| is_woken() || !self.ahead.is_empty(), wait);
    }

    /// Waits for an interrupt, or with some defects for an event too.
    pub(crate) fn wait_for_wakeup(&mut self, is_woken: impl FnOnce() -> bool) {
        match self.defect {
            Some(Defect::SpinsWhilePending) => {}
            Some(Defect::ReadsWhilePending) => {
                let ahead = std::mem::take(&mut self.ahead);
                self.wait(PollFlags::IN, is_woken);
                self.ahead = ahead;
                let mut buffer = [0; 4096];
                let count = self.receive(&mut buffer).unwrap_or(0);
                self.ahead.extend_from_slice(&buffer[..count]);
            }
            Some(Defect::EndsWhilePending) => self.wait(PollFlags::RDHUP, is_woken),
            Some(Defect::IgnoresFailuresWhilePending) => {
                drop(self.interrupt.call(is_woken, || Ok(poll(&mut [], None)?)));
            }
            _ => self.wait(PollFlags::empty(), is_woken),
        }
    }

    /// Whether this event has happened.
    pub(crate) fn has(&self, event: PollFlags) -> bool {
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut [PollFd::new(&self.stream, event)], Some(&at_once)).is_ok_and(|count| count > 0)
    }

    fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(recv(&self.stream, buffer, RecvFlags::DONTWAIT)?.1)
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
        match self.defect {
            Some(Defect::StallsAtUrgentData) if self.has(PollFlags::PRI) => return Self::would_block(),
            Some(Defect::Spins) if !self.has(PollFlags::IN) => return Err(ErrorKind::Interrupted.into()),
            Some(Defect::ReadsWhilePending) if !self.ahead.is_empty() => {
                let count = self.ahead.len().min(buffer.len());
                buffer[..count].copy_from_slice(&self.ahead[..count]);
                self.ahead.drain(..count);
                return Ok(count);
            }
            _ => {}
        }
        match (self.defect, self.receive(buffer)) {
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
            Some(Defect::SendsOutputToTheNextClient) => {
                let sent = self.send(bytes);
                self.unsent = bytes[*sent.as_ref().unwrap_or(&0)..].to_vec();
                sent
            }
            Some(Defect::SplitsReplies) if bytes.len() > 1_000 => {
                let (now, later) = bytes.split_at(bytes.len() - 1_000);
                let count = self.send(now)?;
                if count < now.len() {
                    return Ok(count);
                }
                self.accepted = later.to_vec();
                Ok(bytes.len())
            }
            Some(Defect::SplitsReplies) => {
                let later = std::mem::take(&mut self.accepted);
                self.send(bytes)?;
                self.send(&later)?;
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
        if self.defect == Some(Defect::ReportsNoInput) { 0 } else { (&self.stream).arrived() }
    }

    fn queued(&self) -> u64 {
        (&self.stream).queued()
    }

    fn has_failed(&self) -> bool {
        self.defect != Some(Defect::IgnoresResets) && (&self.stream).has_failed()
    }
}
