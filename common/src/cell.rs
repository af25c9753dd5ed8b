//! The marks of a connection, which other threads set, and the wake-up of its owner.

use std::fmt;
use std::ops::BitOr;
use std::sync::{Arc, PoisonError};
use std::task::Waker;

use crate::later::Awaiting;
use crate::mailbox::Mailbox;
use crate::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use crate::sync::{Mutex, MutexGuard};

/// The part of a connection that all threads share. A thread that sets [`Marks`] wakes the owner of the connection: a task or
/// a thread by its waker, or a worker that serves many connections by a [`WakeQueue`].
///
/// To miss no wake-up, the owner **registers, takes the marks, and then waits**, in this order.
#[derive(Debug, Default)]
pub struct Cell {
    pub(crate) marks: AtomicU8,
    /// By which the owner knows the connection, if it has a queue.
    slot: AtomicU32,
    inner: Mutex<Inner>,
}

/// What the lock guards.
#[derive(Debug, Default)]
pub(crate) struct Inner {
    waiter: Waiter,
    pub(crate) mailbox: Option<Box<Mailbox>>,
}

/// How the owner is woken.
#[derive(Debug)]
enum Waiter {
    /// By the waker of a task or a thread.
    Waker(Waker),
    /// By the queue of a worker. `None` if the owner has not registered yet, and will check the marks when it does; or if
    /// the connection has ended.
    Queue(Option<Arc<WakeQueue>>),
}

/// Set among the marks once there is a mailbox.
pub(crate) const HAS_MAILBOX: u8 = 1 << 5;
/// Set among the marks once nothing may be pushed any more. It is set under the lock.
pub(crate) const SHUT: u8 = 1 << 6;
/// Set among the marks once the connection has ended. It is set under the lock.
pub(crate) const GONE: u8 = 1 << 7;
/// These bits are never cleared.
const STICKY: u8 = HAS_MAILBOX | SHUT | GONE;

/// The wake-up of an owner, for which no lock may be held, since a waker may run foreign code.
#[must_use]
#[derive(Debug)]
pub(crate) enum Wakeup {
    None,
    Waker(Waker),
    Queue(Arc<WakeQueue>),
}

impl Wakeup {
    pub(crate) fn wake(self) {
        match self {
            Self::None => {}
            Self::Waker(waker) => waker.wake(),
            Self::Queue(queue) => queue.waker.wake_by_ref(),
        }
    }
}

/// Events that a connection must handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marks(u8);

impl Marks {
    /// No events.
    pub const NONE: Self = Self(0);
    /// The deadline of the connection has passed.
    pub const EXPIRED: Self = Self(1);
    /// The server is stopping.
    pub const STOPPING: Self = Self(2);
    /// The drain deadline has passed.
    pub const CUT: Self = Self(4);
    /// Something was pushed to the mailbox.
    pub const NOTIFIED: Self = Self(8);

    /// Whether `self` contains all marks of `other`.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for Marks {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl Cell {
    /// Registers `waker` to be woken by marks that are set from now on.
    pub fn register(&self, waker: &Waker) {
        match &mut self.inner().waiter {
            Waiter::Waker(registered) if registered.will_wake(waker) => {}
            waiter if !self.is_gone() => *waiter = Waiter::Waker(waker.clone()),
            _ => {}
        }
    }

    /// Registers `slot` to be pushed to `queue` by marks that are set from now on. If marks are set already, pushes it
    /// immediately.
    ///
    /// # Panics
    /// If the slot exceeds 2³² − 1.
    pub fn register_slot(&self, queue: &Arc<WakeQueue>, slot: usize) {
        let slot = u32::try_from(slot).expect("a worker has fewer connections than 2^32");
        self.slot.store(slot, Ordering::Relaxed); // the lock publishes it
        match &mut self.inner().waiter {
            waiter if !self.is_gone() => *waiter = Waiter::Queue(Some(Arc::clone(queue))),
            _ => return,
        }
        if self.is_marked() {
            WakeQueue::push(queue, slot).wake();
        }
    }

    /// Whether any marks are set.
    #[inline]
    pub fn is_marked(&self) -> bool {
        self.is(!STICKY)
    }

    /// Returns the marks and clears them.
    #[inline]
    pub fn take_marks(&self) -> Marks {
        if self.is_marked() {
            Marks(self.marks.fetch_and(STICKY, Ordering::SeqCst) & !STICKY)
        } else {
            Marks::NONE
        }
    }

    /// Sets marks, and wakes the owner. Only the first mark after the marks were taken pushes a slot to its queue, so the queue
    /// contains it at most once. After a stop nothing can be pushed.
    pub fn mark(&self, marks: Marks) {
        let inner = self.inner();
        if marks.0 & (Marks::STOPPING | Marks::CUT).0 != 0 {
            self.marks.fetch_or(SHUT, Ordering::SeqCst);
        }
        let wakeup = self.wakeup(&inner, marks);
        drop(inner);
        wakeup.wake();
    }

    /// Sets marks under the lock. Wake the owner after the lock was released.
    pub(crate) fn wakeup(&self, inner: &Inner, marks: Marks) -> Wakeup {
        let before = self.marks.fetch_or(marks.0, Ordering::SeqCst) & !STICKY;
        match &inner.waiter {
            // Further pushes don't wake an owner again that has not taken the first.
            _ if marks == Marks::NOTIFIED && before & marks.0 != 0 => Wakeup::None,
            Waiter::Waker(_) if canary!("marks a task without waking it") => Wakeup::None,
            Waiter::Waker(waker) => Wakeup::Waker(waker.clone()),
            Waiter::Queue(Some(queue)) if before == 0 && !canary!("marks without waking the worker") => {
                WakeQueue::push(queue, self.slot.load(Ordering::Relaxed))
            }
            Waiter::Queue(_) => Wakeup::None,
        }
    }

