//! What takes part in a run: each seed draws it.

use std::fmt;
use std::time::Duration;

use common::{Framing, Limits, MailboxFull, Overload};

use crate::tape::Tape;

/// How the simulated worker drives its conversations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Driving {
    /// By edge-triggered events, as `epoll` does.
    Events,
    /// In a task for each client, as the async backends do.
    Tasks,
    /// By operations that complete later, as `uring` does.
    Ring,
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
    /// The system has no resources for an accepted client.
    pub(crate) unserved: u8,
    /// Events and completions that are reported later than others.
    pub(crate) late: u8,
    /// Receive operations that end although there is more to receive.
    pub(crate) single_receives: u8,
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
    pub(crate) partial: u8,
    pub(crate) stays: u8,
}

/// What takes part in a run.
#[derive(Clone, Debug)]
pub struct Options {
    /// How the worker drives its conversations.
    pub driving: Driving,
    /// The framing of the messages.
    pub framing: Framing,
    /// Whether the handler may block.
    pub blocking: bool,
    /// Whether the clients speak through a transform.
    pub transform: bool,
    pub(crate) limits: Limits,
    pub(crate) faults: Faults,
    pub(crate) behavior: Behavior,
    /// The operations that messages ask for.
    pub(crate) operations: Vec<Operation>,
    pub(crate) send_capacity: usize,
    pub(crate) receive_capacity: usize,
    /// Whether other threads push messages to the clients.
    pub(crate) pushes: bool,
    /// The chance that the server is stopped at a step.
    pub(crate) stop: u8,
    /// The chance that time passes at a step although there is work.
    pub(crate) delay: u8,
}

/// What a message asks of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Operation {
    /// One reply.
    Echo,
    /// Two replies.
    Twice,
    /// No reply.
    Silent,
    /// A reply, and the end of the conversation.
    Exit,
    /// A rejection; the conversation goes on.
    Reject,
    /// A rejection, and the end of the conversation.
    Fail,
    /// A panic after a reply, which is withdrawn.
    Panic,
    /// Replies that exceed the limit.
    Overflow,
    /// An answer that is given later.
    Later,
    /// An answer that is announced and dropped.
    Drop,
    /// An answer that is announced and never given.
    Never,
    /// A reply after some time.
    Slow,
    /// A timer, which sends a message.
    Timer,
    /// A message that is pushed to another client.
    Push,
    /// A message that is pushed to all clients.
    Publish,
    /// The end of another client's conversation.
    Close,
}

impl Operation {
    pub(crate) const ALL: [Self; 16] = [
        Self::Echo,
        Self::Twice,
        Self::Silent,
        Self::Exit,
        Self::Reject,
        Self::Fail,
        Self::Panic,
        Self::Overflow,
        Self::Later,
        Self::Drop,
        Self::Never,
        Self::Slow,
        Self::Timer,
        Self::Push,
        Self::Publish,
        Self::Close,
    ];

    /// The letter that stands for it in a message.
    pub(crate) fn letter(self) -> u8 {
        b'a' + self as u8
    }

    pub(crate) fn from_letter(letter: u8) -> Self {
        Self::ALL[usize::from(letter.wrapping_sub(b'a')) % Self::ALL.len()]
    }
}

const MS: Duration = Duration::from_millis(1);

impl Options {
    /// Draws what takes part.
    pub(crate) fn draw(tape: &mut Tape) -> Self {
        let driving = tape.pick(&[Driving::Events, Driving::Tasks, Driving::Ring]);
        let framing = tape.pick(&[Framing::Line, Framing::Length, Framing::Line]);
        let blocking = tape.chance(80);
        let transform = tape.chance(64);
        let mut fault = |chances: &[u8]| if tape.chance(96) { tape.pick(chances) } else { 0 };
        let faults = Faults {
            short_reads: fault(&[16, 64, 200]),
            short_writes: fault(&[16, 64, 200]),
            interrupts: fault(&[8, 64]),
            refused_writes: fault(&[8, 64, 200]),
            spurious: fault(&[8, 64]),
            accept_errors: fault(&[16, 100]),
            unserved: fault(&[8, 64]),
            late: fault(&[32, 128]),
            single_receives: fault(&[32, 200]),
        };
        let mut behavior = Behavior {
            clients: 1 + tape.below(6),
            messages: tape.pick(&[1, 3, 8, 80]),
            longest: tape.pick(&[1, 20, 200, 2000]),
            resets: tape.pick(&[0, 0, 8, 60]),
            urgent: tape.pick(&[0, 0, 0, 40]),
            stalls: tape.pick(&[0, 0, 100, 220]),
            partial: tape.pick(&[0, 60]),
            stays: tape.pick(&[0, 60, 200]),
        };
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
        let limits = Limits::default()
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
            .with_mailbox_full(tape.pick(&[
                MailboxFull::Close,
                MailboxFull::Refuse,
                MailboxFull::DropOldest,
            ]));
        Self {
            driving,
            framing,
            blocking,
            transform,
            limits,
            faults,
            behavior,
            operations,
            send_capacity,
            receive_capacity,
            pushes: tape.chance(64),
            stop: tape.pick(&[0, 0, 1, 4]),
            delay: tape.pick(&[0, 4, 30]),
        }
    }
}

impl fmt::Display for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { driving, framing, blocking, transform, limits, faults, behavior, .. } = self;
        writeln!(f, "driving {driving:?}, framing {framing:?}, blocking {blocking}, transform {transform}")?;
        writeln!(f, "{limits:?}")?;
        writeln!(f, "{faults:?}")?;
        writeln!(f, "{behavior:?}")?;
        write!(
            f,
            "operations {:?}, send capacity {}, receive capacity {}, pushes {}, stop {}, delay {}",
            self.operations, self.send_capacity, self.receive_capacity, self.pushes, self.stop, self.delay
        )
    }
}
