//! A connection in the hands of a worker.

use std::fmt;
use std::time::Instant;

use super::{Connection, Next, Output};
use crate::Outbox;

/// A connection in the hands of a worker, with the [`Outbox`] that the worker lends to one connection after the other, and
/// a clock. When it is dropped, the connection keeps what was not sent, and the outbox is empty: so the bytes of two
/// clients never meet.
///
/// **After every call, ask [`what_now`](Self::what_now) and do what it says:**
///
/// 1. At [`Next::Write`], write the [`output`](Self::output); report with [`wrote`](Self::wrote) or
///    [`blocked`](Self::blocked). An I/O that owns its buffers takes it with [`lend`](Self::lend), and gives it back with
///    [`returned`](Self::returned).
/// 2. At [`Next::Run`], let others have a turn, then call [`run`](Self::run), where blocking is allowed if the connection
///    [may block](Connection::may_block).
/// 3. At [`Next::Read`], read, at most [`MAX_READ`](crate::MAX_READ) bytes; report with [`receive`](Self::receive),
///    [`end_of_input`](Self::end_of_input) or [`would_block`](Self::would_block).
/// 4. At [`Next::Done`], close.
///
/// The clock is asked once, and again after a session was called or a read may have waited: what a session spends is not
/// its client's time.
pub struct Active<'a, C: FnMut() -> Instant> {
    connection: &'a mut Connection,
    out: &'a mut Outbox,
    clock: C,
    time: Option<Instant>,
}

impl<C: FnMut() -> Instant> fmt::Debug for Active<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut active = f.debug_struct("Active");
        active.field("connection", &self.connection).field("out", &self.out).finish_non_exhaustive()
    }
}

impl Connection {
    /// Takes it in hand, with a worker's outbox and a clock.
    #[inline]
    pub fn activate<'a, C: FnMut() -> Instant>(&'a mut self, out: &'a mut Outbox, clock: C) -> Active<'a, C> {
        Active { connection: self, out, clock, time: None }
    }
}

impl<C: FnMut() -> Instant> Active<'_, C> {
    /// The connection.
    pub fn connection(&self) -> &Connection {
        self.connection
    }

    /// What to do. Nothing is read while a reply is unsent: that is the backpressure, and all of it.
    #[inline]
    pub fn what_now(&mut self) -> Next {
        self.connection.what_now(self.out)
    }

    /// What is to be written.
    #[inline]
    pub fn output(&self) -> &[u8] {
        self.connection.output(self.out)
    }

    /// The kernel took the first `count` bytes of the [`output`](Self::output).
    #[inline]
    pub fn wrote(&mut self, count: usize) {
        let now = self.now();
        self.connection.wrote(count, self.out, now);
    }

    /// The kernel takes no more of the output: `queued` bytes stand in its queue.
    pub fn blocked(&mut self, queued: u64) {
        let now = self.fresh();
        self.connection.blocked(queued, self.out, now);
    }

    /// Bytes came, with one read. They are answered, or kept until they can be. Messages are opened in place.
    #[inline]
    pub fn receive(&mut self, input: &mut [u8]) {
        self.time = None;
        let Self { connection, out, clock, time } = self;
        connection.receive(input, out, || *time.insert(clock()));
    }

    /// The client will send no more.
    pub fn end_of_input(&mut self) {
        self.time = None;
        let Self { connection, out, clock, time } = self;
        connection.end_of_input(out, || *time.insert(clock()));
    }

    /// A read has found nothing. `arrived` counts what is there all the same, of which a runtime may not have heard yet.
    #[inline]
    pub fn would_block(&mut self, arrived: impl FnOnce() -> usize) {
        self.time = None;
        self.connection.would_block(arrived);
    }

    /// Does what waits, for one turn.
    pub fn run(&mut self) {
        let Self { connection, out, clock, time } = self;
        connection.run(out, || *time.insert(clock()));
    }

    /// The [`deadline`](Connection::deadline) may have passed; `queued` bytes stand in the kernel's queue, and `arrived`
    /// bytes are there to be read. They came while the server was busy with others, so they are read first, and the
    /// client is given up if they complete no message.
    pub fn expire(&mut self, queued: u64, arrived: usize) {
        let now = self.fresh();
        self.connection.expire(queued, arrived, self.out, now);
    }

    /// The server stops, and `arrived` bytes are there to be read: they are the last.
    pub fn stop(&mut self, arrived: usize) {
        self.connection.stop(arrived);
    }

    /// The drain deadline has passed: nothing is owed any more.
    pub fn cut(&mut self) {
        self.connection.cut(self.out);
    }

    /// The socket has failed.
    pub fn lost(&mut self) {
        self.connection.lost(self.out);
    }

    /// Lends the output, at [`Next::Write`]; the outbox goes on with the memory of `spare`. Until it
    /// [returns](Self::returned) there is nothing to be written, and nothing is answered: what comes is kept.
    ///
    /// An output that does not return soon is reported to be [`blocked`](Self::blocked).
    #[inline]
    pub fn lend(&mut self, spare: Vec<u8>) -> Output {
        self.connection.lend(self.out, spare)
    }

    /// Takes back what was lent, of which the kernel took `count` bytes. Returns its memory, empty, if it is free.
    #[inline]
    pub fn returned(&mut self, output: Output, count: usize) -> Option<Vec<u8>> {
        let Self { connection, clock, time, .. } = self;
        connection.returned(output, count, || *time.get_or_insert_with(clock))
    }

    fn now(&mut self) -> Instant {
        *self.time.get_or_insert_with(&mut self.clock)
    }

    fn fresh(&mut self) -> Instant {
        *self.time.insert((self.clock)())
    }
}

impl<C: FnMut() -> Instant> Drop for Active<'_, C> {
    #[inline]
    fn drop(&mut self) {
        if !self.out.is_empty() {
            let now = self.now();
            self.connection.keep(self.out, now);
        }
    }
}
