//! The book: what happened to each client, from which all of its output follows, to the byte.

use std::collections::VecDeque;
use std::time::Duration;

use common::{CloseReason, ErrorReply, Flow, Limits, Progress, SendError};

use crate::client::Input;
use crate::format::Format;
use crate::mail::{Mailbox, PushTotals};
use crate::timing::Timing;
use crate::turn::Turn;

/// What happened to each client of a run.
#[derive(Debug)]
pub(crate) struct Book {
    pub(crate) clients: Vec<Account>,
    pub(crate) format: Format,
    pub(crate) limits: Limits,
    pub(crate) totals: PushTotals,
    /// How many messages were answered.
    pub(crate) answered: u64,
    /// How many conversations with a session ended for each reason, in the order of [`CloseReason::ALL`].
    pub(crate) reasons: [u64; CloseReason::ALL.len()],
    /// The client whose connection does something now.
    pub(crate) current: usize,
    /// Whether calls may block now.
    pub(crate) allows_blocking: bool,
    /// Whether the server stops, so that nothing can be pushed.
    pub(crate) is_stopping: bool,
    /// Whether it cuts what is open, and when it may do so, once a stop was requested.
    pub(crate) is_cut: bool,
    pub(crate) cut_at: Option<Duration>,
    /// The numbers of pushes and answers.
    pub(crate) numbers: u64,
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
    /// How many of them were handled, and of how many bytes they were.
    pub(crate) handled: usize,
    streamed: usize,
    /// The output of the current call, which may be withdrawn, and the output that the client has not received.
    staged: Vec<Vec<u8>>,
    pub(crate) expected: VecDeque<Vec<u8>>,
    /// How much of the first one it has received.
    pub(crate) position: usize,
    pub(crate) mailbox: Mailbox,
    pub(crate) timing: Timing,
    /// Whether it was accepted, and has a connection; and whether its session was opened.
    pub(crate) is_connected: bool,
    pub(crate) is_open: bool,
    /// Whether its session was told that the server stops.
    pub(crate) is_told_of_stop: bool,
    /// Whether its calls may block.
    pub(crate) may_block: bool,
    /// If it is to be passed on to where they may, whether the write timeout may have ended it before.
    pub(crate) passed_on: Option<bool>,
    pub(crate) closed: Option<CloseReason>,
    /// The reason for which the session has ended the conversation.
    pub(crate) asked: Option<CloseReason>,
    /// The error with which the core has ended it.
    pub(crate) error: Option<ErrorReply>,
    /// Whether anything of it has panicked, in particular the transform, so that output may be lost.
    pub(crate) has_panicked: bool,
    pub(crate) may_lose_output: bool,
    pub(crate) has_overflowed: bool,
    /// Whether its socket was made to fail, or its job was dropped.
    pub(crate) was_lost: bool,
    /// Whether an answer was refused, so that its conversation is ending.
    pub(crate) is_answer_refused: bool,
    /// Whether the current call has announced an answer.
    announces: bool,
    /// The answer that is to be written before the next message.
    pub(crate) pending: Option<Pending>,
    /// Whether an answer was dropped when the core ended it.
    pub(crate) was_unanswered: bool,
    /// How its input begins and ends.
    pub(crate) input: Input,
    /// Whether its first input was checked, and refused.
    pub(crate) is_checked: bool,
    pub(crate) is_refused_after_check: bool,
    /// How many bytes had arrived when the server began to stop.
    pub(crate) arrived_at_stop: usize,
    /// When the handshake ran last where it may block.
    pub(crate) handshake_until: Duration,
    /// Whether the end of its input must be announced since the question for that has panicked.
    pub(crate) must_announce_end: bool,
    /// Whether the transform has written its final output.
    pub(crate) has_final_output: bool,
    /// When the timer of its session expires, if it was set.
    pub(crate) timer_at: Option<Duration>,
    pub(crate) turn: Turn,
}

/// An answer that is to be written before the next message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pending {
    /// Whether it counts as an answered message.
    is_message: bool,
    /// Whether the conversation ends after it.
    exits: bool,
}

impl Account {
    /// The account of a client that will send these messages.
    pub(crate) fn new(messages: Vec<Vec<u8>>, input: Input, may_block: bool) -> Self {
        Self { messages, input, may_block, ..Self::default() }
    }
}

impl Book {
    pub(crate) fn new(format: Format, limits: Limits) -> Self {
        Self {
            clients: Vec::new(),
            format,
            limits,
            totals: PushTotals::default(),
            answered: 0,
            reasons: [0; CloseReason::ALL.len()],
            current: 0,
            allows_blocking: false,
            is_stopping: false,
            is_cut: false,
            cut_at: None,
            numbers: 0,
            violation: None,
        }
    }

