//! Operations that complete later, as the backend `uring` submits them.

use std::io;

use common::Output;
use serving::{Step, Wait};

use super::{Peer, Worker};
use crate::kernel::{Kernel, Wire, locked};

/// The operations of a client.
#[derive(Debug, Default)]
pub(super) struct Operations {
    receiving: Operation,
    sending: Operation,
    /// The output that is being sent, and the round in which it was submitted.
    output: Option<Output>,
    sent_in: u32,
    /// How many bytes were received since the conversation last asked for input.
    ahead: usize,
}

/// An operation that the kernel carries out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Operation {
    #[default]
    None,
    Running,
    /// It was cancelled, and has not completed.
    Cancelled,
}

impl Operation {
    fn cancel(&mut self) {
        if *self == Self::Running {
            *self = Self::Cancelled;
        }
    }
}

/// What is reported to a conversation.
pub(super) enum Event {
    Woken,
    /// Received bytes, and whether there will be `more` of them.
    Received {
        bytes: io::Result<Vec<u8>>,
        more: bool,
    },
    Sent(Output, io::Result<usize>),
}

impl Peer {
    /// Whether one of its operations would complete.
    fn has_completions(&self, wire: &Wire) -> bool {
        let completes = |operation, is_ready| match operation {
            Operation::None => false,
            Operation::Running => is_ready,
            Operation::Cancelled => true,
        };
        completes(self.operations.receiving, wire.is_readable())
            || completes(self.operations.sending, wire.is_writable())
    }

    /// The size of the output that is lent to the kernel, in bytes.
    pub(crate) fn lent(&self) -> usize {
        self.operations.output.as_ref().map_or(0, Output::capacity)
    }

    /// How much more than the bound of its memory it may hold, in bytes, since a ring receives before it is asked.
    pub(crate) fn ahead(&self) -> usize {
        self.operations.ahead
    }
}

const CANCELLED: i32 = 125;
const NO_BUFFERS: i32 = 105;

impl Worker {
    /// Whether an operation would complete, or an output was sent that has not completed.
    pub(super) fn has_completions(&self) -> bool {
        if !self.sent.is_empty() {
            return true;
        }
        let kernel = locked(&self.kernel);
        self.peers.iter().any(|(_, peer)| peer.has_completions(&kernel.wires[peer.socket.wire]))
    }

    /// All slots: those whose operations would complete, in an order that the tape draws, and then the others.
    fn in_order_of_completion(&self) -> Vec<usize> {
        let Kernel { tape, wires, .. } = &mut *locked(&self.kernel);
        let slots = self.peers.iter().map(|(slot, _)| slot);
        let completes = |&slot: &usize| {
            let peer = &self.peers[slot];
            peer.has_completions(&wires[peer.socket.wire])
        };
        let (mut completing, others): (Vec<_>, Vec<_>) = slots.partition(completes);
        tape.shuffle(&mut completing);
        completing.extend(others);
        completing
    }

    /// Handles completions, then outputs that were not sent within a round, then the clients that were queued before.
    pub(super) fn turn_of_ring(&mut self) {
        let (queued, sent) = (std::mem::take(&mut self.queue), std::mem::take(&mut self.sent));
        self.round = self.round.wrapping_add(1);
        for slot in self.in_order_of_completion() {
            let mut events = vec![self.complete_receive(slot), self.complete_send(slot)];
            if self.is_late() {
                events.reverse();
            }
            events.into_iter().flatten().for_each(|event| self.step(slot, event));
        }
        for slot in sent {
            let Some(peer) = self.peers.get_mut(slot) else { continue };
            let is_unsent =
                peer.operations.sending != Operation::None && peer.operations.sent_in != self.round;
            if let (true, Some(conversation)) = (is_unsent, &mut peer.conversation) {
                locked(&self.kernel).wires[peer.socket.wire].block(self.clock.elapsed());
                conversation.stalled(&peer.socket, &mut self.buffers);
                peer.operations.receiving.cancel();
            }
        }
        for slot in queued {
            if self.peers.get_mut(slot).is_some_and(|peer| std::mem::take(&mut peer.is_queued)) {
                self.step(slot, Event::Woken);
            }
        }
    }

