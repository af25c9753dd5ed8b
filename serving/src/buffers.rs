//! What a worker lends to the connection that it serves.

use std::cell::Cell;

use common::{MAX_READ, Outbox};

/// How many outputs' memory a worker keeps, and of which size: as many as may well be under way at once, and
/// 1 MiB in all.
const MOST_SPARES: usize = 256;
const LARGEST_SPARE: usize = 4096;

/// What a worker lends to the connection that it serves, one after the other, so that a connection which
/// waits owns no buffer.
#[derive(Debug)]
pub struct Buffers {
    pub(crate) input: Vec<u8>,
    pub(crate) output: Outbox,
    /// The memory of outputs that were lent and have come back.
    pub(crate) spare: Spare,
    capacity: usize,
}

impl Buffers {
    /// Buffers that read up to [`MAX_READ`] bytes at once. They take memory when they are first used.
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
        // Taken out and put back, so that a session which serves on its own in the middle of it, or a
        // thread that is just ending, gets fresh ones.
        let lent = BUFFERS.try_with(Cell::take).ok().flatten();
        let mut lent = lent.unwrap_or_else(|| Box::new(Self::new()));
        let result = f(&mut lent);
        let _ = BUFFERS.try_with(|buffers| buffers.set(Some(lent)));
        result
    }

    pub(crate) fn ready(&mut self) {
        if self.input.is_empty() {
            self.input = vec![0; self.capacity];
        }
    }
}

/// The memory of outputs that were lent and have come back, to be lent again.
#[derive(Debug)]
pub(crate) struct Spare(Vec<Vec<u8>>);

impl Spare {
    pub(crate) fn take(&mut self) -> Vec<u8> {
        self.0.pop().unwrap_or_default()
    }

    /// Keeps memory, within bounds.
    pub(crate) fn reclaim(&mut self, memory: Vec<u8>) {
        if memory.capacity() <= LARGEST_SPARE && self.0.len() < MOST_SPARES {
            self.0.push(memory);
        }
    }
}

impl Default for Buffers {
    fn default() -> Self {
        Self::new()
    }
}