    /// Records a violation, unless there is one already.
    pub(crate) fn violate(&mut self, client: usize, what: impl FnOnce() -> String) {
        self.violation.get_or_insert_with(|| format!("client {client}: {}", what()));
    }

    pub(crate) fn check(&mut self, client: usize, is_right: bool, what: impl FnOnce() -> String) {
        if !is_right {
            self.violate(client, what);
        }
    }

    pub(crate) fn require(&mut self, client: usize, result: Result<(), String>) {
        if let Err(what) = result {
            self.violate(client, || what);
        }
    }

    /// The protocol of a client is called, except for its end.
    pub(crate) fn begin(&mut self, client: usize) {
        let account = &mut self.clients[client];
        account.staged.clear();
        account.announces = false;
        let is_over = account.closed.is_some() || account.error.is_some() || account.asked.is_some();
        self.check(client, !is_over, || "it is called after its conversation has ended".into());
    }

    /// A call that may block is to be made.
    pub(crate) fn check_blocking(&mut self, client: usize) {
        let is_allowed = self.allows_blocking || !self.clients[client].may_block;
        self.check(client, is_allowed, || "it may block, and is called where it must not".into());
    }

    /// The call has returned, and its output is sent unless it exceeds the limit.
    pub(crate) fn commit(&mut self, client: usize) -> bool {
        let account = &mut self.clients[client];
        let is_too_long = account.staged.iter().map(Vec::len).sum::<usize>() > self.limits.max_reply;
        if is_too_long {
            account.has_overflowed = true;
            account.staged.clear();
        }
        account.expected.extend(account.staged.drain(..));
        !is_too_long
    }

    /// A reply, or other output of a session.
    pub(crate) fn replied(&mut self, client: usize, reply: &[u8]) {
        let mut framed = Vec::new();
        self.format.encode(reply, &mut framed);
        self.clients[client].staged.push(framed);
    }

    pub(crate) fn opened(&mut self, client: usize) {
        let account = &mut self.clients[client];
        let was_open = std::mem::replace(&mut account.is_open, true);
        let is_opening_valid = account.input.is_opening_valid && !account.is_refused_after_check;
        self.check(client, is_opening_valid, || "its session was opened after an invalid handshake".into());
        self.check(client, !was_open, || "its session was opened twice".into());
    }

    /// The protocol is to process input.
    pub(crate) fn receiving(&mut self, client: usize) {
        let account = &self.clients[client];
        let (is_awaiting, is_refused) = (account.pending.is_some(), account.is_answer_refused);
        self.check(client, !is_awaiting, || "input is processed before an answer was given".into());
        self.check(client, !is_refused, || "it continues after an answer was refused".into());
    }

    /// Its session is told that the server stops.
    pub(crate) fn stopping(&mut self, client: usize) {
        let account = &mut self.clients[client];
        let was_told = std::mem::replace(&mut account.is_told_of_stop, true);
        let has_mail = account.mailbox.has_mail_before_stop();
        let is_stopping = self.is_stopping;
        self.check(client, is_stopping, || "it is told of a stop, and the server does not stop".into());
        self.check(client, !was_told, || "it is told of the stop twice".into());
        self.check(client, !has_mail, || "it is told of the stop before what was pushed".into());
    }

    /// A message is handled.
    pub(crate) fn handled(&mut self, client: usize, message: &[u8]) {
        let account = &mut self.clients[client];
        let number = account.handled;
        account.handled += 1;
        let (is_right, is_sent) = if self.format == Format::Raw {
            let position = account.streamed;
            account.streamed += message.len();
            (is_next(&account.messages, position, message), true)
        } else {
            let expected = account.messages.get(number);
            (expected.is_some_and(|expected| expected == message), number < account.sent)
        };
        self.check(client, is_right, || {
            format!("message {number} is not what it has sent: {}", text(message))
        });
        self.check(client, is_sent, || format!("message {number} was handled before it was sent"));
        self.count_message(client);
    }

    /// The protocol has processed input.
    pub(crate) fn progressed(&mut self, client: usize, progress: &Progress, now: Duration) {
        let is_sent = self.commit(client);
        let account = &mut self.clients[client];
        let is_later = account.announces;
        match progress {
            Progress::Broken(_) => {}
            _ if !is_sent => {}
            Progress::More { begun, .. } => account.timing.more(*begun, now),
            Progress::Message { flow, .. } => {
                account.timing.message(now);
                self.answered += u64::from(!is_later);
                self.flowed(client, *flow, true);
            }
        }
    }

