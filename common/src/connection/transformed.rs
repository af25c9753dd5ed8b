//! Connections with a transform or a preamble: raw input is opened before the protocol receives it, and output is
//! sealed before it is sent.

use std::time::Instant;

use super::layer::Stage;
use super::{Connection, State};
use crate::{CloseReason, ErrorReply, MAX_READ, MAX_RECORD, Opened, Outbox, guarded};

/// The capacity up to which the buffer for raw input grows by doubling.
const RAW_BOUND: usize = MAX_RECORD + MAX_READ;

impl Connection {
    /// Processes raw input. It is opened, or kept for later.
    pub(super) fn receive_raw(
        &mut self,
        input: &mut [u8],
        out: &mut Outbox,
        now: &mut dyn FnMut() -> Instant,
    ) {
        let (may_block, is_unsent) = (self.may_block(), self.is_unsent(out));
        let opens = matches!(self.state, State::Handshake | State::Open);
        let wait = !opens || may_block || self.work || self.holds_input() || is_unsent;
        let Some(layer) = &mut self.layer else { return };
        if matches!(self.state, State::Ending(_) | State::Done(_)) || layer.ended {
            return;
        }
        layer.touched = true;
        if !wait && layer.raw.is_empty() {
            let used = self.open_input(input, out, now);
            if let Some(layer) = &mut self.layer {
                layer.raw.push(
                    if canary!("loses the input after a record") { &[] } else { &input[used..] },
                    RAW_BOUND,
                );
            }
            return self.settle_layer(out, now);
        }
        layer.raw.push(input, RAW_BOUND);
        if !wait {
            self.open_kept(out, now);
            return self.settle_layer(out, now);
        }
        layer.raw_waits = true;
        if may_block && !is_unsent && self.state == State::Handshake {
            layer.paused.get_or_insert_with(now);
        }
        self.work = true;
    }

    /// Performs pending work for one turn: answers kept plaintext, or else opens raw input.
    pub(super) fn run_layer(&mut self, out: &mut Outbox, now: &mut dyn FnMut() -> Instant) {
        let Some(layer) = &mut self.layer else { return };
        let paused = layer.paused.take();
        if layer.plain_waits {
            self.turn_of_kept(out, &mut *now);
            self.update_plain_waits();
        } else if layer.raw_waits {
            self.open_kept(out, now);
        }
        if let Some(paused) = paused {
            // The time that the server spends on a handshake does not count against the client.
            self.since += now().saturating_duration_since(paused);
        }
        self.settle_layer(out, now);
    }

    /// Handles the end of the raw input. The last message waits until it may block, and until unsent replies are
    /// written.
    pub(super) fn end_of_raw_input(&mut self, out: &mut Outbox, now: &mut dyn FnMut() -> Instant) {
        if self.may_block() || self.holds_input() || self.is_unsent(out) {
            self.work = true;
        } else if !self.work {
            self.finish_layer(out, now);
        }
    }

    /// Determines the pending work after the application was opened.
    pub(super) fn opened_above_layer(&mut self) {
        self.update_plain_waits();
        if let Some(layer) = &self.layer {
            self.work |= layer.raw_waits || layer.ended || self.input_ended;
        }
    }

    /// Seals the output, and at the end of the conversation appends the final output of the transform.
    #[inline]
    pub(super) fn seal(&mut self, out: &mut Outbox) {
        if self.layer.is_some() && (!out.is_sealed() || canary!("seals output twice")) {
            self.seal_in_layer(out);
        }
    }

    fn seal_in_layer(&mut self, out: &mut Outbox) {
        let owes_error = self.owes_error();
        let Some(layer) = &mut self.layer else { return };
        let is_last = match self.state {
            State::Ending(reason) if !owes_error => {
                !std::mem::replace(&mut layer.closed, true) && !reason.is_abrupt()
            }
            _ => false,
        };
        let (plain, sealed) = out.unsealed();
        if is_last {
            layer.delivered = plain.is_empty() && sealed.is_empty() && self.unsent.is_none();
        }
        if layer.seal(plain, is_last, sealed) {
            out.seal();
        } else {
            self.transform_failed(out);
        }
    }

    /// Whether the final output of the transform was not written yet.
    pub(super) fn has_final_output(&self) -> bool {
        self.layer.as_ref().is_some_and(|layer| !layer.closed)
    }

    /// Whether all output was sent, and the final output of the transform.
    pub(super) fn has_sent_all(&self, out: &Outbox) -> bool {
        let has_final_output =
            self.has_final_output() && !canary!("closes before the final output of a transform");
        !has_final_output && self.unsent.is_none() && out.is_empty()
    }

    /// Drops the layer below the protocol.
    pub(super) fn drop_layer(&mut self) {
        let layer = self.layer.take();
        let _ = guarded(move || drop(layer));
    }

    /// Records after a turn whether kept plaintext waits for another one.
    fn update_plain_waits(&mut self) {
        if let Some(layer) = &mut self.layer {
            layer.plain_waits = self.work && !canary!("forgets plaintext that waits");
        }
    }

