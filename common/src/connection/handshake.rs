//! What goes before the application is opened: a preamble, and the handshake of a transform.

use super::layer::Stage;
use super::{Connection, State};
use crate::{CloseReason, ErrorReply, MAX_RECORD, Outbox, PreambleProgress, guarded};

impl Connection {
    /// Makes what there is to make, and has the preamble read. Says how many bytes were used.
    pub(super) fn read_preamble(&mut self, raw: &[u8], out: &mut Outbox) -> usize {
        let Self { service, layer: Some(layer), opening: Some(client), .. } = self else { return 0 };
        if let Stage::New = layer.stage() {
            let made = service.preamble.as_ref().map(|make| guarded(|| make()));
            match made {
                None => {
                    self.begin_transform(out);
                    return self.keep_as_plaintext(raw);
                }
                Some(None) => {
                    self.break_down(out);
                    return raw.len();
                }
                Some(Some(preamble)) => layer.enter(Stage::Preamble(preamble)),
            }
        }
        let Stage::Preamble(preamble) = layer.stage() else { return 0 };
        let progress = guarded(|| preamble.receive(raw, client));
        layer.raw_waits = false;
        match progress {
            Some(PreambleProgress::More { used }) if used <= raw.len() && raw.len() - used <= MAX_RECORD => {
                used
            }
            Some(PreambleProgress::Done { used }) if used <= raw.len() => {
                self.peer = client.peer.clone();
                self.begin_transform(out);
                used + self.keep_as_plaintext(&raw[used..])
            }
            Some(PreambleProgress::Broken(error)) => {
                self.fail(CloseReason::HandshakeFailed, &error, out);
                raw.len()
            }
            Some(PreambleProgress::More { used }) if used <= raw.len() => {
                self.fail(CloseReason::HandshakeFailed, &ErrorReply::malformed("preamble"), out);
                raw.len()
            }
            _ => {
                self.fail(CloseReason::Panicked, &ErrorReply::Internal, out);
                raw.len()
            }
        }
    }

    /// Makes the transform. Where there is none, the connection is one like any other from here on.
    fn begin_transform(&mut self, out: &mut Outbox) {
        let Self { service, layer: Some(layer), opening: Some(client), .. } = self else { return };
        let Some(make) = &service.transform else {
            self.drop_layer();
            self.state = State::Opening;
            return;
        };
        match guarded(|| make(client)) {
            Some(transform) => layer.enter(Stage::Transform(transform, false)),
            None => self.break_down(out),
        }
    }

    /// Keeps what is raw input no more, once there is no layer. Says how many bytes it was.
    fn keep_as_plaintext(&mut self, raw: &[u8]) -> usize {
        if self.layer.is_some() {
            return 0;
        }
        self.kept.push(raw, self.kept_bound());
        raw.len()
    }

    /// Has the application opened next, once the handshake is done.
    pub(super) fn end_handshake(&mut self, out: &mut Outbox) {
        let Self { state: State::Handshake, layer: Some(layer), opening: Some(client), .. } = self else {
            return;
        };
        match layer.describe(client) {
            None => {}
            Some(true) => {
                self.peer = client.peer.clone();
                self.state = State::Opening;
            }
            Some(false) => self.break_down(out),
        }
    }

    /// Tells a client for whom the application was not opened what is wrong, unless that would need a handshake.
    pub(super) fn refuse(&mut self, error: &ErrorReply, out: &mut Outbox) {
        if self.service.transform.is_none() {
            self.drop_layer();
        } else if !self.layer.as_ref().is_some_and(|layer| layer.can_seal()) {
            return;
        }
        let Self { service, .. } = self;
        out.begin(usize::MAX);
        let refused = guarded(|| service.application.refuse(error, &service.limits, out));
        if refused.is_none() || out.overflowed() {
            out.withdraw();
        }
    }
}
