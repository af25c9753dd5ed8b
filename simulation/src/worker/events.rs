//! Edge-triggered events, as the backend `epoll` handles them.

use serving::Wait;

use super::Worker;
use crate::kernel::locked;

impl Worker {
    /// Whether the poller would report an event.
    pub(super) fn has_events(&self) -> bool {
        let kernel = locked(&self.kernel);
        self.peers.iter().any(|(_, peer)| kernel.wires[peer.socket.wire].has_event)
    }

    /// Handles the events, and then the clients that were queued before.
    pub(super) fn turn_of_events(&mut self) {
        let queued = std::mem::take(&mut self.queue);
        for (slot, more_input) in self.poll() {
            let Some(peer) = self.peers.get_mut(slot) else { continue };
            peer.ready = Some(more_input || peer.ready == Some(true));
            if !peer.is_queued {
                self.serve(slot);
            }
        }
        for slot in queued {
            if self.peers.get_mut(slot).is_some_and(|peer| std::mem::take(&mut peer.is_queued)) {
                self.serve(slot);
            }
        }
    }

    /// The sockets with events, and whether there may be more input after a short read.
    fn poll(&mut self) -> Vec<(usize, bool)> {
        let kernel = &mut *locked(&self.kernel);
        let mut reported = Vec::new();
        for (slot, peer) in &self.peers {
            let wire = &mut kernel.wires[peer.socket.wire];
            if wire.has_event && !kernel.tape.chance(kernel.faults.late) {
                wire.has_event = false;
                reported.push((slot, wire.has_more()));
            }
        }
        reported
    }

    /// Serves a client for one turn.
    pub(super) fn serve(&mut self, slot: usize) {
        if !self.peers.contains(slot) {
            return;
        }
        self.may_lose(slot);
        let Some(peer) = self.peers.get_mut(slot) else { return };
        let Some(conversation) = &mut peer.conversation else { return };
        if let Some(more_input) = peer.ready.take() {
            conversation.ready(more_input);
        }
        self.shared.book().begin_turn(peer.socket.wire);
        let wait = conversation.advance(&peer.socket, &mut self.buffers);
        (peer.wait, peer.served_at) = (Some(wait), self.clock.elapsed());
        match wait {
            Wait::Readable | Wait::Writable | Wait::Wakeup => {}
            Wait::Turn => {
                if !std::mem::replace(&mut peer.is_queued, true) {
                    self.queue.push(slot);
                }
            }
            Wait::Blocking => self.offload(slot),
            Wait::Over => self.end(slot),
        }
    }

    /// Passes a conversation to the threads that may block.
    pub(super) fn offload(&mut self, slot: usize) {
        let peer = &mut self.peers[slot];
        self.shared.pass_on(peer.socket.wire);
        self.jobs.extend(peer.conversation.take().map(|conversation| (slot, conversation)));
    }

    /// Ends a conversation that is over.
    pub(super) fn end(&mut self, slot: usize) {
        let peer = self.peers.remove(slot);
        if let Some(conversation) = peer.conversation {
            self.shared.book().begin_turn(peer.socket.wire);
            conversation.end(peer.socket);
        }
    }
}
