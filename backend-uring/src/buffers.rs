//! The buffers into which the kernel receives. It takes one when there is something to receive, so that a client
//! that waits has none.

use std::io;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::IoUring;
use io_uring::types::BufRingEntry;
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};

/// How many buffers there are, and of how many bytes.
const COUNT: u16 = 256;
const SIZE: usize = 2048;

/// The only group of buffers.
pub(crate) const GROUP: u16 = 0;

/// The buffers into which the kernel receives, and the ring of entries by which they are provided. The entries
/// come first, since the kernel wants them at the beginning of a page, of whatever size its pages are.
pub(crate) struct ProvidedBuffers {
    memory: *mut u8,
    tail: u16,
}

/// The size of the entries, and of everything, in bytes.
const ENTRIES: usize = COUNT as usize * size_of::<BufRingEntry>();
const MEMORY: usize = ENTRIES + COUNT as usize * SIZE;

#[expect(
    unsafe_code,
    reason = "the memory is owned; the pointer only keeps the type from being Send by itself"
)]
// SAFETY: the buffers are used by one thread at a time.
unsafe impl Send for ProvidedBuffers {}

#[expect(unsafe_code, reason = "the kernel reads and writes this memory")]
impl ProvidedBuffers {
    /// Provides the kernel with all buffers.
    pub(crate) fn new(ring: &IoUring) -> io::Result<Self> {
        // SAFETY: a new map is nobody else's.
        let memory = unsafe {
            mmap_anonymous(null_mut(), MEMORY, ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE)?
        };
        let mut buffers = Self { memory: memory.cast(), tail: 0 };
        // SAFETY: the entries begin a page, and stay until the group is unregistered.
        let registered =
            unsafe { ring.submitter().register_buf_ring_with_flags(memory as u64, COUNT, GROUP, 0) };
        if let Err(error) = registered {
            buffers.unmap();
            return Err(error);
        }
        (0..COUNT).for_each(|buffer| buffers.provide(buffer));
        buffers.publish();
        Ok(buffers)
    }

    fn entries(&self) -> *mut BufRingEntry {
        self.memory.cast()
    }

    fn buffer(&self, buffer: u16) -> *mut u8 {
        // SAFETY: the buffer lies within the memory.
        unsafe { self.memory.add(ENTRIES + usize::from(buffer % COUNT) * SIZE) }
    }

    /// What was received into a buffer, which the kernel doesn't use until it is [provided](Self::provide) again.
    pub(crate) fn bytes(&mut self, buffer: u16, count: usize) -> &mut [u8] {
        // SAFETY: the buffer lies within the memory, and the kernel doesn't write to it meanwhile.
        unsafe { std::slice::from_raw_parts_mut(self.buffer(buffer), count.min(SIZE)) }
    }

    /// Provides the kernel with a buffer, which it sees when that is [published](Self::publish).
    pub(crate) fn provide(&mut self, buffer: u16) {
        // SAFETY: both indices are below the count, and the kernel reads no entry behind the tail.
        unsafe {
            let entry = &mut *self.entries().add(usize::from(self.tail % COUNT));
            entry.set_addr(self.buffer(buffer) as u64);
            entry.set_len(SIZE as u32);
            entry.set_bid(buffer);
        }
        self.tail = self.tail.wrapping_add(1);
    }

    /// Shows the kernel the buffers that were provided.
    pub(crate) fn publish(&mut self) {
        // SAFETY: the tail is an aligned number within the first entry, which only this thread writes.
        let tail = unsafe { AtomicU16::from_ptr(BufRingEntry::tail(self.entries()).cast_mut()) };
        tail.store(self.tail, Ordering::Release);
    }

    /// Frees the buffers if the kernel gives them up; else they are leaked.
    pub(crate) fn free(self, ring: &IoUring) {
        if ring.submitter().unregister_buf_ring(GROUP).is_ok() {
            self.unmap();
        }
    }

    fn unmap(self) {
        // SAFETY: the map is owned by this value, which ends here, and the kernel doesn't use it.
        let _ = unsafe { munmap(self.memory.cast(), MEMORY) };
    }
}