    fn complete_receive(&mut self, slot: usize) -> Option<Event> {
        let peer = &mut self.peers[slot];
        let Kernel { tape, faults, wires, .. } = &mut *locked(&self.kernel);
        let wire = &mut wires[peer.socket.wire];
        let receiving = peer.operations.receiving;
        if receiving == Operation::None || tape.chance(faults.late) {
            return None;
        }
        let is_cancelled = receiving == Operation::Cancelled;
        if is_cancelled && !(wire.arrived > 0 && tape.chance(faults.late)) {
            let bytes = Err(io::Error::from_raw_os_error(CANCELLED));
            return Some(Event::Received { bytes, more: false });
        }
        if !wire.is_readable() {
            return None;
        }
        if tape.chance(faults.interrupts) {
            return Some(Event::Received { bytes: Err(io::ErrorKind::Interrupted.into()), more: false });
        }
        let ends = tape.chance(faults.single_receives);
        if ends && tape.chance(faults.single_receives) {
            let bytes = Err(io::Error::from_raw_os_error(NO_BUFFERS));
            return Some(Event::Received { bytes, more: false });
        }
        let mut bytes = vec![0; common::MAX_READ];
        if wire.arrived > 1 && tape.chance(faults.short_reads) {
            bytes.truncate(1 + tape.below(wire.arrived.min(255)));
        }
        let read = wire.read(&mut bytes).map(|count| {
            bytes.truncate(count);
            bytes
        });
        wire.taken += read.as_ref().map_or(0, Vec::len);
        if matches!(&read, Err(error) if error.kind() == io::ErrorKind::WouldBlock) {
            return None;
        }
        let more = !ends && read.as_ref().is_ok_and(|bytes| !bytes.is_empty());
        Some(Event::Received { bytes: read, more })
    }

    fn complete_send(&mut self, slot: usize) -> Option<Event> {
        let peer = self.peers.get_mut(slot)?;
        let operations = &mut peer.operations;
        if operations.sending == Operation::None || self.is_late() {
            return None;
        }
        let peer = &mut self.peers[slot];
        let operations = &mut peer.operations;
        let output = operations.output.take()?;
        let sent = match peer.socket.try_write(output.bytes(), self.clock.elapsed()) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if operations.sending == Operation::Running {
                    operations.output = Some(output);
                    return None;
                }
                Err(io::Error::from_raw_os_error(CANCELLED))
            }
            sent => sent,
        };
        Some(Event::Sent(output, sent))
    }

    /// Reports an event to the conversation of a client, and does the next step.
    pub(super) fn step(&mut self, slot: usize, event: Event) {
        if !self.peers.contains(slot) {
            return;
        }
        self.may_lose(slot);
        let Some(peer) = self.peers.get_mut(slot) else { return };
        let Some(conversation) = &mut peer.conversation else { return };
        self.shared.book().begin_turn(peer.socket.wire);
        match event {
            Event::Received { more: false, .. } => peer.operations.receiving = Operation::None,
            Event::Sent(..) => peer.operations.sending = Operation::None,
            Event::Received { .. } | Event::Woken => {}
        }
        let step = match event {
            Event::Received { bytes: Ok(mut bytes), .. } => {
                let is_asked = peer.wait == Some(Wait::Readable);
                peer.operations.ahead = if is_asked { 0 } else { peer.operations.ahead + bytes.len() };
                conversation.received(&mut bytes, &mut self.buffers)
            }
            Event::Received { bytes: Err(error), .. } => {
                let is_passing = matches!(error.raw_os_error(), Some(CANCELLED | NO_BUFFERS));
                if !is_passing && error.kind() != io::ErrorKind::Interrupted {
                    conversation.mark_lost();
                }
                conversation.step(&peer.socket, &mut self.buffers)
            }
            Event::Sent(output, sent) => conversation.sent(output, sent, &mut self.buffers),
            Event::Woken => conversation.step(&peer.socket, &mut self.buffers),
        };
        let operations = &mut peer.operations;
        if conversation.is_behind() || matches!(step, Step::Blocking | Step::Over) {
            operations.receiving.cancel();
        }
        peer.served_at = self.clock.elapsed();
        peer.wait = Some(match &step {
            Step::Send(_) | Step::Sending => Wait::Writable,
            Step::Receive => Wait::Readable,
            Step::Wakeup => Wait::Wakeup,
            Step::Turn => Wait::Turn,
            Step::Blocking => Wait::Blocking,
            Step::Over => Wait::Over,
        });
        match step {
            Step::Send(output) => {
                locked(&self.kernel).wires[peer.socket.wire].lend(self.clock.elapsed());
                operations.output = Some(output);
                (operations.sending, operations.sent_in) = (Operation::Running, self.round);
                self.sent.push(slot);
            }
            Step::Receive if operations.receiving == Operation::None => {
                operations.receiving = Operation::Running
            }
            Step::Receive | Step::Sending | Step::Wakeup => {}
            Step::Turn => {
                if !std::mem::replace(&mut peer.is_queued, true) {
                    self.queue.push(slot);
                }
            }
            Step::Blocking => {
                self.shared.pass_on(peer.socket.wire);
                // An output is still being sent only if it was abandoned.
                operations.sending.cancel();
                if (operations.receiving, operations.sending) == (Operation::None, Operation::None) {
                    self.offload(slot);
                }
            }
            Step::Over => {
                operations.sending.cancel();
                if (operations.receiving, operations.sending) == (Operation::None, Operation::None) {
                    self.end(slot);
                }
            }
        }
    }
}
