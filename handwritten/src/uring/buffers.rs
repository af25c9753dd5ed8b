//! Buffers of which the kernel picks one for each receive.

use std::alloc::{Layout, alloc_zeroed, handle_alloc_error};
use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::IoUring;
use io_uring::types::BufRingEntry;

use super::ENTRIES;

/// The number of the group; there is one.
pub(super) const GROUP: u16 = 0;

/// The size of a buffer.
const SIZE: usize = 4096;

/// The page size that the kernel wants the ring aligned to, or a multiple of it.
const PAGE: usize = 64 * 1024;

/// Buffers of which the kernel picks one for each receive. They live as long as the process: a ring that is
/// dropped may have operations under way.
pub(super) struct Buffers {
    entries: NonNull<BufRingEntry>,
    memory: NonNull<u8>,
    tail: u16,
}

impl Buffers {
    #[expect(unsafe_code, reason = "the kernel is given memory")]
    pub(super) fn new(ring: &IoUring) -> io::Result<Self> {
        let entries: NonNull<BufRingEntry> =
            allocate(usize::from(ENTRIES) * size_of::<BufRingEntry>())?.cast();
        let memory = allocate(usize::from(ENTRIES) * SIZE)?;
        let address = entries.as_ptr() as u64;
        // SAFETY: so many entries were allocated, aligned to pages and zeroed, and they are never freed.
        unsafe { ring.submitter().register_buf_ring_with_flags(address, ENTRIES, GROUP, 0)? };
        let mut buffers = Self { entries, memory, tail: 0 };
        (0..ENTRIES).for_each(|buffer| buffers.give(buffer));
        Ok(buffers)
    }

    /// Where a buffer's bytes are.
    #[expect(unsafe_code, reason = "the kernel fills them, so that no slice may refer to them")]
    pub(super) fn bytes(&self, buffer: u16) -> *const u8 {
        // SAFETY: there are `ENTRIES` buffers of this size, and the kernel names no other.
        unsafe { self.memory.add(usize::from(buffer % ENTRIES) * SIZE) }.as_ptr()
    }

    /// Gives a buffer to the kernel.
    #[expect(unsafe_code, reason = "the kernel reads the ring meanwhile")]
    pub(super) fn give(&mut self, buffer: u16) {
        let address = self.bytes(buffer) as u64;
        // SAFETY: the place is within the ring. The kernel doesn't look at it until the tail has passed it, and there
        // are no more buffers than places. The tail lies in the first entry and is written by this thread alone.
        unsafe {
            let entry = self.entries.add(usize::from(self.tail % ENTRIES)).as_mut();
            entry.set_addr(address);
            entry.set_len(SIZE as u32);
            entry.set_bid(buffer);
            self.tail = self.tail.wrapping_add(1);
            let tail = BufRingEntry::tail(self.entries.as_ptr()).cast::<AtomicU16>();
            (*tail).store(self.tail, Ordering::Release);
        }
    }
}

#[expect(unsafe_code, reason = "no collection aligns to pages")]
fn allocate(size: usize) -> io::Result<NonNull<u8>> {
    let layout = Layout::from_size_align(size, PAGE).map_err(io::Error::other)?;
    // SAFETY: the size is not zero.
    let memory = unsafe { alloc_zeroed(layout) };
    Ok(NonNull::new(memory).unwrap_or_else(|| handle_alloc_error(layout)))
}
