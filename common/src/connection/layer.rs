//! The layer below the protocol of a connection: a preamble, a transform, and the raw input that they have not used.

use std::time::Instant;

use super::kept::Kept;
use crate::{Blocking, Client, MAX_READ, Opened, Preamble, Transform, guarded};

/// The layer below the protocol, which only connections of services with a transform or a preamble have.
pub(super) struct Layer {
    stage: Stage,
    /// Raw input that was not opened yet.
    pub(super) raw: Kept,
    /// Whether opening `raw` may give plaintext, or the transform may give some without more input.
    pub(super) raw_waits: bool,
    /// Whether the kept plaintext may contain a complete message.
    pub(super) plain_waits: bool,
    /// Whether any raw input has arrived.
    pub(super) touched: bool,
    /// Whether the handshake of the transform is not complete.
    handshaking: bool,
    /// Whether the next call of `open` may block.
    pub(super) may_block: bool,
    /// Since when the handshake has waited for a thread that may block.
    pub(super) paused: Option<Instant>,
    /// Whether the client has ended its input by the transform.
    pub(super) ended: bool,
    /// Whether the final output of the transform was written, or must not be.
    pub(super) closed: bool,
    /// Whether all replies had been sent when the final output was written.
    pub(super) delivered: bool,
}

/// What raw input is passed to.
pub(super) enum Stage {
    /// Neither the preamble nor the transform was created yet.
    New,
    Preamble(Box<dyn Preamble>),
    /// The transform, and whether `open` was called for the first time, without input.
    Transform(Box<dyn Transform>, bool),
    /// The transform can't be used any more: nothing is opened or sealed.
    Dead,
}

impl Layer {
    pub(super) fn new() -> Self {
        Self {
            stage: Stage::New,
            raw: Kept::default(),
            raw_waits: true,
            plain_waits: false,
            touched: false,
            handshaking: true,
            may_block: false,
            paused: None,
            ended: false,
            closed: false,
            delivered: false,
        }
    }

    pub(super) fn stage(&mut self) -> &mut Stage {
        &mut self.stage
    }

    /// Enters another stage. The value of the last stage is a user's, so its destructor may panic.
    pub(super) fn enter(&mut self, stage: Stage) {
        let last = std::mem::replace(&mut self.stage, stage);
        let _ = guarded(move || drop(last));
    }

    /// Whether `open` of the transform was called. `None` if there is no transform, or if the client has ended its
    /// input.
    pub(super) fn transform_begun(&self) -> Option<bool> {
        match self.stage {
            Stage::Transform(_, begun) if !self.ended => Some(begun),
            _ => None,
        }
    }

    /// Whether the client should have announced the end of its input.
    pub(super) fn announces_end(&self) -> bool {
        let Stage::Transform(transform, _) = &self.stage else { return false };
        guarded(|| transform.announces_end()).unwrap_or(true)
    }

    /// Whether the transform can seal output.
    pub(super) fn can_seal(&self) -> bool {
        !self.handshaking && matches!(self.stage, Stage::Transform(..))
    }

    /// Lets the transform describe its client once its handshake is complete. `Some(false)` if it panicked.
    pub(super) fn describe(&self, client: &mut Client) -> Option<bool> {
        let Stage::Transform(transform, _) = &self.stage else { return None };
        (!self.handshaking).then(|| guarded(|| transform.describe(client)).is_some())
    }

    /// The size of the raw input that is kept, and of what the transform may keep.
    pub(super) fn memory(&self) -> usize {
        let transform = match &self.stage {
            Stage::Transform(transform, _) => guarded(|| transform.memory()),
            Stage::New | Stage::Preamble(_) | Stage::Dead => None,
        };
        transform.unwrap_or(0).saturating_add(self.raw.capacity())
    }

    /// Opens raw input once. `None` if the transform panicked or violated its contract.
    pub(super) fn open(
        &mut self,
        input: &mut [u8],
        plain: &mut Vec<u8>,
        sealed: &mut Vec<u8>,
    ) -> Option<Opened> {
        let Stage::Transform(transform, begun) = &mut self.stage else { return None };
        *begun = true;
        plain.clear();
        let length = input.len();
        let (opened, handshaking, blocking) = guarded(|| {
            let opened = transform.open(input, plain, sealed);
            (opened, transform.is_handshaking(), transform.blocking())
        })?;
        self.handshaking = handshaking;
        self.may_block = blocking == Blocking::MayBlock;
        let (used, count) = match &opened {
            Opened::InPlace { used, plain: at, .. } => {
                let is_within = at.start <= at.end && at.end <= *used && plain.is_empty();
                (*used, if is_within { at.len() } else { usize::MAX })
            }
            Opened::Plain { used, .. } | Opened::More { used } => (*used, plain.len()),
            Opened::End | Opened::Broken => (0, plain.len()),
        };
        let max = match opened {
            Opened::InPlace { .. } | Opened::Plain { .. } if !handshaking => MAX_READ,
            _ => 0,
        };
        let is_within = used <= length || canary!("believes a transform that has used too much");
        (is_within && count <= max).then_some(opened)
    }

    /// Seals `plain`, and appends the final output if `is_last`. Returns `false` if sealing panicked.
    pub(super) fn seal(&mut self, plain: &[u8], is_last: bool, sealed: &mut Vec<u8>) -> bool {
        let can_seal = !plain.is_empty() && self.can_seal();
        let Stage::Transform(transform, _) = &mut self.stage else { return true };
        if can_seal && guarded(|| transform.seal(plain, sealed)).is_none() {
            return false;
        }
        let length = sealed.len();
        if is_last && guarded(|| transform.close(sealed)).is_none() {
            sealed.truncate(length);
        }
        true
    }
}
