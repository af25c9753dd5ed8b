//! A client, its socket, and the worker that serves it.

use std::sync::Arc;

use anyloop::backend::{Clock, Connection, Marks, Next, Output, Record};
use anyloop::protocol::Outbox;
use anyloop::{Address, Answer, CloseReason, Handle, SendError};
use arbitrary::{Result, Unstructured};

use super::bounds::{self, Rest, Times};
use super::session::{Kind, Script};
use super::{Settings, Time, transform};

pub(super) struct Client {
    pub(super) settings: Settings,
    pub(super) time: Arc<Time>,
    pub(super) times: Times,
    /// The most memory that the connection may have.
    pub(super) memory_bound: usize,
    pub(super) script: Arc<Script>,
    pub(super) connection: Connection,
    pub(super) record: Arc<Record>,
    handle: Handle,
    /// What the client has sent, in raw bytes, and how much of it was received.
    sent: Vec<u8>,
    delivered: usize,
    /// The messages, and where each ends in what was sent.
    pub(super) messages: Vec<(Kind, usize)>,
    /// Whether the client has sent what is no message, or a part of one.
    pub(super) is_broken: bool,
    sent_end: bool,
    /// Whether the socket has failed.
    pub(super) is_lost: bool,
    /// How many bytes can be written before a write would block.
    room: usize,
    pub(super) lent: Option<Output>,
    /// What the client has received, in raw bytes.
    pub(super) received: Vec<u8>,
    /// The pushes that were accepted.
    pub(super) pushes: Vec<Vec<u8>>,
    pub(super) refused: u64,
    pub(super) gone: u64,
    /// How much of what was sent must be answered, once the server stops.
    pub(super) stopped: Option<usize>,
    pub(super) over: Option<CloseReason>,
}

impl Client {
    pub(super) fn new(settings: Settings, time: &Arc<Time>) -> Self {
        let (script, now) = (Arc::new(Script::default()), time.now());
        let record = Arc::new(Record::new(&settings.limits, 0));
        let client = anyloop::Client::with_record(Address::Unknown, 0, Arc::clone(&record));
        let handle = client.handle();
        let service = settings.service(&script);
        let memory_bound = service.memory_bound();
        let connection = Connection::new(Arc::new(service), client, now);
        Self {
            settings,
            time: Arc::clone(time),
            times: Times::new(now),
            memory_bound,
            script,
            connection,
            record,
            handle,
            sent: Vec::new(),
            delivered: 0,
            messages: Vec::new(),
            is_broken: false,
            sent_end: false,
            is_lost: false,
            room: 0,
            lent: None,
            received: Vec::new(),
            pushes: Vec::new(),
            refused: 0,
            gone: 0,
            stopped: None,
            over: None,
        }
    }

    /// One event, of the client or of another thread.
    pub(super) fn event(
        &mut self,
        data: &mut Unstructured<'_>,
        out: &mut Outbox,
        clock: &Clock,
    ) -> Result<()> {
        match data.int_in_range(0..=31)? {
            0..=9 => self.send_message(Kind::ALL[data.int_in_range(0..=5)?]),
            10 => self.send_message(*data.choose(&Kind::ALL)?),
            11 => self.send_garbage(),
            12 => self.sent_end |= !self.messages.is_empty(),
            13..=16 => self.room += data.int_in_range(1..=1_000)?,
            17 | 18 => self.pass(data.int_in_range(1..=8)?),
            19..=21 => self.push(data.int_in_range(0..=60)?),
            22..=24 => self.answer(data.int_in_range(0..=9)?),
            25 => self.deliver_to_ring(data.int_in_range(1..=200)?, out, clock),
            26 | 27 => self.give_back(data.int_in_range(0..=1_000)?, out, clock),
            28 => {
                let (queued, arrived) = (data.int_in_range(0..=3)?, self.unread());
                self.connection.activate(out, clock).expire(queued, arrived);
            }
            29 => match data.int_in_range(0..=3)? {
                0 => self.handle.close(),
                1 => self.stop(),
                2 if self.stopped.is_some() => self.record.cell.mark(Marks::CUT),
                _ => {}
            },
            30 if data.ratio(1, 8)? => {
                self.connection.activate(out, clock).lost();
                self.is_lost = true;
            }
            31 => self.record.cell.mark(Marks::EXPIRED), // also if no deadline has passed
            _ => {}
        }
        self.times.handle(self.script.events().handled, self.time.now());
        bounds::check_memory(self);
        Ok(())
    }

    fn send(&mut self, bytes: &[u8]) {
        match self.settings.transformed {
            true => transform::seal(bytes, &mut self.sent),
            false => self.sent.extend_from_slice(bytes),
        }
    }

    fn send_message(&mut self, kind: Kind) {
        if self.sent_end || self.is_broken {
            return;
        }
        let message = self.settings.frame(&kind.message(self.messages.len()));
        self.send(&message);
        self.messages.push((kind, self.sent.len()));
    }

    /// Sends a message over the limit, which nothing follows.
    fn send_garbage(&mut self) {
        if !self.sent_end && !self.is_broken {
            self.send(&self.settings.frame(&[b'x'; 17]));
            self.is_broken = true;
        }
    }

    fn unread(&self) -> usize {
        self.sent.len() - self.delivered
    }

    fn pass(&mut self, milliseconds: u64) {
        self.time.pass(milliseconds);
        let now = self.time.now();
        if self.connection.deadline().is_some_and(|deadline| deadline <= now) {
            self.record.cell.mark(Marks::EXPIRED);
        }
    }

