//! The interface between a worker and a connection.

use std::fmt;
use std::time::Instant;

use super::{Connection, Next, Output};
use crate::{Clock, Outbox};

/// A connection with the [`Outbox`] of a worker and a clock. When it is dropped, unsent output is moved to the
/// connection and the outbox is cleared, so that the output of two clients can't be mixed.
///
/// **After each call, call [`what_now`](Self::what_now) and perform the operation that it returns:**
///
/// 1. [`Next::Write`]: write the [`output`](Self::output), and report the result with [`wrote`](Self::wrote) or
///    [`blocked`](Self::blocked). Completion-based I/O takes the output with [`lend`](Self::lend), and returns it with
///    [`returned`](Self::returned).
/// 2. [`Next::Run`]: serve other connections, then call [`run`](Self::run), on a thread that may block if the
///    connection [may block](Connection::may_block).
/// 3. [`Next::Read`]: read at most [`MAX_READ`](crate::MAX_READ) bytes, and report the result with
///    [`receive`](Self::receive), [`end_of_input`](Self::end_of_input) or [`would_block`](Self::would_block).
/// 4. [`Next::Wait`]: wait for marks. Ignore events of the socket.
/// 5. [`Next::Done`]: close the socket.
///
/// The clock is read once, and again after calls of a session and after reads that may have waited, so that the time of
/// a session does not count against its client.
pub struct Active<'a> {
    connection: &'a mut Connection,
    out: &'a mut Outbox,
    clock: &'a Clock,
    time: Option<Instant>,
}

impl fmt::Debug for Active<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut active = f.debug_struct("Active");
        active.field("connection", &self.connection).field("out", &self.out).finish_non_exhaustive()
    }
}

impl Connection {
    /// Activates the connection with the outbox of a worker and a clock.
    #[inline]
    pub fn activate<'a>(&'a mut self, out: &'a mut Outbox, clock: &'a Clock) -> Active<'a> {
        out.set_clock(clock);
        Active { connection: self, out, clock, time: None }
    }
}

impl Active<'_> {
    /// The connection.
    pub fn connection(&self) -> &Connection {
        self.connection
    }

    /// Returns the next operation. Nothing is read while a reply is unsent, which is the only backpressure.
    #[inline]
    pub fn what_now(&mut self) -> Next {
        self.connection.what_now(self.out)
    }

    /// Whether pushed messages are to be delivered by [`run`](Self::run), and input may be received before. A worker that has
    /// called `run` and must call it again reads input that has arrived first, so that messages which are pushed continuously
    /// don't starve the client's own. The next `run` handles both.
    #[inline]
    pub fn accepts_input(&self) -> bool {
        self.connection.accepts_input()
    }

    /// The output to write.
    #[inline]
    pub fn output(&self) -> &[u8] {
        self.connection.output(self.out)
    }

    /// Reports that the first `count` bytes of the [`output`](Self::output) were written.
    #[inline]
    pub fn wrote(&mut self, count: usize) {
        let now = self.now();
        self.connection.wrote(count, self.out, now);
    }

    /// Reports that writing would block, with `queued` bytes in the send queue of the kernel.
    pub fn blocked(&mut self, queued: u64) {
        let now = self.read_clock();
        self.connection.blocked(queued, self.out, now);
    }

    /// Processes the bytes of one read. They are answered, or kept for a later turn. Messages may be decoded in place.
    #[inline]
    pub fn receive(&mut self, input: &mut [u8]) {
        self.time = None;
        let Self { connection, out, clock, time } = self;
        connection.receive(input, out, || *time.insert(clock.now()));
    }

    /// Reports the end of the input.
    pub fn end_of_input(&mut self) {
        self.time = None;
        let Self { connection, out, clock, time } = self;
        connection.end_of_input(out, || *time.insert(clock.now()));
    }

    /// Reports that a read would block. `arrived` returns the number of unread bytes in the socket, which a runtime may
    /// not have reported yet.
    #[inline]
    pub fn would_block(&mut self, arrived: impl FnOnce() -> usize) {
        self.time = None;
        self.connection.would_block(arrived);
    }

    /// Performs pending work for one turn.
    pub fn run(&mut self) {
        let Self { connection, out, clock, time } = self;
        connection.run(out, || *time.insert(clock.now()));
    }

    /// Reports that the [`deadline`](Connection::deadline) may have passed, with `queued` bytes in the send queue of
    /// the kernel and `arrived` unread bytes. The unread bytes arrived while the server was busy, so they are read
    /// first, and the connection times out if they complete no message.
    pub fn expire(&mut self, queued: u64, arrived: usize) {
        let now = self.read_clock();
        self.connection.expire(queued, arrived, self.out, now);
    }

    /// Reports that something was pushed to the mailbox.
    pub fn notified(&mut self) {
        self.connection.notified(self.out);
    }

    /// Reports that the server is stopping. The `arrived` unread bytes are the last that are processed.
    pub fn stop(&mut self, arrived: usize) {
        self.connection.stop(arrived);
    }

    /// Reports that the drain deadline has passed. Unsent output is discarded.
    pub fn cut(&mut self) {
        self.connection.cut(self.out);
    }

    /// Reports that the socket has failed.
    pub fn lost(&mut self) {
        self.connection.lost(self.out);
    }

    /// Lends the output, at [`Next::Write`], and gives the outbox the buffer `spare`. Until the output is
    /// [returned](Self::returned), nothing is written and no message is answered: input is kept.
    ///
    /// If the output is not returned soon, call [`blocked`](Self::blocked).
    #[inline]
    pub fn lend(&mut self, spare: Vec<u8>) -> Output {
        self.connection.lend(self.out, spare)
    }

    /// Returns lent output, of which `count` bytes were written. If all of it was written, returns its empty buffer for
    /// reuse.
    #[inline]
    pub fn returned(&mut self, output: Output, count: usize) -> Option<Vec<u8>> {
        let Self { connection, clock, time, .. } = self;
        connection.returned(output, count, || *time.get_or_insert_with(|| clock.now()))
    }

    fn now(&mut self) -> Instant {
        *self.time.get_or_insert_with(|| self.clock.now())
    }

    fn read_clock(&mut self) -> Instant {
        *self.time.insert(self.clock.now())
    }
}

impl Drop for Active<'_> {
    #[inline]
    fn drop(&mut self) {
        if !self.out.is_empty() && !canary!("leaves output in the outbox") {
            let now = self.now();
            self.connection.keep(self.out, now);
        }
    }
}
