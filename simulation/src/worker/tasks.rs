//! A task for each client, as the async backends have it.

use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use serving::Wait;

use super::{Flag, Worker};
use crate::kernel::locked;

/// The tasks that were woken, in this order.
pub(super) type Scheduled = Mutex<Vec<usize>>;

/// A task.
pub(super) struct Task {
    waker: Waker,
    state: Arc<TaskState>,
    /// What it awaits of its socket, and whether the reactor has reported that.
    interest: Option<(Wait, bool)>,
}

struct TaskState {
    slot: usize,
    is_scheduled: Flag,
    scheduled: Arc<Scheduled>,
}

impl Task {
    pub(super) fn new(slot: usize, scheduled: &Arc<Scheduled>) -> Self {
        let state = TaskState { slot, is_scheduled: Flag::default(), scheduled: Arc::clone(scheduled) };
        let state = Arc::new(state);
        Self { waker: Waker::from(Arc::clone(&state)), state, interest: None }
    }
}

impl Wake for TaskState {
    fn wake(self: Arc<Self>) {
        if !self.is_scheduled.is_set() {
            self.is_scheduled.set();
            locked(&self.scheduled).push(self.slot);
        }
    }
}

impl Worker {
    /// Whether a task is scheduled, or the reactor has something to report.
    pub(super) fn has_tasks(&self) -> bool {
        !locked(&self.scheduled).is_empty() || self.peers.iter().any(|(slot, _)| self.is_reported(slot))
    }

    pub(super) fn schedule(&mut self, slot: usize) {
        if let Some(task) = self.peers.get(slot).and_then(|peer| peer.task.as_ref()) {
            task.waker.wake_by_ref();
        }
    }

    /// Whether the reactor would report what a task awaits. It arms a poller for one event at a time.
    fn is_reported(&self, slot: usize) -> bool {
        let peer = &self.peers[slot];
        let kernel = locked(&self.kernel);
        let wire = &kernel.wires[peer.socket.wire];
        match peer.task.as_ref().and_then(|task| task.interest) {
            Some((Wait::Writable, false)) => wire.is_writable(),
            Some((_, false)) => wire.is_readable() || wire.urgent.is_some_and(|mark| mark <= wire.arrived),
            _ => false,
        }
    }

    /// The reactor reports events, and then each task that was woken is polled.
    pub(super) fn turn_of_tasks(&mut self) {
        let slots: Vec<_> = self.peers.iter().map(|(slot, _)| slot).collect();
        for slot in slots {
            if self.is_reported(slot) && !self.is_late() {
                let Some(task) = &mut self.peers[slot].task else { continue };
                task.interest = task.interest.map(|(wait, _)| (wait, true));
                task.waker.wake_by_ref();
            }
        }
        let mut scheduled = std::mem::take(&mut *locked(&self.scheduled));
        scheduled.sort_unstable(); // see `turn`
        for slot in scheduled {
            self.poll_task(slot);
        }
    }

    fn poll_task(&mut self, slot: usize) {
        if !self.peers.contains(slot) {
            return;
        }
        self.may_lose(slot);
        let Some(peer) = self.peers.get_mut(slot) else { return };
        let Some(task) = &mut peer.task else { return };
        task.state.is_scheduled.take();
        let Some(conversation) = &mut peer.conversation else { return };
        let waker = task.waker.clone();
        let interest = &mut task.interest;
        let waits = &mut peer.wait;
        *waits = Some(Wait::Wakeup);
        let (shared, client) = (&self.shared, peer.socket.wire);
        shared.book().begin_turn(client);
        let polled = conversation.poll_advance(&peer.socket, &mut Context::from_waker(&waker), |_, wait| {
            if *interest == Some((wait, true)) {
                *interest = None;
                shared.book().begin_turn(client);
                return Poll::Ready(Ok(()));
            }
            *interest = Some((wait, false));
            *waits = Some(wait);
            Poll::Pending
        });
        if *waits == Some(Wait::Wakeup) {
            *interest = None;
        }
        peer.served_at = self.clock.elapsed();
        let Poll::Ready(wait) = polled else { return };
        peer.wait = Some(wait);
        match wait {
            Wait::Blocking => self.offload(slot),
            Wait::Over => self.end(slot),
            Wait::Turn | Wait::Readable | Wait::Writable | Wait::Wakeup => self.schedule(slot),
        }
    }
}
