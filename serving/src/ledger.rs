//! The books: everybody who was accepted is accounted for once.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use common::{CloseReason, Outcome};

/// What a server says of itself when it has ended: what became of everybody it accepted, and what went
/// wrong meanwhile. It adds up:
/// `accepted = finished + drained + cut + timed_out + refused + failed`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// How many connections were accepted.
    pub accepted: u64,
    /// How many messages were answered.
    pub messages: u64,
    /// How many times accepting failed, for want of descriptors or memory.
    pub accept_errors: u64,
    /// How many sockets were closed without lingering, since too many lingered.
    pub unlingered: u64,
    /// How many conversations ended for each reason, in the order of [`CloseReason::ALL`].
    reasons: [u64; CloseReason::ALL.len()],
}

impl Report {
    /// How many conversations ended for this reason.
    pub fn reason(&self, reason: CloseReason) -> u64 {
        self.reasons[reason as usize]
    }

    /// How many conversations are counted so.
    pub fn outcome(&self, outcome: Outcome) -> u64 {
        let reasons = CloseReason::ALL.iter().filter(|reason| reason.outcome() == outcome);
        reasons.map(|&reason| self.reason(reason)).sum()
    }

    /// How many conversations have ended, for whatever reason.
    pub fn ended(&self) -> u64 {
        self.reasons.iter().sum()
    }
}

/// Counts while the server runs.
#[derive(Default)]
pub(crate) struct Ledger {
    book: Mutex<Book>,
    ended: Condvar,
}

#[derive(Default)]
struct Book {
    report: Report,
    closed: bool,
}

impl Ledger {
    pub(crate) fn accepted(&self) {
        self.book().report.accepted += 1;
    }

    pub(crate) fn accept_error(&self) {
        self.book().report.accept_errors += 1;
    }

    pub(crate) fn unlingered(&self) {
        self.book().report.unlingered += 1;
    }

    /// A conversation has ended.
    pub(crate) fn ended(&self, reason: CloseReason, messages: u64) {
        let mut book = self.book();
        if !book.closed {
            book.report.reasons[reason as usize] += 1;
            book.report.messages += messages;
            if book.open() == 0 {
                self.ended.notify_all();
            }
        }
    }

    /// How many conversations are open.
    pub(crate) fn open(&self) -> u64 {
        self.book().open()
    }

    /// Waits until nobody is left, at most for `timeout`. Tells how many conversations are open.
    pub(crate) fn wait(&self, timeout: Duration) -> u64 {
        let book = self.book();
        let waited = self.ended.wait_timeout_while(book, timeout, |book| book.open() > 0);
        waited.unwrap_or_else(PoisonError::into_inner).0.open()
    }

    /// Closes the books: who is still there was cut.
    pub(crate) fn close(&self) -> Report {
        let mut book = self.book();
        let open = book.open();
        book.report.reasons[CloseReason::Cut as usize] += open;
        book.closed = true;
        book.report.clone()
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    fn open(&self) -> u64 {
        self.report.accepted - self.report.ended()
    }
}
