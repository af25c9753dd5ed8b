//! A ring of provided buffers, of which the kernel picks one for each receive.

use std::alloc::{Layout, alloc_zeroed, handle_alloc_error};
use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::IoUring;
use io_uring::types::BufRingEntry;

use super::ENTRIES;

/// The number of the only buffer group.
pub(super) const GROUP: u16 = 0;

/// The size of a buffer.
const SIZE: usize = 4096;

/// The alignment of the ring: the kernel's page size or a multiple of it.
const PAGE: usize = 64 * 1024;

/// A ring of provided buffers, of which the kernel picks one for each receive. They are never freed: a ring that is
/// dropped may have operations in flight.
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
        // SAFETY: `ENTRIES` entries were allocated, aligned to pages and zeroed, and they are never freed.
        unsafe { ring.submitter().register_buf_ring_with_flags(address, ENTRIES, GROUP, 0)? };
        let mut buffers = Self { entries, memory, tail: 0 };
        (0..ENTRIES).for_each(|buffer| buffers.give(buffer));
        Ok(buffers)
    }

    /// The address of a buffer's bytes.
    #[expect(unsafe_code, reason = "the kernel writes to them, so no slice may refer to them")]
    pub(super) fn bytes(&self, buffer: u16) -> *const u8 {
        // SAFETY: the index is below `ENTRIES`, and the memory has that many buffers of this size.
        unsafe { self.memory.add(usize::from(buffer % ENTRIES) * SIZE) }.as_ptr()
    }

    /// Provides a buffer to the kernel.
    #[expect(unsafe_code, reason = "the kernel reads the ring concurrently")]
    pub(super) fn give(&mut self, buffer: u16) {
        let address = self.bytes(buffer) as u64;
        // SAFETY: the entry is within the ring. The kernel doesn't read it until the tail has passed it, and there are
        // no more buffers than entries. The tail is part of the first entry and is written by this thread only.
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

#[expect(unsafe_code, reason = "no collection has page alignment")]
fn allocate(size: usize) -> io::Result<NonNull<u8>> {
    let layout = Layout::from_size_align(size, PAGE).map_err(io::Error::other)?;
    // SAFETY: the size is not zero.
    let memory = unsafe { alloc_zeroed(layout) };
    Ok(NonNull::new(memory).unwrap_or_else(|| handle_alloc_error(layout)))
}