    /// Wakes a task or a thread again if it has not taken its marks, since a thread may miss a wake-up while it is about to
    /// block. A queue misses none.
    pub fn wake_again(&self) {
        if !self.is_marked() {
            return;
        }
        let waker = match &self.inner().waiter {
            Waiter::Waker(waker) => waker.clone(),
            Waiter::Queue(_) => return,
        };
        waker.wake();
    }

    /// Records that the connection has ended. Drops the registered waker and the content of the mailbox.
    pub fn leave(&self) {
        let mut inner = self.inner();
        self.marks.fetch_or(GONE, Ordering::SeqCst);
        let waiter = std::mem::take(&mut inner.waiter);
        let awaiting = inner.mailbox.as_mut().map(|mailbox| mailbox.end());
        drop(inner);
        // Outside the lock, since it runs foreign code.
        drop(waiter);
        if let Some(Awaiting::Answer(Some(waker))) = awaiting {
            waker.wake();
        }
    }

    /// Frees the mailbox of a connection that has ended, with its counts.
    pub fn free_mailbox(&self) {
        drop(self.inner().mailbox.take());
    }

    /// Whether the connection has ended.
    pub fn is_gone(&self) -> bool {
        self.is(GONE)
    }

    /// Whether any of these bits is set.
    #[inline]
    pub(crate) fn is(&self, bits: u8) -> bool {
        self.marks.load(Ordering::SeqCst) & bits != 0
    }

    pub(crate) fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Waiter {
    fn default() -> Self {
        Self::Queue(None)
    }
}

/// The slots of the connections that were woken, for one worker. The cost of a wake-up doesn't depend on how many connections
/// the worker has.
///
/// The connection of a slot may have ended before the slot is taken, and another may have reused the slot. A spurious wake-up
/// of that one is harmless.
pub struct WakeQueue {
    slots: Mutex<Vec<u32>>,
    waker: Waker,
}

impl WakeQueue {
    /// An empty queue for the worker that `waker` wakes.
    pub fn new(waker: Waker) -> Arc<Self> {
        Arc::new(Self { slots: Mutex::default(), waker })
    }

    /// Removes all slots, and returns them in the order in which they were pushed.
    pub fn take(&self) -> impl Iterator<Item = usize> + use<> {
        std::mem::take(&mut *self.slots())
            .into_iter()
            .skip(usize::from(canary!("forgets a woken slot")))
            .map(|slot| slot as usize)
    }

    fn push(queue: &Arc<Self>, slot: u32) -> Wakeup {
        let mut slots = queue.slots();
        slots.push(slot);
        if slots.len() == 1 { Wakeup::Queue(Arc::clone(queue)) } else { Wakeup::None }
    }

    fn slots(&self) -> MutexGuard<'_, Vec<u32>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for WakeQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WakeQueue").field("slots", &*self.slots()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn counting() -> (Arc<Count>, Waker) {
        let count = Arc::new(Count::default());
        (Arc::clone(&count), Waker::from(count))
    }

    fn taken(queue: &WakeQueue) -> Vec<usize> {
        queue.take().collect()
    }

    #[test]
    fn a_slot_is_in_its_queue_once_until_its_marks_are_taken() {
        let (woken, waker) = counting();
        let queue = WakeQueue::new(waker);
        let cells = [Cell::default(), Cell::default()];
        cells[1].mark(Marks::EXPIRED); // before an owner has registered
        for (cell, slot) in cells.iter().zip([7, 8]) {
            cell.register_slot(&queue, slot);
        }
        cells[0].mark(Marks::EXPIRED);
        cells[0].mark(Marks::STOPPING);
        cells[0].wake_again();
        assert_eq!((taken(&queue), woken.0.load(Ordering::SeqCst)), (vec![8, 7], 1));
        cells[0].mark(Marks::CUT); // the earlier marks were not taken yet
        assert_eq!(taken(&queue), []);
        let marks = cells[0].take_marks();
        assert!(marks.contains(Marks::EXPIRED | Marks::STOPPING | Marks::CUT));
        cells[0].mark(Marks::CUT);
        assert_eq!((taken(&queue), woken.0.load(Ordering::SeqCst)), (vec![7], 2));
    }

    #[test]
    fn each_mark_wakes_a_waker_and_wake_again_does_until_they_are_taken() {
        let (woken, waker) = counting();
        let cell = Cell::default();
        cell.register(&waker);
        cell.wake_again();
        assert_eq!(woken.0.load(Ordering::SeqCst), 0);
        cell.mark(Marks::EXPIRED);
        cell.mark(Marks::EXPIRED);
        cell.wake_again();
        assert_eq!(woken.0.load(Ordering::SeqCst), 3);
        assert_eq!((cell.take_marks(), cell.take_marks()), (Marks::EXPIRED, Marks::NONE));
        cell.leave();
        cell.register(&waker);
        cell.mark(Marks::CUT);
        assert_eq!((cell.is_gone(), woken.0.load(Ordering::SeqCst)), (true, 3));
    }

    #[test]
    fn a_cell_is_small() {
        assert!(size_of::<Cell>() <= 40, "each connection has one: {} bytes", size_of::<Cell>());
    }
}
