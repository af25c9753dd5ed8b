//! The buffers into which the kernel receives. It takes one when input has arrived, so that an idle client uses none.

use std::io;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::IoUring;
use io_uring::types::BufRingEntry;
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};

/// The number of buffers, and the size of each in bytes.
const COUNT: usize = 256;
const SIZE: usize = 2048;

/// The size of all buffers in bytes.
pub(crate) const TOTAL: usize = COUNT * SIZE;

/// The buffer group ID.
pub(crate) const GROUP: u16 = 0;

/// The buffers into which the kernel receives, and the ring of entries that provides them to the kernel.
pub(crate) struct ProvidedBuffers {
    memory: *mut Memory,
    tail: u16,
    is_registered: bool,
}

/// The entries come first, since they must be aligned to a page.
#[repr(C)]
struct Memory {
    entries: [BufRingEntry; COUNT],
    buffers: [[u8; SIZE]; COUNT],
}

#[expect(unsafe_code, reason = "a type with a pointer is not Send by itself")]
// SAFETY: the memory is owned by this value, and not tied to a thread.
unsafe impl Send for ProvidedBuffers {}

#[expect(unsafe_code, reason = "the kernel reads and writes this memory")]
impl ProvidedBuffers {
    /// Provides the kernel with all buffers.
    pub(crate) fn new(ring: &IoUring) -> io::Result<Self> {
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new map aliases no other memory.
        let memory = unsafe { mmap_anonymous(null_mut(), size_of::<Memory>(), access, MapFlags::PRIVATE)? };
        let mut buffers = Self { memory: memory.cast(), tail: 0, is_registered: false };
        // SAFETY: the entries are aligned to a page, and live until the group is unregistered.
        unsafe { ring.submitter().register_buf_ring_with_flags(memory as u64, COUNT as u16, GROUP, 0)? };
        buffers.is_registered = true;
        (0..COUNT as u16).for_each(|buffer| buffers.provide(buffer));
        Ok(buffers)
    }

    /// The first `count` bytes of a buffer, which the kernel doesn't use until it is [provided](Self::provide) again.
    pub(crate) fn bytes(&mut self, buffer: u16, count: usize) -> &mut [u8] {
        // SAFETY: the kernel doesn't write to this buffer now.
        let buffer = unsafe { &mut (*self.memory).buffers[usize::from(buffer)] };
        &mut buffer[..count]
    }

    /// Provides the kernel with a buffer.
    pub(crate) fn provide(&mut self, buffer: u16) {
        let entries = self.memory.cast::<BufRingEntry>();
        // SAFETY: the kernel reads no entry behind the tail, which is an aligned integer within the first entry.
        let tail = unsafe {
            let entry = &mut *entries.add(usize::from(self.tail) % COUNT);
            entry.set_addr(&raw const (*self.memory).buffers[usize::from(buffer)] as u64);
            entry.set_len(SIZE as u32);
            entry.set_bid(buffer);
            AtomicU16::from_ptr(BufRingEntry::tail(entries).cast_mut())
        };
        self.tail = self.tail.wrapping_add(1);
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
            let _ = unsafe { munmap(self.memory.cast(), size_of::<Memory>()) };
        }
    }
}