    fn push(&mut self, length: usize) {
        let mut message = format!("push {} ", self.pushes.len()).into_bytes();
        message.resize(message.len() + length, b'p');
        match self.handle.send(&message[..]) {
            Ok(()) => self.pushes.push(message),
            Err(SendError::Gone) => self.gone += 1,
            Err(_) => self.refused += 1,
        }
    }

    fn answer(&mut self, how: u32) {
        let Some((number, later)) = self.script.events().laters.pop() else { return };
        let answer = match how {
            0 => None,
            1 => Some(Answer::Reject(format!("no {number}"))),
            2 => Some(Answer::Close(format!("bye {number}").into_bytes())),
            _ => Some(Answer::Reply(format!("answer {number}").into_bytes())),
        };
        let is_awaited = match &answer {
            None => {
                let is_awaited = !later.is_gone();
                drop(later);
                is_awaited
            }
            Some(answer) => later.answer(answer.clone()).is_ok(),
        };
        if is_awaited {
            self.script.events().answers.push((number, answer));
        }
    }

    fn stop(&mut self) {
        if self.stopped.is_none() {
            self.record.cell.mark(Marks::STOPPING);
        }
    }

    /// Takes the marks, and performs up to `steps` operations, with up to `count` bytes each.
    pub(super) fn serve(&mut self, steps: usize, count: usize, out: &mut Outbox, clock: &Clock) {
        let (was_due, received) = (self.take_marks(out, clock), self.received.len());
        let rest = self.operate(steps, count, out, clock);
        self.times.handle(self.script.events().handled, self.time.now());
        bounds::check_memory(self);
        if let Some(rest) = rest {
            let is_sent = self.received.len() > received;
            bounds::check_deadline(self, rest, was_due, is_sent);
        }
    }

    /// Performs operations. Returns what the connection waits for, if it can do nothing more.
    fn operate(&mut self, steps: usize, count: usize, out: &mut Outbox, clock: &Clock) -> Option<Rest> {
        let mut active = self.connection.activate(out, clock);
        for _ in 0..steps {
            match active.what_now() {
                Next::Write if self.settings.lends => {
                    if self.lent.is_none() {
                        let lent = active.lend(Vec::new());
                        assert!(!lent.bytes().is_empty(), "no output is lent");
                        self.lent = Some(lent);
                    }
                    return Some(Rest::Lent);
                }
                Next::Write if self.room == 0 => {
                    active.blocked(self.received.len() as u64);
                    return Some(Rest::Output);
                }
                Next::Write => {
                    let output = active.output();
                    assert!(!output.is_empty(), "there is nothing to write");
                    let written = output.len().min(self.room).min(count.max(1));
                    self.received.extend_from_slice(&output[..written]);
                    self.room -= written;
                    active.wrote(written);
                    self.times.written = self.time.now();
                }
                Next::Run => active.run(),
                Next::Read if self.delivered < self.sent.len() => {
                    let piece = self.delivered..self.sent.len().min(self.delivered + count);
                    self.delivered = piece.end;
                    self.times.receive(&piece, &self.messages, self.time.now());
                    active.receive(&mut self.sent[piece]);
                }
                Next::Read if self.sent_end => active.end_of_input(),
                Next::Read => {
                    active.would_block(|| 0);
                    return Some(Rest::Input);
                }
                Next::Wait => return Some(Rest::Answer),
                Next::Done(reason) => {
                    drop(active);
                    if self.over.replace(reason).is_none() {
                        bounds::check_end(self, reason);
                    }
                    return Some(Rest::Over);
                }
            }
        }
        None
    }

    /// Returns the timer that was due, if the connection was told that its deadline has passed.
    fn take_marks(&mut self, out: &mut Outbox, clock: &Clock) -> Option<bounds::Due> {
        let (marks, arrived) = (self.record.cell.take_marks(), self.unread());
        let due = bounds::due(self).filter(|_| marks.contains(Marks::EXPIRED));
        let mut active = self.connection.activate(out, clock);
        if marks.contains(Marks::STOPPING) {
            active.stop(arrived);
            self.stopped = Some(self.sent.len());
        }
        if marks.contains(Marks::EXPIRED) {
            active.expire(0, arrived);
        }
        if marks.contains(Marks::NOTIFIED) {
            active.notified();
        }
        if marks.contains(Marks::CUT) {
            active.cut();
        }
        due
    }

    /// A ring delivers what it had received before it was told to stop.
    fn deliver_to_ring(&mut self, count: usize, out: &mut Outbox, clock: &Clock) {
        if self.settings.lends && self.unread() > 0 {
            let piece = self.delivered..self.sent.len().min(self.delivered + count);
            self.delivered = piece.end;
            self.connection.activate(out, clock).receive(&mut self.sent[piece]);
        }
    }

    /// Returns the lent output, with up to `count` bytes written.
    fn give_back(&mut self, count: usize, out: &mut Outbox, clock: &Clock) {
        let Some(output) = self.lent.take() else { return };
        let count = count.min(output.bytes().len());
        let is_lent = self.connection.is_lent();
        let written = output.bytes()[..count].to_vec();
        self.connection.activate(out, clock).returned(output, count);
        if is_lent {
            self.received.extend(written);
        }
    }

    /// Ends what may hold the conversation up, and serves it until it is over.
    pub(super) fn conclude(&mut self, out: &mut Outbox, clock: &Clock) {
        self.sent_end = true;
        for _ in 0..10_000 {
            self.room = usize::MAX;
            self.serve(20, 1_000, out, clock);
            self.give_back(usize::MAX, out, clock);
            self.answer(9);
            if self.over.is_some() {
                return;
            }
        }
        panic!("the conversation does not end: {:?}", self.connection);
    }
}
