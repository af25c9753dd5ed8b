//! The mailbox of a connection: messages that other threads push to its client, and the answer to a message that is answered
//! later.

use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::cell::{Cell, GONE, HAS_MAILBOX, Inner, SHUT, Wakeup};
use crate::later::{Answer, Awaiting};
use crate::sync::atomic::Ordering;
use crate::{MailboxFull, Marks};

/// What a mailbox contains, in the order in which it was pushed.
#[derive(Debug)]
pub(crate) enum Mail {
    /// A pushed message.
    Push(Arc<[u8]>),
    /// This many pushed messages were dropped, which were older than the next ones.
    Missed(u64),
    /// The answer to a message; `None` if it was dropped.
    Answer(Option<Answer>),
    /// The conversation is to end.
    Close,
}

/// The bound of a mailbox, and what happens when a push exceeds it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MailboxLimit {
    max: u32,
    full: MailboxFull,
}

impl MailboxLimit {
    /// A bound of `max` bytes. It is at most 4 GiB.
    pub(crate) fn new(max: usize, full: MailboxFull) -> Self {
        Self { max: u32::try_from(max).unwrap_or(u32::MAX), full }
    }
}

/// The reason why a message was not pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SendError {
    /// The mailbox of the client is full. [`MailboxFull`] determines whether the conversation ends.
    Full,
    /// The conversation has ended, or the server is stopping.
    Gone,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "the mailbox of the client is full",
            Self::Gone => "the conversation has ended, or the server is stopping",
        })
    }
}

impl Error for SendError {}

/// The number of messages that were pushed, and what became of them: `pushed = delivered + dropped + refused` once the
/// conversation has ended. Before, messages may also wait in the mailbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PushCounts {
    /// All pushes except those to clients that were gone.
    pub pushed: u64,
    /// The messages that were passed to [`Session::notified`](crate::Session::notified).
    pub delivered: u64,
    /// The messages that were accepted and not delivered.
    pub dropped: u64,
    /// The messages that were not accepted, since the mailbox was full.
    pub refused: u64,
}

/// The mailbox, which is allocated at the first push.
#[derive(Debug, Default)]
pub(crate) struct Mailbox {
    pub(crate) queue: VecDeque<Mail>,
    /// The bytes that the pushed messages in the queue are charged.
    bytes: usize,
    /// The number of dropped messages that the session was not told of yet.
    missed: u64,
    pub(crate) counts: PushCounts,
    pub(crate) awaiting: Awaiting,
    /// Whether the conversation ends because the mailbox was full.
    pub(crate) overrun: bool,
}

/// Each pushed message is charged its length and this many bytes for its place in the queue.
pub(crate) const PUSH_OVERHEAD: usize = 64;

impl Mailbox {
    fn push(&mut self, message: Arc<[u8]>, limit: MailboxLimit) -> Result<(), SendError> {
        self.counts.pushed += 1;
        let (charge, max) = (charge(&message), limit.max as usize);
        let slack = usize::from(canary!("exceeds the bound of a mailbox by a byte"));
        if charge > max + slack - self.bytes.min(max) {
            match limit.full {
                // A message that exceeds an empty mailbox is refused, since it could never be delivered.
                MailboxFull::DropOldest if charge <= max && !canary!("refuses and drops nothing") => {
                    self.make_room(charge, max);
                }
                full => {
                    self.counts.refused += 1;
                    if full == MailboxFull::Close && charge <= max {
                        self.overrun = true;
                        self.empty();
                    }
                    return Err(SendError::Full);
                }
            }
        }
        self.bytes += charge;
        self.queue.push_back(Mail::Push(message));
        Ok(())
    }

    /// Drops the oldest messages until there is room for one more.
    fn make_room(&mut self, charge: usize, max: usize) {
        while self.bytes + charge > max {
            let is_push = |mail: &Mail| matches!(mail, Mail::Push(_));
            let oldest = match canary!("drops a newer push") {
                true => self.queue.iter().rposition(is_push),
                false => self.queue.iter().position(is_push),
            };
            let Some(Mail::Push(message)) = oldest.and_then(|oldest| self.queue.remove(oldest)) else {
                return;
            };
            self.bytes -= self::charge(&message);
            self.counts.dropped += u64::from(!canary!("counts no push that it drops"));
            self.missed += u64::from(!canary!("tells nothing of dropped pushes"));
        }
    }

