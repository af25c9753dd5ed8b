//! What a connection has below its protocol: a preamble, a transform, and the raw input that they have not used.

use std::time::Instant;

use super::kept::Kept;
use crate::{Blocking, Client, MAX_READ, Opened, Preamble, Transform, guarded};

/// What is below the protocol. Only the connections of a service with a transform or a preamble have it.
pub(super) struct Layer {
    stage: Stage,
    /// Raw input that was not opened yet.
    pub(super) raw: Kept,
    /// Whether there may be something to be had from it, or from the transform without it.
    pub(super) raw_waits: bool,
    /// Whether the kept plaintext may hold a whole message.
    pub(super) plain_waits: bool,
    /// Whether any raw input has come.
    pub(super) touched: bool,
    /// Whether the transform is within its handshake, or was not called yet.
    handshaking: bool,
    /// Whether the next opening may take long.
    pub(super) may_block: bool,
    /// Since when the handshake has waited for a place to run.
    pub(super) paused: Option<Instant>,
    /// Whether the client has ended its input in the way of the transform.
    pub(super) ended: bool,
    /// Whether the last word was said, or must not be.
    pub(super) closed: bool,
    /// Whether the last word was said when the client had all that it was owed.
    pub(super) delivered: bool,
}

/// What is to be done with raw input.
pub(super) enum Stage {
    /// Nothing was made yet.
    New,
    Preamble(Box<dyn Preamble>),
    /// The transform, and whether it was called and so could speak first.
    Transform(Box<dyn Transform>, bool),
    /// The transform can't be used any more: nothing is opened or said.
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

    /// Goes on to another stage. What the last one had is the user's, and may panic when it is dropped.
    pub(super) fn enter(&mut self, stage: Stage) {
        let last = std::mem::replace(&mut self.stage, stage);
        let _ = guarded(move || drop(last));
    }

    /// Whether the transform was called, and so could speak first. `None` if there is none, or if the client has ended.
    pub(super) fn transform_begun(&self) -> Option<bool> {
        match self.stage {
            Stage::Transform(_, begun) if !self.ended => Some(begun),
            _ => None,
        }
    }

    /// Whether the transform is one that can seal.
    pub(super) fn can_seal(&self) -> bool {
        !self.handshaking && matches!(self.stage, Stage::Transform(..))
    }

    /// Has the transform describe its client, once its handshake is done; `Some(false)` if it has panicked.
    pub(super) fn describe(&self, client: &mut Client) -> Option<bool> {
        let Stage::Transform(transform, _) = &self.stage else { return None };
        (!self.handshaking).then(|| guarded(|| transform.describe(client)).is_some())
    }

    /// Has raw input opened once. `None` if the transform has panicked, or has broken its contract.
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
        let most = match opened {
            Opened::InPlace { .. } | Opened::Plain { .. } if !handshaking => MAX_READ,
            _ => 0,
        };
        (used <= length && count <= most).then_some(opened)
    }

    /// Seals what was said, and adds the last word if it `is_last`. `false` if the transform has panicked over what was
    /// said.
    pub(super) fn seal(&mut self, said: &[u8], is_last: bool, sealed: &mut Vec<u8>) -> bool {
        let can_seal = !said.is_empty() && self.can_seal();
        let Stage::Transform(transform, _) = &mut self.stage else { return true };
        if can_seal && guarded(|| transform.seal(said, sealed)).is_none() {
            return false;
        }
        let length = sealed.len();
        if is_last && guarded(|| transform.close(sealed)).is_none() {
            sealed.truncate(length);
        }
        true
    }
}
