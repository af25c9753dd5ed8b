//! What is recorded for the judge of a history, if a run has one.

use std::time::Duration;

use history::{Digest, Recorder};

use super::{Composer, IDENTITY, own, parts};
use crate::engine::verify::Said;
use crate::framing::Kind;
use crate::messages::Messages;

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum End {
    /// The server or the network ended it, or the server said what can't be read.
    Died,
    /// The generator ended it, and no longer waits for replies.
    Left,
    /// The generator was interrupted.
    Interrupted,
}

impl Composer<'_> {
    /// Records messages and replies.
    pub(in crate::engine) fn with_recorder(self, recorder: Option<Recorder>) -> Self {
        Self { recorder, ..self }
    }

    /// Sets the time of what is recorded next, in nanoseconds.
    #[inline]
    pub(in crate::engine) fn record_time(&mut self, now: u64) {
        if let Some(recorder) = &mut self.recorder {
            recorder.set_time(Duration::from_nanos(now));
        }
    }

    /// Records an established connection. Returns its number in the history.
    pub(in crate::engine) fn record_open(&mut self, connection: u32) -> u32 {
        self.recorder.as_mut().map_or(0, |recorder| recorder.open(connection.into()))
    }

    pub(in crate::engine) fn record_end(&mut self, record: u32, end: End) {
        let Some(recorder) = &mut self.recorder else { return };
        match end {
            End::Died => recorder.died(record),
            End::Left => recorder.left(record),
            End::Interrupted => recorder.interrupted(record),
        }
    }

    /// Records a message of a connection, and the reply that answers it. `before` is the number of messages that were
    /// sent before it since the connection was established, `wire` the message in wire format. If a function wrote it,
    /// its payload is `kept`, or else the one that was written last.
    #[inline]
    pub(in crate::engine) fn record_request(
        &mut self,
        record: u32,
        connection: u32,
        (number, length): (u64, usize),
        kept: Option<&[u8]>,
        before: u64,
        wire: &[u8],
    ) {
        let Some(recorder) = &mut self.recorder else { return };
        let identity;
        let payload = match self.messages {
            Messages::Made(_) => {
                let (begin, padding) = parts(&self.table, connection, number, length);
                identity = begin;
                [&identity[..length.min(IDENTITY)], padding]
            }
            Messages::Own(messages) => [own(messages, number), &[]],
            Messages::By(_) => [kept.unwrap_or(&self.payload), &[]],
        };
        self.answer.clear();
        let digest = match self.expect.answer(payload, before, &mut self.answer) {
            true => Digest::of(&self.answer),
            false => Digest::of(wire),
        };
        recorder.request(record, digest);
    }

    /// Records a reply to a message. `is_right` is whether it was verified to be the one to the oldest unanswered
    /// message; it is recorded only of replies that the message does not determine.
    #[inline]
    pub(in crate::engine) fn record_reply(&mut self, record: u32, said: Said<'_>, is_right: bool) {
        let Some(recorder) = &mut self.recorder else { return };
        match said.kind {
            _ if self.expect.has_answers() && (is_right || said.kind == Kind::Answer) => {
                recorder.reply(record, Digest::of(said.content));
            }
            Kind::Answer => recorder.judged(record, Digest::of(said.whole), is_right),
            // These are recorded where it is known what they refuse.
            Kind::Refusal | Kind::Busy | Kind::Farewell => {}
        }
    }

    /// Records an error reply that refuses the oldest unanswered message, or the connection.
    #[cold]
    pub(in crate::engine) fn record_refusal(&mut self, record: u32, whole: &[u8], ends: bool) {
        let Some(recorder) = &mut self.recorder else { return };
        match ends {
            true => recorder.farewell(record, Digest::of(whole)),
            false => recorder.refused(record, Digest::of(whole)),
        }
    }

    /// Records that what came is no reply.
    #[cold]
    pub(in crate::engine) fn record_malformed(&mut self, record: u32, input: &[u8]) {
        if let Some(recorder) = &mut self.recorder {
            recorder.judged(record, Digest::of(input), false);
        }
    }
}
