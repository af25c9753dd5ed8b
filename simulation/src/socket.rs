//! The server's end of a simulated connection.

use std::fmt;
use std::io::{self, ErrorKind};
use std::os::fd::BorrowedFd;
use std::time::Duration;

use common::{Address, Limits};
use serving::{Accepted, Transport};

use crate::kernel::{Kernel, SharedKernel, Wire, locked};
use crate::options::Faults;
use crate::tape::Tape;

/// The server's end of a connection.
pub struct SimSocket {
    pub(crate) kernel: SharedKernel,
    pub(crate) wire: usize,
}

impl SimSocket {
    fn with<T>(&self, call: impl FnOnce(&mut Wire, &mut Tape, &Faults) -> T) -> T {
        let Kernel { tape, faults, wires, .. } = &mut *locked(&self.kernel);
        call(&mut wires[self.wire], tape, faults)
    }
}

impl fmt::Debug for SimSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SimSocket").field(&self.wire).finish()
    }
}

impl Transport for &SimSocket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.with(|wire, tape, faults| {
            if tape.chance(faults.interrupts) {
                return Err(ErrorKind::Interrupted.into());
            }
            let mut room = buffer.len();
            if wire.arrived > 1 && tape.chance(faults.short_reads) {
                // The rest arrives right after this read, which is an event of its own.
                room = room.min(1 + tape.below(wire.arrived.min(255)));
                wire.has_event = true;
            }
            let read = wire.read(&mut buffer[..room]);
            wire.taken += *read.as_ref().unwrap_or(&0);
            read
        })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let now = locked(&self.kernel).clock.elapsed();
        let written = self.try_write(bytes, now);
        if matches!(&written, Err(error) if error.kind() == ErrorKind::WouldBlock) {
            self.with(|wire, _, _| wire.block(now));
        }
        written
    }

    fn arrived(&self) -> usize {
        self.with(|wire, _, _| wire.arrived)
    }

    fn queued(&self) -> u64 {
        let Kernel { clock, wires, too_slow, .. } = &mut *locked(&self.kernel);
        let wire = &mut wires[self.wire];
        let queued = wire.queued(clock.elapsed());
        if wire.rate.is_too_slow {
            too_slow.push(self.wire);
        }
        queued
    }

    fn has_failed(&self) -> bool {
        self.with(|wire, _, _| wire.has_failed())
    }
}

impl SimSocket {
    /// Writes, or tries to without telling the server if it would block.
    pub(crate) fn try_write(&self, bytes: &[u8], now: Duration) -> io::Result<usize> {
        self.with(|wire, tape, faults| {
            if tape.chance(faults.interrupts) {
                return Err(ErrorKind::Interrupted.into());
            }
            if let Some(error) = wire.write_error() {
                return Err(error.into());
            }
            if tape.chance(faults.refused_writes) {
                wire.has_event = true; // the kernel has no memory, and then reports that it is writable
                return Err(ErrorKind::WouldBlock.into());
            }
            let mut room = (wire.send_capacity - wire.outbound.len()).min(bytes.len());
            if room == 0 && !bytes.is_empty() {
                wire.blocked = true;
                return Err(ErrorKind::WouldBlock.into());
            }
            if room > 1 && tape.chance(faults.short_writes) {
                room = 1 + tape.below(room.min(255));
            }
            wire.write(&bytes[..room], bytes.len(), now);
            Ok(room)
        })
    }
}

impl Accepted for SimSocket {
    fn local_address(&self) -> Address {
        Address::Unknown
    }

    fn prepare(&self, _limits: &Limits) -> bool {
        true
    }

    fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        self.with(|wire, _, _| {
            wire.outbound.extend(bytes); // a new socket has room for a line
            wire.written += bytes.len();
            Ok(bytes.len())
        })
    }

    fn discard(&self, most: usize) -> io::Result<usize> {
        let mut discarded = vec![0; most.min(4096)];
        self.with(|wire, _, _| {
            let read = wire.read(&mut discarded);
            wire.discarded += *read.as_ref().unwrap_or(&0);
            read
        })
    }

    fn queued(&self) -> u64 {
        Transport::queued(&self)
    }

    fn end_writing(&self) {
        self.with(|wire, _, _| wire.server_ended = true);
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

impl SimSocket {
    /// Closes the socket. With unread input, that resets the connection.
    pub(crate) fn close(&self) {
        self.with(|wire, _, _| {
            (wire.closed, wire.server_ended) = (true, true);
            if wire.arrived > 0 {
                wire.abort();
            }
        });
    }
}

impl Drop for SimSocket {
    fn drop(&mut self) {
        self.close();
    }
}
