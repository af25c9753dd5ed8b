//! What takes part in a run: each seed draws it.

use std::fmt;
use std::time::Duration;

use common::{Limits, MailboxFull, Overload};

use crate::format::Format;
use crate::operation::Operation;
use crate::preamble::Preambles;
use crate::tape::Tape;

/// How the connections are driven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Driving {
    /// A server whose worker handles edge-triggered events, as `epoll` does.
    Events,
    /// A server with a task for each client, as the async backends have it.
    Tasks,
    /// A server with operations that complete later, as `uring` has them.
    Ring,
    /// The core alone, in any legal order, which writes its output from the outbox.
    Borrowed,
    /// The core alone, in any legal order, which lends its output.
    Lent,
}

impl Driving {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Events, Self::Tasks, Self::Ring, Self::Borrowed, Self::Lent];

    /// Whether output is lent, so that the server learns later what it has written.
    pub(crate) fn lends(self) -> bool {
        matches!(self, Self::Ring | Self::Lent)
    }

    /// Whether the core is driven without a server.
    pub fn is_core(self) -> bool {
        matches!(self, Self::Borrowed | Self::Lent)
    }
}

/// Who accepts from the listener when the server stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listener {
    /// The server itself, to refuse the clients in the backlog.
    Own,
    /// Another server, which shares it from the beginning.
    Shared,
    /// Another server, to which the stop hands it over.
    HandedOver,
}

/// The chances of faults, of 256 each time that they may occur.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faults {
    pub(crate) short_reads: u8,
    pub(crate) short_writes: u8,
    pub(crate) interrupts: u8,
    pub(crate) refused_writes: u8,
    /// Wake-ups and events without a reason.
    pub(crate) spurious: u8,
    pub(crate) accept_errors: u8,
    /// The descriptor of the listener is invalid.
    pub(crate) broken_listener: u8,
    /// The system has no resources for an accepted client.
    pub(crate) unserved: u8,
    /// Events and completions that are reported later than others.
    pub(crate) late: u8,
    /// Receive operations that end although there is more to receive.
    pub(crate) single_receives: u8,
    /// Jobs of threads that may block which are dropped.
    pub(crate) dropped_jobs: u8,
    /// Sockets that fail.
    pub(crate) lost: u8,
    /// Calls of the application that panic, in any method, in a constructor or in a destructor, and those which say that they
    /// have used more input than there is.
    pub(crate) panics: u8,
}

/// What the clients do.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Behavior {
    pub(crate) clients: usize,
    pub(crate) messages: usize,
    pub(crate) longest: usize,
    pub(crate) resets: u8,
    pub(crate) urgent: u8,
    pub(crate) stalls: u8,
    /// Input that ends within a message, or is invalid.
    pub(crate) invalid: u8,
    /// Messages whose length is at the limit.
    pub(crate) at_limit: u8,
    pub(crate) stays: u8,
}

/// What takes part in a run.
#[derive(Clone, Debug)]
pub struct Options {
    /// How the connections are driven.
    pub driving: Driving,
    /// The format of the messages.
    pub format: Format,
    /// Whether the handler may block.
    pub blocking: bool,
    /// Whether the clients speak through a transform.
    pub transform: bool,
    /// Whether its handshake may block.
    pub(crate) blocking_handshake: bool,
    /// Which clients send a preamble.
    pub(crate) preamble: Preambles,
    /// Whether the first input of clients without a preamble is checked.
    pub(crate) check: bool,
    pub(crate) listener: Listener,
    pub(crate) limits: Limits,
    pub(crate) faults: Faults,
    pub(crate) behavior: Behavior,
    /// The operations that messages ask for.
    pub(crate) operations: Vec<Operation>,
    pub(crate) send_capacity: usize,
    pub(crate) receive_capacity: usize,
    /// The chance that other calls of a session push messages, or announce an answer.
    pub(crate) side_effects: u8,
    /// The chance that the session says much when a message was pushed to it.
    pub(crate) long_replies: u8,
    /// Whether other threads push messages to the clients.
    pub(crate) pushes: bool,
    /// The chance that an answer that is awaited is dropped, of those that are given.
    pub(crate) dropped_answers: u8,
    /// The chance that the server is stopped at a step.
    pub(crate) stop: u8,
    /// The chance that time passes at a step although there is work.
    pub(crate) delay: u8,
}

const MS: Duration = Duration::from_millis(1);

