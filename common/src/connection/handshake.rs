//! The phase before the application is opened: a preamble, and the handshake of a transform.

use super::layer::Stage;
use super::{Connection, Peer, Rare, State};
use crate::{CloseReason, ErrorReply, MAX_RECORD, Outbox, PreambleProgress, guarded};

impl Connection {
    /// Creates the preamble or the transform if necessary, and parses the preamble. Returns the number of bytes that
    /// were used.
    pub(super) fn read_preamble(&mut self, raw: &[u8], out: &mut Outbox) -> usize {
        let Self { service, layer: Some(layer), rare: Some(rare), .. } = self else { return 0 };
        let Rare::Client(client) = &mut **rare else { return 0 };
        if let Stage::New = layer.stage() {
            let made = service.preamble.as_ref().map(|make| guarded(|| make()));
            match made {
                None => {
                    self.begin_transform(out);
                    return self.keep_as_plaintext(raw);
                }
                Some(None) => {
                    self.transform_failed(out);
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
                self.peer = Peer::new(&client.peer);
                self.unchecked &= used == 0 || canary!("checks the input after a preamble");
                let is_left =
                    used == 0 && !raw.is_empty() && !canary!("does not check what a preamble leaves");
                if is_left && self.unchecked && !self.passes_check(raw, out) {
                    return raw.len();
                }
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

    /// Creates the transform. If the service has none, the connection continues as an ordinary one.
    fn begin_transform(&mut self, out: &mut Outbox) {
        let Self { service, layer: Some(layer), rare: Some(rare), .. } = self else { return };
        let Rare::Client(client) = &**rare else { return };
        let Some(make) = &service.transform else {
            self.drop_layer();
            self.state = State::Opening;
            return;
        };
        match guarded(|| make(client)) {
            Some(transform) => layer.enter(Stage::Transform(transform, false)),
            None => self.transform_failed(out),
        }
    }

    /// Keeps the rest of the raw input as plaintext if there is no layer. Returns its length.
    fn keep_as_plaintext(&mut self, raw: &[u8]) -> usize {
        if self.layer.is_some() {
            return 0;
        }
        self.kept.push(raw, self.kept_bound());
        raw.len()
    }

    /// Checks the first input, unless a preamble is to receive it.
    #[cold]
    pub(super) fn check_first_input(&mut self, input: &[u8], out: &mut Outbox) {
        let has_preamble = match self.layer.as_mut().map(|layer| layer.stage()) {
            Some(Stage::New) => self.service.preamble.is_some(),
            Some(Stage::Preamble(_)) => true,
            Some(Stage::Transform(..) | Stage::Dead) | None => false,
        };
        if !has_preamble && !matches!(self.state, State::Ending(_) | State::Done(_)) {
            self.passes_check(input, out);
        }
    }

    /// Checks the first input. If it returns `false`, the conversation ends.
    fn passes_check(&mut self, input: &[u8], out: &mut Outbox) -> bool {
        self.unchecked = false;
        let Some(check) = self.service.first_input_check.clone() else { return true };
        let (reason, error) = match guarded(|| check(&self.peer.address(), input)) {
            Some(Ok(())) => return true,
            Some(Err(error)) => (CloseReason::HandshakeFailed, error),
            None => (CloseReason::Panicked, ErrorReply::Internal),
        };
        self.fail_without_blocking(reason, error, out);
        false
    }

    /// Proceeds to open the application once the handshake is complete.
    pub(super) fn end_handshake(&mut self, out: &mut Outbox) {
        let Self { state: State::Handshake, layer: Some(layer), rare: Some(rare), .. } = self else { return };
        let Rare::Client(client) = &mut **rare else { return };
        match layer.describe(client) {
            None => {}
            Some(true) => {
                self.peer = Peer::new(&client.peer);
                self.state = State::Opening;
            }
            Some(false) => self.transform_failed(out),
        }
    }

    /// Sends an error reply to a client whose application was not opened, unless that needs a handshake.
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
