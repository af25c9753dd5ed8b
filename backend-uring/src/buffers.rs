//! The buffers into which the kernel receives. It takes one when input has arrived, so that an idle client uses none.

use std::io;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::IoUring;
use io_uring::types::BufRingEntry;
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};

/// The number of buffers, and the size of each in bytes.
const COUNT: u16 = 256;
const SIZE: usize = 2048;

/// The buffer group ID.
pub(crate) const GROUP: u16 = 0;

/// The buffers into which the kernel receives, and the ring of entries that provides them to the kernel. The entries come
/// first, since they must be aligned to a page.
pub(crate) struct ProvidedBuffers {
    memory: *mut u8,
    tail: u16,
    is_registered: bool,
}

/// The size of the entries and of the whole map, in bytes.
const ENTRIES: usize = COUNT as usize * size_of::<BufRingEntry>();
const MEMORY: usize = ENTRIES + COUNT as usize * SIZE;

#[expect(unsafe_code, reason = "a type with a pointer is not Send by itself")]
// SAFETY: the memory is owned by this value, and not tied to a thread.
unsafe impl Send for ProvidedBuffers {}

#[expect(unsafe_code, reason = "the kernel reads and writes this memory")]
impl ProvidedBuffers {
    /// Provides the kernel with all buffers.
    pub(crate) fn new(ring: &IoUring) -> io::Result<Self> {
        // SAFETY: a new map aliases no other memory.
        let memory = unsafe {
            mmap_anonymous(null_mut(), MEMORY, ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE)?
        };
        let mut buffers = Self { memory: memory.cast(), tail: 0, is_registered: false };
        // SAFETY: the entries are aligned to a page, and live until the group is unregistered.
        unsafe { ring.submitter().register_buf_ring_with_flags(memory as u64, COUNT, GROUP, 0)? };
        buffers.is_registered = true;
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

    /// The first `count` bytes of a buffer, which the kernel doesn't use until it is [provided](Self::provide) again.
    pub(crate) fn bytes(&mut self, buffer: u16, count: usize) -> &mut [u8] {
        // SAFETY: the buffer lies within the memory, and the kernel doesn't write to it now.
        unsafe { std::slice::from_raw_parts_mut(self.buffer(buffer), count.min(SIZE)) }
    }

    /// Adds an entry for a buffer, which the kernel sees after the next [`publish`](Self::publish).
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

    /// Publishes the new entries to the kernel.
    pub(crate) fn publish(&mut self) {
        // SAFETY: the tail is an aligned integer within the first entry, which only this thread writes.
        let tail = unsafe { AtomicU16::from_ptr(BufRingEntry::tail(self.entries()).cast_mut()) };
        tail.store(self.tail, Ordering::Release);
    }

    /// Unregisters the buffers. If this fails, dropping them leaks the memory.
    pub(crate) fn unregister(&mut self, ring: &IoUring) {
        self.is_registered = ring.submitter().unregister_buf_ring(GROUP).is_err();
    }
}

#[expect(unsafe_code, reason = "the memory is owned")]
impl Drop for ProvidedBuffers {
    fn drop(&mut self) {
        if !self.is_registered {
            // SAFETY: the map is owned by this value, and the kernel doesn't use it.
            let _ = unsafe { munmap(self.memory.cast(), MEMORY) };
        }
    }
}