impl Options {
    /// Draws what takes part.
    pub(crate) fn draw(tape: &mut Tape) -> Self {
        let driving = tape.pick(&Driving::ALL);
        let format = tape.pick(&Format::ALL);
        let (blocking, transform) = (tape.chance(80), tape.chance(80));
        let blocking_handshake = tape.chance(64);
        let preamble = match tape.below(12) {
            9 => Preambles::All,
            10.. => Preambles::Some,
            _ => Preambles::None,
        };
        let check = tape.chance(40);
        let listener =
            tape.pick(&[Listener::Own, Listener::Own, Listener::Own, Listener::Shared, Listener::HandedOver]);
        let faults = draw_faults(tape);
        let mut behavior = draw_behavior(tape);
        if tape.chance(10) {
            // A flood of messages: more than a turn has, or if they are long, more than a lingering socket discards.
            (behavior.messages, behavior.longest) = (300, tape.pick(&[1, 1, 600]));
        }
        let (send_capacity, receive_capacity) =
            (tape.pick(&[100_000, 4000, 100, 1]), tape.pick(&[100_000, 100, 1]));
        if send_capacity.min(receive_capacity) < 100 {
            // Each byte takes several steps.
            (behavior.messages, behavior.longest) = (behavior.messages.min(8), behavior.longest.min(20));
        }
        let mut operations = vec![Operation::Echo];
        for _ in 0..tape.below(6) {
            operations.push(tape.pick(&Operation::ALL));
        }
        let mut limits = draw_limits(tape);
        match send_capacity.min(receive_capacity) {
            ..100 => limits = limits.with_max_reply(600),
            100 => limits = limits.with_max_reply(5000),
            _ => {}
        }
        if tape.chance(2) {
            // A crowd that is refused and stays, so that too many sockets linger.
            behavior = Behavior { clients: 300, messages: 1, longest: 20, stays: 250, ..behavior };
            limits = limits.with_max_connections(1).with_overload(Overload::Refuse);
        }
        Self {
            driving,
            format,
            blocking,
            transform,
            blocking_handshake,
            preamble,
            check,
            listener,
            limits,
            faults,
            behavior,
            operations,
            send_capacity,
            receive_capacity,
            side_effects: tape.pick(&[0, 0, 20, 120]),
            long_replies: tape.pick(&[0, 0, 0, 0, 0, 100]),
            pushes: tape.chance(64),
            dropped_answers: tape.pick(&[0, 0, 60]),
            stop: tape.pick(&[0, 0, 1, 4]),
            delay: tape.pick(&[0, 4, 30]),
        }
    }
}

fn draw_faults(tape: &mut Tape) -> Faults {
    let mut fault = |chances: &[u8]| if tape.chance(96) { tape.pick(chances) } else { 0 };
    Faults {
        short_reads: fault(&[16, 64, 200]),
        short_writes: fault(&[16, 64, 200]),
        interrupts: fault(&[8, 64]),
        refused_writes: fault(&[8, 64, 200]),
        spurious: fault(&[8, 64]),
        accept_errors: fault(&[16, 100]),
        broken_listener: fault(&[0, 0, 2]),
        unserved: fault(&[8, 64]),
        late: fault(&[32, 128]),
        single_receives: fault(&[32, 200]),
        dropped_jobs: fault(&[0, 8]),
        lost: fault(&[0, 1]),
        panics: fault(&[0, 1, 6]),
    }
}

fn draw_behavior(tape: &mut Tape) -> Behavior {
    Behavior {
        clients: 1 + tape.below(6),
        messages: tape.pick(&[1, 3, 8, 80]),
        longest: tape.pick(&[1, 20, 200, 2000]),
        resets: tape.pick(&[0, 0, 8, 60]),
        urgent: tape.pick(&[0, 0, 0, 40]),
        stalls: tape.pick(&[0, 0, 100, 220]),
        invalid: tape.pick(&[0, 100]),
        at_limit: tape.pick(&[0, 0, 20]),
        stays: tape.pick(&[0, 60, 200]),
    }
}

fn draw_limits(tape: &mut Tape) -> Limits {
    let (min_rate, window) =
        tape.pick(&[(0, 1000 * MS), (0, 1000 * MS), (1000, 200 * MS), (20_000, 1000 * MS)]);
    Limits::default()
        .with_max_connections(tape.pick(&[100, 100, 3, 1]))
        .with_overload(tape.pick(&[Overload::Refuse, Overload::Queue]))
        .with_max_message(tape.pick(&[4096, 300, 64]))
        .with_max_reply(tape.pick(&[100_000, 5000]))
        .with_idle_timeout(tape.pick(&[Some(300_000 * MS), Some(200 * MS), None]))
        .with_message_timeout(tape.pick(&[10_000 * MS, 100 * MS]))
        .with_write_timeout(tape.pick(&[10_000 * MS, 100 * MS]))
        .with_answer_timeout(tape.pick(&[30_000 * MS, 100 * MS]))
        .with_drain_timeout(tape.pick(&[10_000 * MS, 50 * MS]))
        .with_mailbox(tape.pick(&[256 * 1024, 600, 200]))
        .with_mailbox_full(tape.pick(&[MailboxFull::Close, MailboxFull::Refuse, MailboxFull::DropOldest]))
        .with_min_rate(min_rate)
        .with_min_rate_window(window)
}

impl fmt::Display for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { driving, format, blocking, transform, blocking_handshake, preamble, check, .. } = self;
        writeln!(f, "driving {driving:?}, format {format}, blocking {blocking}")?;
        writeln!(f, "transform {transform}, blocking handshake {blocking_handshake}")?;
        writeln!(
            f,
            "preambles {preamble:?}, check of the first input {check}, listener {:?}",
            self.listener
        )?;
        writeln!(f, "{:?}", self.limits)?;
        writeln!(f, "{:?}", self.faults)?;
        writeln!(f, "{:?}", self.behavior)?;
        let Self { operations, send_capacity, receive_capacity, side_effects, long_replies, .. } = self;
        writeln!(f, "operations {operations:?}, side effects {side_effects}, long replies {long_replies}")?;
        writeln!(f, "send capacity {send_capacity}, receive capacity {receive_capacity}")?;
        let Self { pushes, dropped_answers, stop, delay, .. } = self;
        write!(f, "pushes {pushes}, dropped answers {dropped_answers}, stop {stop}, delay {delay}")
    }
}