    /// Takes the next item. The queue is freed when it is empty.
    fn next(&mut self) -> Option<Mail> {
        if self.missed > 0 {
            return Some(Mail::Missed(std::mem::take(&mut self.missed)));
        }
        let mail = self.queue.pop_front()?;
        if let Mail::Push(message) = &mail {
            self.bytes -= charge(message);
            self.counts.delivered += 1;
        }
        if self.queue.is_empty() {
            self.queue = VecDeque::new();
        }
        Some(mail)
    }

    /// Drops everything in the queue.
    fn empty(&mut self) {
        let messages = self.queue.drain(..).filter(|mail| matches!(mail, Mail::Push(_))).count();
        self.counts.dropped += messages as u64;
        (self.queue, self.bytes, self.missed) = (VecDeque::new(), 0, 0);
    }

    /// Drops everything, at the end of the conversation. Returns what awaited the answer.
    pub(crate) fn end(&mut self) -> Awaiting {
        if !canary!("counts no push that is left at the end") {
            self.empty();
        }
        std::mem::take(&mut self.awaiting)
    }
}

fn charge(message: &[u8]) -> usize {
    message.len().saturating_add(PUSH_OVERHEAD)
}

impl Cell {
    /// Pushes a message. Wake the owner after all locks were released.
    pub(crate) fn push(&self, message: Arc<[u8]>, limit: MailboxLimit) -> (Result<(), SendError>, Wakeup) {
        let mut inner = self.inner();
        if self.is(GONE | if canary!("accepts pushes after the stop") { 0 } else { SHUT }) {
            return (Err(SendError::Gone), Wakeup::None);
        }
        let mailbox = self.mailbox(&mut inner);
        if mailbox.overrun {
            return (Err(SendError::Gone), Wakeup::None);
        }
        let pushed = mailbox.push(message, limit);
        let wakes = (pushed.is_ok() || mailbox.overrun) && !canary!("pushes without a mark");
        (pushed, if wakes { self.wakeup(&inner, Marks::NOTIFIED) } else { Wakeup::None })
    }

    /// Ends the conversation after everything that was pushed before.
    pub(crate) fn push_close(&self) -> Wakeup {
        let mut inner = self.inner();
        if self.is(GONE) {
            return Wakeup::None;
        }
        let queue = &mut self.mailbox(&mut inner).queue;
        queue.push_back(Mail::Close);
        if canary!("closes before it delivers pushes") {
            queue.rotate_right(1);
        }
        self.marks.fetch_or(SHUT, Ordering::SeqCst); // a second one is not necessary, and more pushes are not delivered
        self.wakeup(&inner, Marks::NOTIFIED)
    }

    /// Takes the next item of the mailbox, if there is one.
    pub(crate) fn next_mail(&self) -> Option<Mail> {
        self.if_mailbox(Mailbox::next).flatten()
    }

    /// Whether the mailbox contains anything.
    pub(crate) fn has_mail(&self) -> bool {
        self.if_mailbox(|mailbox| mailbox.missed > 0 || !mailbox.queue.is_empty()) == Some(true)
    }

    /// Whether the conversation must end, since its mailbox was full.
    pub(crate) fn is_overrun(&self) -> bool {
        self.if_mailbox(|mailbox| mailbox.overrun) == Some(true)
    }

    /// The counts of pushed messages.
    pub fn push_counts(&self) -> PushCounts {
        self.if_mailbox(|mailbox| mailbox.counts).unwrap_or_default()
    }

