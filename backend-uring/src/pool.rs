//! The buffers into which the kernel receives. It picks one when there is something to receive, so that a client
//! that waits has none.

use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::IoUring;
use io_uring::types::BufRingEntry;

/// How many buffers there are, and of how many bytes.
const COUNT: u16 = 256;
const SIZE: usize = 2048;

/// The only group of buffers.
pub(crate) const GROUP: u16 = 0;

/// The entries of the ring through which buffers are given to the kernel, which wants them on a page of their own.
#[repr(align(4096))]
struct Entries(
    #[expect(dead_code, reason = "the kernel reads it")] [u8; COUNT as usize * size_of::<BufRingEntry>()],
);

/// The buffers into which the kernel receives, and the ring through which they are given to it.
pub(crate) struct Pool {
    entries: *mut BufRingEntry,
    memory: *mut [u8],
    tail: u16,
}

#[expect(unsafe_code, reason = "the memory is the pool's own; the pointers only keep others from it")]
// SAFETY: the pool is used by one thread at a time.
unsafe impl Send for Pool {}

#[expect(unsafe_code, reason = "the kernel reads and writes this memory")]
impl Pool {
    /// Gives the buffers to the kernel.
    pub(crate) fn new(ring: &IoUring) -> std::io::Result<Self> {
        let entries = Box::into_raw(Box::new(Entries([0; _]))).cast();
        let memory = Box::into_raw(vec![0; usize::from(COUNT) * SIZE].into_boxed_slice());
        let mut pool = Self { entries, memory, tail: 0 };
        // SAFETY: the entries stand on a page of their own until the group is unregistered.
        unsafe { ring.submitter().register_buf_ring_with_flags(entries as u64, COUNT, GROUP, 0)? };
        (0..COUNT).for_each(|buffer| pool.give(buffer));
        pool.publish();
        Ok(pool)
    }

    /// What was received into a buffer, which is the kernel's no more, until it is [given](Self::give) again.
    pub(crate) fn bytes(&self, buffer: u16, count: usize) -> &[u8] {
        let (start, count) = (usize::from(buffer % COUNT) * SIZE, count.min(SIZE));
        // SAFETY: the buffer lies within the memory, and the kernel doesn't write to it meanwhile.
        unsafe { std::slice::from_raw_parts(self.memory.cast::<u8>().add(start), count) }
    }

    /// Gives a buffer to the kernel, who sees it when it is [published](Self::publish).
    pub(crate) fn give(&mut self, buffer: u16) {
        // SAFETY: both indices are below the count, and the kernel reads no entry behind the tail.
        unsafe {
            let entry = &mut *self.entries.add(usize::from(self.tail % COUNT));
            entry.set_addr(self.memory.cast::<u8>().add(usize::from(buffer % COUNT) * SIZE) as u64);
            entry.set_len(SIZE as u32);
            entry.set_bid(buffer);
        }
        self.tail = self.tail.wrapping_add(1);
    }

    /// Shows the kernel what was given.
    pub(crate) fn publish(&mut self) {
        // SAFETY: the tail is an aligned number within the first entry, which only this thread writes.
        let tail = unsafe { AtomicU16::from_ptr(BufRingEntry::tail(self.entries).cast_mut()) };
        tail.store(self.tail, Ordering::Release);
    }

    /// Takes the buffers back, if the kernel lets go of them; else they are its own for ever.
    pub(crate) fn free(self, ring: &IoUring) {
        if ring.submitter().unregister_buf_ring(GROUP).is_ok() {
            // SAFETY: both came from a box, and the kernel has them no more.
            unsafe {
                drop(Box::from_raw(self.entries.cast::<Entries>()));
                drop(Box::from_raw(self.memory));
            }
        }
    }
}