    /// A call has returned how the conversation continues. With an answer that it has announced, it ends after it.
    pub(crate) fn flowed(&mut self, client: usize, flow: Flow, is_message: bool) {
        let account = &mut self.clients[client];
        let is_later = std::mem::take(&mut account.announces);
        if is_later && flow != Flow::Fail {
            account.pending = Some(Pending { is_message, exits: flow == Flow::Close });
        } else if flow != Flow::Continue {
            let why = if flow == Flow::Fail { CloseReason::Rejected } else { CloseReason::Exit };
            account.asked = Some(why);
            account.mailbox.is_awaiting = false;
        }
    }

    /// An answer is announced.
    pub(crate) fn announced(&mut self, client: usize, now: Duration) {
        let account = &mut self.clients[client];
        (account.announces, account.mailbox.is_awaiting) = (true, true);
        account.timing.announced(now);
    }

    /// The text of the next push or answer, each of which is unlike all others.
    pub(crate) fn next_text(&mut self, kind: char) -> String {
        self.numbers += 1;
        format!("{kind}{}", self.numbers)
    }

    /// An answer was given, with this result. It may be one after which the conversation ends.
    pub(crate) fn gave_answer(
        &mut self,
        client: usize,
        answer: Vec<u8>,
        exits: bool,
        result: Result<(), SendError>,
    ) {
        let account = &mut self.clients[client];
        account.is_answer_refused |= result.is_err();
        if let Some(pending) = &mut account.pending {
            pending.exits |= exits;
        }
        let given = account.mailbox.answer(Some(answer), result);
        self.require(client, given);
    }

    /// What was pushed is passed to the session.
    pub(crate) fn notified(&mut self, client: usize, message: &[u8]) {
        let account = &mut self.clients[client];
        let delivered = account.mailbox.delivered(message, &mut self.totals);
        self.require(client, delivered);
    }

    /// An answer, or its rejection, was written.
    pub(crate) fn answered(&mut self, client: usize, now: Duration) {
        let is_sent = self.commit(client);
        let account = &mut self.clients[client];
        let Some(Pending { is_message, exits }) = account.pending.take() else {
            return self.violate(client, || "an answer came that nothing awaits".into());
        };
        if is_sent {
            self.answered += u64::from(is_message);
            account.timing.answered(now);
            account.asked = exits.then_some(CloseReason::Exit);
        }
    }

    /// The core ends the conversation with an error, which is sent.
    pub(crate) fn failed(&mut self, client: usize, error: &ErrorReply) {
        let text = self.format.error_text(error);
        self.replied(client, text.as_bytes());
        let account = &mut self.clients[client];
        account.expected.extend(account.staged.drain(..));
    }

    /// The session is closed.
    pub(crate) fn closed(&mut self, client: usize, why: CloseReason) {
        let account = &mut self.clients[client];
        let before = account.closed.replace(why);
        account.mailbox.end(&mut self.totals);
        self.reasons[why as usize] += 1;
        self.check(client, before.is_none(), || "`closed` was called twice".into());
        self.check_blocking(client);
    }

    /// The client has received this output.
    pub(crate) fn received(&mut self, client: usize, mut bytes: &[u8]) {
        let account = &mut self.clients[client];
        while let Some(expected) = account.expected.front() {
            let rest = &expected[account.position..];
            let count = rest.len().min(bytes.len());
            if rest[..count] != bytes[..count] {
                break;
            }
            account.position += count;
            bytes = &bytes[count..];
            if count < rest.len() {
                return;
            }
            account.expected.pop_front();
            account.position = 0;
        }
        if !bytes.is_empty() {
            let expected = account.expected.front().map_or("nothing".into(), |expected| text(expected));
            self.violate(client, || format!("it received {}, and expected {expected}", text(bytes)));
        }
    }

    /// Whether all messages were handled, and without a framing all of their bytes.
    pub(crate) fn has_handled(account: &Account, format: Format) -> bool {
        match format {
            Format::Raw => account.streamed >= account.messages.iter().map(Vec::len).sum(),
            _ => account.handled >= account.messages.len(),
        }
    }
}

/// Whether `piece` is in the concatenation of `messages` at this position.
fn is_next(messages: &[Vec<u8>], position: usize, piece: &[u8]) -> bool {
    let mut start = 0;
    let mut compared = 0;
    for message in messages {
        let end = start + message.len();
        while compared < piece.len() && position + compared < end {
            if message[position + compared - start] != piece[compared] {
                return false;
            }
            compared += 1;
        }
        start = end;
    }
    compared == piece.len()
}

/// Output as text, shortened.
pub(crate) fn text(bytes: &[u8]) -> String {
    let shown = bytes.escape_ascii().take(60).map(char::from).collect::<String>();
    if bytes.len() > 60 { format!("`{shown}…` ({} bytes)", bytes.len()) } else { format!("`{shown}`") }
}