    /// The mailbox, which is allocated if necessary.
    pub(crate) fn mailbox<'a>(&self, inner: &'a mut Inner) -> &'a mut Mailbox {
        inner.mailbox.get_or_insert_with(|| {
            self.marks.fetch_or(HAS_MAILBOX, Ordering::SeqCst);
            Box::default()
        })
    }

    /// Uses the mailbox if there is one. Without one it takes no lock.
    pub(crate) fn if_mailbox<T>(&self, usage: impl FnOnce(&mut Mailbox) -> T) -> Option<T> {
        if !self.is(HAS_MAILBOX) {
            return None;
        }
        self.inner().mailbox.as_mut().map(|mailbox| usage(mailbox))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(length: usize) -> Arc<[u8]> {
        vec![b'm'; length].into()
    }

    fn push(cell: &Cell, length: usize, limit: MailboxLimit) -> Result<(), SendError> {
        cell.push(message(length), limit).0
    }

    fn lengths(cell: &Cell) -> Vec<usize> {
        let mail = std::iter::from_fn(|| cell.next_mail());
        mail.filter_map(|mail| if let Mail::Push(message) = mail { Some(message.len()) } else { None })
            .collect()
    }

    #[test]
    fn the_bound_is_exact_and_each_message_is_charged_its_length_and_64_bytes() {
        let limit = MailboxLimit::new(2 * 100, MailboxFull::Refuse);
        let cell = Cell::default();
        assert_eq!(push(&cell, 36, limit), Ok(()));
        assert_eq!(push(&cell, 37, limit), Err(SendError::Full));
        assert_eq!(push(&cell, 36, limit), Ok(()));
        assert_eq!(push(&cell, 0, limit), Err(SendError::Full));
        assert_eq!(lengths(&cell), [36, 36]);
        assert_eq!(push(&cell, 136, limit), Ok(()), "an empty mailbox has room for all of it");
        let counts = PushCounts { pushed: 5, delivered: 2, dropped: 0, refused: 2 };
        assert_eq!(cell.push_counts(), counts);
    }

    #[test]
    fn a_full_mailbox_drops_its_oldest_messages_if_told_so() {
        let limit = MailboxLimit::new(2 * 100, MailboxFull::DropOldest);
        let cell = Cell::default();
        for length in [34, 35, 36] {
            assert_eq!(push(&cell, length, limit), Ok(()));
        }
        assert!(matches!(cell.next_mail(), Some(Mail::Missed(1))));
        assert_eq!(lengths(&cell), [35, 36]);
        assert_eq!(push(&cell, 136, limit), Ok(()));
        assert_eq!(push(&cell, 137, limit), Err(SendError::Full), "it exceeds an empty mailbox");
        assert_eq!(lengths(&cell), [136], "so nothing was dropped for it");
        assert_eq!(cell.push_counts(), PushCounts { pushed: 5, delivered: 3, dropped: 1, refused: 1 });
    }

    #[test]
    fn a_full_mailbox_closes_the_client_if_told_so() {
        let limit = MailboxLimit::new(100, MailboxFull::Close);
        let cell = Cell::default();
        assert_eq!(push(&cell, 37, limit), Err(SendError::Full), "it exceeds an empty mailbox");
        assert!(!cell.is_overrun());
        assert_eq!(push(&cell, 36, limit), Ok(()));
        assert!(cell.await_answer());
        assert_eq!(push(&cell, 0, limit), Err(SendError::Full));
        assert!(cell.is_overrun() && cell.is_marked());
        assert_eq!(push(&cell, 0, limit), Err(SendError::Gone));
        assert_eq!(cell.answer(None), Err(SendError::Gone));
        assert!(lengths(&cell).is_empty());
        assert_eq!(cell.push_counts(), PushCounts { pushed: 3, delivered: 0, dropped: 1, refused: 2 });
    }

    #[test]
    fn after_a_stop_pushes_are_gone_and_answers_are_accepted() {
        let limit = MailboxLimit::new(1000, MailboxFull::Close);
        let cell = Cell::default();
        assert_eq!(push(&cell, 1, limit), Ok(()));
        assert!(cell.await_answer() && !cell.await_answer());
        cell.mark(Marks::STOPPING);
        assert_eq!(push(&cell, 2, limit), Err(SendError::Gone));
        assert_eq!(cell.answer(Some(Answer::Reject("no".to_owned()))), Ok(()));
        assert_eq!(cell.answer(None), Err(SendError::Gone), "it is answered once");
        assert!(matches!(cell.next_mail(), Some(Mail::Push(_))));
        assert!(matches!(cell.next_mail(), Some(Mail::Answer(Some(Answer::Reject(_))))));
        assert!(cell.next_mail().is_none() && !cell.has_mail());
    }

    #[test]
    fn what_is_left_at_the_end_counts_as_dropped() {
        let limit = MailboxLimit::new(1000, MailboxFull::Close);
        let cell = Cell::default();
        assert_eq!((push(&cell, 1, limit), push(&cell, 2, limit)), (Ok(()), Ok(())));
        assert!(cell.await_answer());
        cell.leave();
        assert_eq!(push(&cell, 3, limit), Err(SendError::Gone));
        assert_eq!(cell.answer(None), Err(SendError::Gone));
        assert!(!cell.awaits_answer() && !cell.has_mail());
        assert_eq!(cell.push_counts(), PushCounts { pushed: 2, delivered: 0, dropped: 2, refused: 0 });
    }

    #[test]
    fn an_empty_queue_has_no_memory() {
        let cell = Cell::default();
        assert_eq!(push(&cell, 1, MailboxLimit::new(1000, MailboxFull::Close)), Ok(()));
        assert_eq!(lengths(&cell), [1]);
        assert_eq!(cell.inner().mailbox.as_ref().map(|mailbox| mailbox.queue.capacity()), Some(0));
    }
}