    /// Determines the pending work, handles the end of the input, and seals the output.
    fn settle_layer(&mut self, out: &mut Outbox, now: &mut dyn FnMut() -> Instant) {
        let Some(layer) = &self.layer else { return };
        if matches!(self.state, State::Handshake | State::Open) {
            self.work = layer.plain_waits || (layer.raw_waits && !canary!("forgets records that wait"));
            if !self.work && (layer.ended || self.input_ended) && !self.holds_input() {
                self.finish_layer(out, now);
            }
        }
        self.seal(out);
    }

    /// Handles the end of the input after all of it was opened and processed.
    fn finish_layer(&mut self, out: &mut Outbox, now: &mut dyn FnMut() -> Instant) {
        let Some(layer) = &self.layer else { return };
        match self.state {
            State::Handshake if layer.touched => {
                self.fail(CloseReason::HandshakeFailed, &ErrorReply::Incomplete, out);
            }
            State::Handshake => self.state = State::Ending(CloseReason::EndOfInput),
            State::Open if !layer.ended && layer.announces_end() => self.truncated(out),
            State::Open if !self.begun && !layer.ended && !layer.raw.is_empty() => {
                self.fail(CloseReason::Incomplete, &ErrorReply::Incomplete, out);
            }
            State::Open => self.finish(out, now),
            State::Opening | State::Ending(_) | State::Done(_) => {}
        }
    }

    /// Ends the conversation because the input ended, and the client has not announced it. A part of a message is not
    /// processed.
    fn truncated(&mut self, out: &mut Outbox) {
        let is_between_messages = !self.begun && self.layer.as_ref().is_none_or(|layer| layer.raw.is_empty());
        if is_between_messages {
            self.end_with(CloseReason::Truncated);
        } else {
            self.fail(CloseReason::Truncated, &ErrorReply::Incomplete, out);
        }
    }

    /// Opens kept raw input.
    fn open_kept(&mut self, out: &mut Outbox, now: &mut dyn FnMut() -> Instant) {
        let Some(layer) = &mut self.layer else { return };
        let (mut raw, start) = layer.raw.take();
        let used = self.open_input(&mut raw[start..], out, now);
        if let Some(layer) = &mut self.layer {
            layer.raw.put_back(raw, start + used, RAW_BOUND);
        }
    }

    /// Opens raw input up to the first plaintext, and answers that for one turn. Returns the number of bytes that were
    /// used.
    fn open_input(&mut self, raw: &mut [u8], out: &mut Outbox, now: &mut dyn FnMut() -> Instant) -> usize {
        let length = raw.len();
        let mut total = self.read_preamble(raw, out);
        let mut plain = out.take_plain();
        while let Some(layer) = &mut self.layer
            && let Some(begun) = layer.transform_begun()
        {
            // The first call has no input, so that the transform can send first, and can report whether it blocks
            // before it gets input.
            let input = &mut raw[total..if begun { length } else { total }];
            let available = input.len();
            let (used, opened, more) = match layer.open(input, &mut plain, out.unsealed().1) {
                Some(Opened::InPlace { used, plain: at, more }) => (used, &mut input[at], more),
                Some(Opened::Plain { used, more }) => (used, &mut plain[..], more),
                Some(Opened::More { used }) => (used, &mut [][..], false),
                Some(Opened::End) => {
                    layer.ended = true;
                    (available, &mut [][..], false)
                }
                Some(Opened::Broken) => {
                    self.reject_input(out);
                    break;
                }
                None => {
                    self.transform_failed(out);
                    break;
                }
            };
            total += used;
            let more = more && (used > 0 || !opened.is_empty());
            layer.raw_waits = !layer.ended && (more || (!begun && total < length));
            let is_stuck = begun && !layer.raw_waits && length - total > MAX_RECORD;
            if more && begun && opened.is_empty() {
                continue;
            }
            self.end_handshake(out);
            self.take_plaintext(opened, out, now);
            if is_stuck {
                self.reject_input(out);
            }
            break;
        }
        out.put_back_plain(plain);
        total
    }

    /// Answers plaintext for one turn, or keeps it until the application is opened.
    fn take_plaintext(&mut self, plain: &mut [u8], out: &mut Outbox, now: &mut dyn FnMut() -> Instant) {
        match self.state {
            State::Open if !plain.is_empty() => {
                self.answer(plain, out, now);
                self.update_plain_waits();
            }
            State::Opening => self.kept.push(plain, self.kept_bound()),
            _ => {}
        }
    }

    /// Ends the conversation because the raw input is invalid. The transform has written its own error.
    fn reject_input(&mut self, out: &mut Outbox) {
        self.seal(out);
        let reason = match self.state {
            State::Ending(_) | State::Done(_) => return,
            State::Handshake => CloseReason::HandshakeFailed,
            State::Opening | State::Open => CloseReason::Malformed,
        };
        self.end_silently(reason);
    }

    /// Ends the conversation because the transform panicked or violated its contract. Its sealed output is discarded.
    pub(super) fn transform_failed(&mut self, out: &mut Outbox) {
        out.unsealed().1.clear();
        out.clear();
        self.end_silently(CloseReason::Panicked);
    }

    /// Ends the conversation without an error reply or final output.
    fn end_silently(&mut self, reason: CloseReason) {
        self.state = State::Ending(reason);
        self.work = false;
        if let Some(layer) = &mut self.layer {
            layer.closed = true;
            layer.enter(Stage::Dead);
        }
    }
}
