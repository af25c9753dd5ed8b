//! The book: what happened to each client, from which the expected output follows.

use std::collections::VecDeque;

use common::{CloseReason, SendError};

/// What happened to each client of a run.
#[derive(Debug, Default)]
pub(crate) struct Book {
    pub(crate) clients: Vec<Account>,
    pub(crate) pushes: usize,
    /// The counts of pushes that were accepted, and refused.
    pub(crate) accepted: u64,
    pub(crate) refused: u64,
    pub(crate) delivered: u64,
    /// What was wrong first.
    pub(crate) violation: Option<String>,
}

/// What happened to one client.
#[derive(Debug, Default)]
pub(crate) struct Account {
    /// The messages that the client has sent, or will send.
    pub(crate) messages: Vec<Vec<u8>>,
    /// How many of them were sent in whole.
    pub(crate) sent: usize,
    /// How many of them were handled.
    pub(crate) handled: usize,
    /// The output that the client has not received yet.
    pub(crate) expected: VecDeque<Vec<u8>>,
    /// What is in the mailbox: pushes and answers.
    pub(crate) mail: VecDeque<Mail>,
    pub(crate) is_open: bool,
    pub(crate) closed: Option<CloseReason>,
    pub(crate) close_requested: bool,
    /// The reply with which the conversation ended.
    pub(crate) error: Option<Vec<u8>>,
    /// How many pushes the session was told that it has missed.
    pub(crate) told_missed: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mail {
    Push(Vec<u8>),
    Answer(Vec<u8>),
}

impl Book {
    /// Records a violation, unless there is one already.
    pub(crate) fn violate(&mut self, what: impl FnOnce() -> String) {
        self.violation.get_or_insert_with(what);
    }

    fn check(&mut self, is_right: bool, what: impl FnOnce() -> String) {
        if !is_right {
            self.violate(what);
        }
    }

    pub(crate) fn opened(&mut self, client: usize) {
        let account = &mut self.clients[client];
        let was_open = std::mem::replace(&mut account.is_open, true);
        account.expected.push_back(b"hello".to_vec());
        self.check(!was_open, || format!("client {client}: its session was opened twice"));
    }

    pub(crate) fn handled(&mut self, client: usize, message: &[u8]) {
        let account = &mut self.clients[client];
        // Nothing is handled while an answer is awaited, so those that were given were sent.
        while let Some(Mail::Answer(_)) = account.mail.front() {
            if let Some(Mail::Answer(answer)) = account.mail.pop_front() {
                account.expected.push_back(answer);
            }
        }
        let awaits = account.mail.iter().any(|mail| matches!(mail, Mail::Answer(_)));
        let number = account.handled;
        account.handled += 1;
        let is_right = account.messages.get(number).is_some_and(|expected| expected == message);
        let (is_sent, is_closed) = (number < account.sent, account.closed.is_some());
        self.check(is_right, || {
            format!("client {client}: message {number} is not what it has sent: {}", text(message))
        });
        self.check(is_sent, || format!("client {client}: message {number} was handled before it was sent"));
        self.check(!awaits, || {
            format!("client {client}: message {number} was handled before an answer was sent")
        });
        self.check(!is_closed, || format!("client {client}: message {number} was handled after `closed`"));
    }

    pub(crate) fn replied(&mut self, client: usize, reply: Vec<u8>) {
        self.clients[client].expected.push_back(reply);
    }

    /// A message that is pushed to several clients is composed for each.
    pub(crate) fn compose_push(&mut self) -> String {
        self.pushes += 1;
        format!("P{}", self.pushes)
    }

    pub(crate) fn pushed(&mut self, client: usize, message: String, result: Result<(), SendError>) {
        match result {
            Ok(()) => {
                self.accepted += 1;
                self.clients[client].mail.push_back(Mail::Push(message.into_bytes()));
            }
            Err(SendError::Full) => self.refused += 1,
            Err(_) => {}
        }
    }

    pub(crate) fn answered(&mut self, client: usize, answer: Vec<u8>) {
        self.clients[client].mail.push_back(Mail::Answer(answer));
    }

    pub(crate) fn close_requested(&mut self, client: usize) {
        self.clients[client].close_requested = true;
    }

    pub(crate) fn notified(&mut self, client: usize, message: &[u8]) {
        self.delivered += 1;
        let account = &mut self.clients[client];
        let mut skipped = 0;
        let found = loop {
            match account.mail.pop_front() {
                Some(Mail::Answer(answer)) => account.expected.push_back(answer),
                Some(Mail::Push(next)) if next == message => break true,
                Some(Mail::Push(_)) => skipped += 1,
                None => break false,
            }
        };
        account.expected.push_back(message.to_vec());
        let told = std::mem::take(&mut account.told_missed);
        let is_closed = account.closed.is_some();
        self.check(found, || {
            format!("client {client}: {} was pushed to another, or delivered before", text(message))
        });
        self.check(skipped == told, || {
            format!(
                "client {client}: {skipped} messages before {} were lost, and it was told of {told}",
                text(message)
            )
        });
        self.check(!is_closed, || format!("client {client}: {} came after `closed`", text(message)));
    }

    pub(crate) fn missed(&mut self, client: usize, count: u64) {
        let account = &mut self.clients[client];
        account.told_missed += count;
        account.expected.push_back(format!("M{count}").into_bytes());
    }

    pub(crate) fn closed(&mut self, client: usize, why: CloseReason) {
        let account = &mut self.clients[client];
        let (is_open, before) = (account.is_open, account.closed.replace(why));
        self.check(is_open, || {
            format!("client {client}: `closed` was called, and its session was not opened")
        });
        self.check(before.is_none(), || format!("client {client}: `closed` was called twice"));
    }

    /// The client has received this output.
    pub(crate) fn received(&mut self, client: usize, frame: Vec<u8>) {
        let account = &mut self.clients[client];
        if account.error.is_some() {
            return self
                .violate(|| format!("client {client}: {} came after an error that ends it", text(&frame)));
        }
        let answer = account.mail.iter().position(|mail| *mail == Mail::Answer(frame.clone()));
        match account.expected.front() {
            Some(expected) if *expected == frame => drop(account.expected.pop_front()),
            // An answer goes out between the pushes around it, which may have been dropped, and beside the session's timer.
            _ if answer.is_some() => drop(answer.and_then(|answer| account.mail.remove(answer))),
            _ if frame.starts_with(b"ERR ") => account.error = Some(frame),
            expected => {
                let expected = expected.map_or("nothing".to_owned(), |expected| text(expected));
                self.violate(|| {
                    format!("client {client} received {}, and {expected} was expected", text(&frame))
                });
            }
        }
    }
}

/// Output as text, shortened.
pub(crate) fn text(bytes: &[u8]) -> String {
    let shown = bytes.escape_ascii().take(60).map(char::from).collect::<String>();
    if bytes.len() > 60 { format!("`{shown}…` ({} bytes)", bytes.len()) } else { format!("`{shown}`") }
}
