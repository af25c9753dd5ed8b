//! What must hold at the end of a run, and what the run has shown.

use std::collections::BTreeMap;
use std::time::Duration;

use common::CloseReason;

use crate::book::text;
use crate::kernel::locked;
use crate::watch::is_abrupt;
use crate::world::{Checked, Engine, World};

/// What a run has shown.
#[derive(Clone, Debug)]
pub struct Summary {
    /// How many conversations ended for each reason that occurred, by its name.
    pub reasons: BTreeMap<&'static str, u64>,
    /// The virtual time that has passed.
    pub elapsed: Duration,
    /// The number of steps.
    pub steps: u64,
    /// How many messages were answered, and compared with their replies.
    pub answered: u64,
    /// How many sockets were closed without lingering, since too many lingered.
    pub unlingered: u64,
}

impl World {
    /// Checks what holds at the end.
    pub(crate) fn finish(self) -> Checked<Summary> {
        for index in 0..self.clients.len() {
            self.check_client(index)?;
        }
        let mut reasons = BTreeMap::new();
        let mut unlingered = 0;
        match self.engine {
            Engine::Server(server) => {
                let report = server.finish()?;
                unlingered = report.unlingered;
                for &reason in CloseReason::ALL.iter().filter(|reason| report.reason(**reason) > 0) {
                    reasons.insert(reason.name(), report.reason(reason));
                }
            }
            Engine::Core(core) => {
                core.finish()?;
                core.reasons().iter().for_each(|reason| *reasons.entry(reason.name()).or_default() += 1);
            }
        }
        let answered = self.shared.book().answered;
        let (elapsed, steps) = (self.shared.clock.elapsed(), self.steps);
        Ok(Summary { reasons, elapsed, steps, answered, unlingered })
    }

    /// Checks what a client has received, unless it has left or was reset.
    fn check_client(&self, index: usize) -> Checked {
        let book = self.shared.book();
        let (client, account) = (&self.clients[index], &book.clients[index]);
        let wire = &locked(&self.kernel).wires[client.wire];
        if account.is_open && account.closed.is_none() {
            return Err(format!("client {index}: `closed` was not called"));
        }
        if wire.client_closed || wire.reset || !client.read_end {
            return Ok(());
        }
        let why = account.closed;
        let is_abrupt = why.is_some_and(is_abrupt);
        // Without a session the reason is not known, so it may have been cut or lost.
        let is_uncertain = why.is_none() && (book.cut_at.is_some() || account.was_lost);
        if is_abrupt || is_uncertain || account.may_lose_output {
            return Ok(());
        }
        if let Some(missing) = account.expected.front() {
            return Err(format!("client {index} has not received {} when it ends: {why:?}", text(missing)));
        }
        // Unless something has failed, there must be one.
        let is_orderly =
            matches!(why, Some(CloseReason::Closed | CloseReason::Exit)) && !account.has_panicked;
        let is_due = account.has_final_output || (is_orderly && self.shared.options.transform);
        if account.is_connected && !account.was_lost && client.has_final_output() != is_due {
            return Err(format!("client {index} has not received the end of the transform: {why:?}"));
        }
        Ok(())
    }
}
