//! The buffers that a worker lends to the connection that it serves.

use std::cell::Cell;

use common::{MAX_READ, Outbox};

/// The most buffers of returned outputs that a worker keeps, and their largest size in bytes: 1 MiB in total.
const MAX_SPARES: usize = 256;
const MAX_SPARE_SIZE: usize = 4096;

/// The buffers that a worker lends to the connection that it serves, to one after the other, so that a waiting
/// connection owns no buffer.
#[derive(Debug)]
pub struct Buffers {
    pub(crate) input: Vec<u8>,
    pub(crate) output: Outbox,
    /// The memory of outputs that were lent and returned.
    pub(crate) spare: Spare,
    capacity: usize,
}

impl Buffers {
    /// Buffers that read up to [`MAX_READ`] bytes at once. They are allocated at their first use.
    pub const fn new() -> Self {
        Self::with_capacity(MAX_READ)
    }

    /// Buffers that read up to `capacity` bytes at once, at most [`MAX_READ`].
    pub const fn with_capacity(capacity: usize) -> Self {
        let capacity = if capacity < MAX_READ { capacity } else { MAX_READ };
        Self { input: Vec::new(), output: Outbox::new(), spare: Spare(Vec::new()), capacity }
    }

    /// Lends this thread's buffers.
    pub fn of_this_thread<T>(f: impl FnOnce(&mut Self) -> T) -> T {
        thread_local! {
            static BUFFERS: Cell<Option<Box<Buffers>>> = const { Cell::new(None) };
        }
        // They are taken out and put back. So a nested call gets other buffers, and so does a thread that is ending.
        let lent = BUFFERS.try_with(Cell::take).ok().flatten();
        let mut lent = lent.unwrap_or_else(|| Box::new(Self::new()));
        let result = f(&mut lent);
        let _ = BUFFERS.try_with(|buffers| buffers.set(Some(lent)));
        result
    }

    /// Allocates the input buffer.
    pub(crate) fn allocate(&mut self) {
        if self.input.is_empty() {
            self.input = vec![0; self.capacity];
        }
    }
}

/// The memory of outputs that were lent and returned, for reuse.
#[derive(Debug)]
pub(crate) struct Spare(Vec<Vec<u8>>);

impl Spare {
    pub(crate) fn take(&mut self) -> Vec<u8> {
        self.0.pop().unwrap_or_default()
    }

    /// Keeps memory, within bounds.
    pub(crate) fn reclaim(&mut self, memory: Vec<u8>) {
        if memory.capacity() <= MAX_SPARE_SIZE && self.0.len() < MAX_SPARES {
            self.0.push(memory);
        }
    }
}

impl Default for Buffers {
    fn default() -> Self {
        Self::new()
    }
}
