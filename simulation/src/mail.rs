//! The model of a mailbox: what each push must return, and what is delivered next.

use std::collections::VecDeque;

use common::{CloseReason, Limits, MailboxFull, SendError};

use crate::book::text;

/// What is in a mailbox, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mail {
    Push(Vec<u8>),
    /// An answer. `None` if it was dropped.
    Answer(Option<Vec<u8>>),
    Close,
}

/// What happened to the pushes to all clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PushTotals {
    pub(crate) pushed: u64,
    pub(crate) delivered: u64,
    pub(crate) dropped: u64,
    pub(crate) refused: u64,
}

/// The mailbox of a client.
#[derive(Debug, Default)]
pub(crate) struct Mailbox {
    queue: VecDeque<Mail>,
    /// What the messages in it are charged.
    pub(crate) bytes: usize,
    /// How many messages were dropped since the session was told.
    missed: u64,
    pub(crate) is_awaiting: bool,
    pub(crate) is_overrun: bool,
    /// Whether nothing may be pushed any more.
    is_shut: bool,
    is_gone: bool,
}

/// What a message is charged beyond its length.
const OVERHEAD: usize = 64;

impl Mailbox {
    /// Returns what a push of this message returns.
    pub(crate) fn push(
        &mut self,
        message: Vec<u8>,
        limits: &Limits,
        is_stopping: bool,
        totals: &mut PushTotals,
    ) -> Result<(), SendError> {
        if self.is_shut || self.is_gone || self.is_overrun || is_stopping {
            return Err(SendError::Gone);
        }
        totals.pushed += 1;
        let charge = message.len() + OVERHEAD;
        if limits.mailbox_full == MailboxFull::DropOldest && charge <= limits.mailbox {
            while self.bytes + charge > limits.mailbox {
                self.drop_oldest();
                totals.dropped += 1;
            }
        }
        if self.bytes + charge > limits.mailbox {
            totals.refused += 1;
            if limits.mailbox_full == MailboxFull::Close && charge <= limits.mailbox {
                self.is_overrun = true;
                self.empty(totals);
            }
            return Err(SendError::Full);
        }
        self.bytes += charge;
        self.queue.push_back(Mail::Push(message));
        Ok(())
    }

    fn drop_oldest(&mut self) {
        let oldest = self.queue.iter().position(|mail| matches!(mail, Mail::Push(_)));
        if let Some(Mail::Push(message)) = oldest.and_then(|oldest| self.queue.remove(oldest)) {
            self.bytes -= message.len() + OVERHEAD;
            self.missed += 1;
        }
    }

    fn empty(&mut self, totals: &mut PushTotals) {
        totals.dropped += self.queue.iter().filter(|mail| matches!(mail, Mail::Push(_))).count() as u64;
        (self.bytes, self.missed) = (0, 0);
        self.queue.clear();
    }

    /// The conversation has ended.
    pub(crate) fn end(&mut self, totals: &mut PushTotals) {
        self.empty(totals);
        (self.is_gone, self.is_awaiting) = (true, false);
    }

    /// The end of the conversation is requested.
    pub(crate) fn close(&mut self) {
        if !self.is_gone {
            self.queue.push_back(Mail::Close);
            self.is_shut = true;
        }
    }

    /// An answer was given or dropped, with this result. `Err` if another one must have been returned.
    pub(crate) fn answer(
        &mut self,
        answer: Option<Vec<u8>>,
        result: Result<(), SendError>,
    ) -> Result<(), String> {
        let was_awaiting = std::mem::take(&mut self.is_awaiting);
        match result {
            Ok(()) if was_awaiting && !self.is_overrun => self.queue.push_back(Mail::Answer(answer)),
            Ok(()) => return Err("an answer that is not awaited was accepted".into()),
            Err(_) => {}
        }
        Ok(())
    }

    /// A dropped answer returns nothing, so it counts if it was awaited.
    pub(crate) fn drop_answer(&mut self) {
        if std::mem::take(&mut self.is_awaiting) && !self.is_overrun {
            self.queue.push_back(Mail::Answer(None));
        }
    }

    /// A message is delivered.
    pub(crate) fn delivered(&mut self, message: &[u8], totals: &mut PushTotals) -> Result<(), String> {
        totals.delivered += 1;
        if self.missed > 0 {
            return Err(format!("{} came, and {} before it were lost untold", text(message), self.missed));
        }
        match self.queue.pop_front() {
            Some(Mail::Push(next)) if next == message => {
                self.bytes -= next.len() + OVERHEAD;
                Ok(())
            }
            next => Err(format!("{} was delivered, and the next one is {next:?}", text(message))),
        }
    }

    /// An answer is delivered.
    pub(crate) fn answered(&mut self, answer: &[u8]) -> Result<(), String> {
        match self.queue.pop_front() {
            Some(Mail::Answer(Some(next))) if next == answer => Ok(()),
            next => Err(format!("the answer {} was delivered, and the next one is {next:?}", text(answer))),
        }
    }

    /// The session is told how many messages it has missed.
    pub(crate) fn told_missed(&mut self, count: u64) -> Result<(), String> {
        match std::mem::take(&mut self.missed) {
            missed if missed == count => Ok(()),
            missed => Err(format!("it was told of {count} missed messages, and they are {missed}")),
        }
    }

    /// Whether anything is in it.
    pub(crate) fn has_mail(&self) -> bool {
        !self.queue.is_empty() || self.missed > 0
    }

    /// Whether anything is in it that was pushed, or a message was dropped of which the session was not told.
    pub(crate) fn has_mail_before_stop(&self) -> bool {
        self.has_push() || self.missed > 0
    }

    /// Whether any pushed message is in it.
    pub(crate) fn has_push(&self) -> bool {
        self.queue.iter().any(|mail| matches!(mail, Mail::Push(_)))
    }

    /// Whether what is next ends the conversation for this reason.
    pub(crate) fn causes(&self, why: CloseReason) -> bool {
        match why {
            CloseReason::Closed => self.queue.front() == Some(&Mail::Close) && self.missed == 0,
            CloseReason::Unanswered => self.queue.front() == Some(&Mail::Answer(None)),
            CloseReason::MailboxFull => self.is_overrun,
            _ => true,
        }
    }
}
