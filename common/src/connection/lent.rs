//! Output that is lent to completion-based I/O, such as io_uring, which owns its buffers during writes.

use std::time::Instant;

use super::{Connection, Output, Unsent};
use crate::{MAX_READ, Outbox};

/// A lent buffer may have this capacity, in bytes, whatever it contains. To shrink it takes time.
pub(super) const LENT_ROOM: usize = 4096;

impl Connection {
    /// See [`Active::lend`](super::Active::lend).
    pub(super) fn lend(&mut self, out: &mut Outbox, spare: Vec<u8>) -> Output {
        debug_assert!(!self.lent, "output was lent twice");
        self.lent = true;
        match &mut self.unsent {
            Some(unsent) => unsent.lend(),
            None => {
                let mut bytes = out.replace(spare);
                bytes.shrink_to(LENT_ROOM); // other connections may have filled it with more
                Output::new(bytes)
            }
        }
    }

    /// Whether the kept input exceeds the size of one read.
    pub fn is_behind(&self) -> bool {
        let raw = self.layer.as_ref().map_or(0, |layer| layer.raw.len());
        self.work && self.kept.len() + raw > MAX_READ
    }

    /// Whether output is lent.
    pub fn is_lent(&self) -> bool {
        self.lent
    }

    /// See [`Active::returned`](super::Active::returned). The clock is read only if the output was waited for.
    pub(super) fn returned(
        &mut self,
        mut output: Output,
        count: usize,
        now: impl FnOnce() -> Instant,
    ) -> Option<Vec<u8>> {
        if !std::mem::take(&mut self.lent) || canary!("loses the rest of a partial send") {
            return None; // the output was abandoned in the meantime
        }
        let all = output.bytes().len();
        output.sent(if canary!("takes a partial send for a whole one") { all } else { count });
        if output.bytes().is_empty() {
            match &mut self.unsent {
                Some(unsent) if unsent.bytes().is_empty() => {
                    let since = unsent.since();
                    self.unsent = None;
                    self.all_sent(since, now());
                }
                Some(unsent) => unsent.sent_lent(count, now()),
                None => {}
            }
            let mut memory = output.into_memory();
            memory.clear();
            return Some(memory);
        }
        let now = now();
        let unsent = self.unsent.get_or_insert_with(|| Box::new(Unsent::new(Output::default(), now)));
        unsent.take_back(output);
        if count > 0 {
            unsent.sent_lent(count, now);
        }
        None
    }
}
