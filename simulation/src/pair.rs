//! A connected pair of sockets over the simulated kernel, without faults, to compare them with real ones.

use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex};

use crate::clock::VirtualClock;
use crate::kernel::{Kernel, SharedKernel, Wire, locked};
use crate::socket::SimSocket;
use crate::tape::Tape;

/// A connection over the simulated kernel: a socket of the server, and the client's end.
#[derive(Debug)]
pub struct Pair {
    kernel: SharedKernel,
    socket: Option<SimSocket>,
}

impl Pair {
    /// A connection whose queues contain this many bytes: what the server's system has not sent, and what the client has not
    /// read.
    pub fn new(send_capacity: usize, receive_capacity: usize) -> Self {
        let wires = vec![Wire { send_capacity, receive_capacity, ..Wire::default() }];
        let (tape, clock) = (Tape::new(Vec::new()), VirtualClock::new());
        let (faults, backlog, too_slow) = Default::default();
        let kernel = Kernel { tape, clock, faults, wires, backlog, too_slow };
        let kernel = Arc::new(Mutex::new(kernel));
        Self { socket: Some(SimSocket { kernel: Arc::clone(&kernel), wire: 0 }), kernel }
    }

    /// The socket of the server, unless it was closed.
    pub fn server(&self) -> Option<&SimSocket> {
        self.socket.as_ref()
    }

    /// Closes the socket of the server.
    pub fn close_server(&mut self) {
        self.socket = None;
    }

    fn with<T>(&self, call: impl FnOnce(&mut Wire) -> T) -> T {
        call(&mut locked(&self.kernel).wires[0])
    }

    /// The client sends bytes.
    pub fn send(&self, bytes: &[u8]) {
        self.with(|wire| wire.inbound.extend(bytes));
    }

    /// The client sends a byte of urgent data.
    pub fn send_urgent(&self) {
        self.with(|wire| wire.urgent = Some(wire.inbound.len()));
    }

    /// The client shuts down its output.
    pub fn end(&self) {
        self.with(|wire| wire.client_ended = true);
    }

    /// The client closes its socket, which resets the connection if there is anything that it has not read.
    pub fn close(&self) {
        self.with(Wire::close_client);
    }

    /// The client resets the connection.
    pub fn reset(&self) {
        self.with(Wire::reset_by_client);
    }

    /// The client reads.
    ///
    /// # Errors
    /// If there is nothing to read yet, or the connection was reset.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.with(|wire| {
            let count = wire.received.len().min(buffer.len());
            for (to, from) in buffer.iter_mut().zip(wire.received.drain(..count)) {
                *to = from;
            }
            match count {
                0 if wire.end_received => Ok(0),
                0 if wire.aborted => Err(ErrorKind::ConnectionReset.into()),
                0 => Err(ErrorKind::WouldBlock.into()),
                count => Ok(count),
            }
        })
    }

    /// Everything that is on its way arrives, as far as there is room for it.
    pub fn settle(&self) {
        let now = locked(&self.kernel).clock.elapsed();
        self.with(|wire| {
            while wire.has_inbound() || wire.has_outbound() {
                if wire.has_inbound() {
                    wire.arrive(wire.inbound.len() - wire.arrived, now);
                }
                if wire.has_outbound() {
                    wire.deliver(wire.outbound.len(), now);
                }
            }
        });
    }
}
