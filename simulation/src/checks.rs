//! What must hold: after every step, when nothing can run, and at the end.

use std::collections::BTreeSet;
use std::time::Duration;

use common::CloseReason;
use serving::Statistics;

use crate::book::text;
use crate::kernel::locked;
use crate::world::{Action, Checked, World};

/// What a run has shown.
#[derive(Clone, Debug)]
pub struct Summary {
    /// The final statistics of the server.
    pub statistics: Statistics,
    /// Why the conversations ended.
    pub reasons: BTreeSet<&'static str>,
    /// The virtual time that has passed.
    pub elapsed: Duration,
    /// The number of steps.
    pub steps: u64,
    /// How many replies and other messages were compared.
    pub compared: u64,
    /// A hash of the trace.
    pub hash: u64,
}

impl World {
    /// Checks what holds after every step.
    pub(crate) fn check(&mut self) -> Checked {
        let mut book = locked(&self.shared.book);
        if let Some(violation) = book.violation.take() {
            return Err(violation);
        }
        let statistics = self.server.statistics();
        let Statistics { pushed, pushes_delivered, pushes_dropped, pushes_refused, accepted, .. } =
            statistics;
        if pushed < pushes_delivered + pushes_dropped + pushes_refused {
            return Err(format!("the pushes don't add up: {statistics}"));
        }
        if pushed != book.accepted + book.refused {
            let made = book.accepted + book.refused;
            return Err(format!("{made} pushes were made, and the server counts {pushed}: {statistics}"));
        }
        if pushes_delivered != book.delivered {
            return Err(format!("{} pushes were delivered: {statistics}", book.delivered));
        }
        if accepted < statistics.ended() {
            return Err(format!("the connections don't add up: {statistics}"));
        }
        drop(book);
        for (_, peer) in &self.worker.peers {
            let Some(conversation) = &peer.conversation else { continue };
            let memory = conversation.connection().memory();
            if memory > self.memory_bound {
                let client = peer.socket.wire;
                return Err(format!(
                    "client {client}: {memory} bytes exceed the bound of {}",
                    self.memory_bound
                ));
            }
        }
        Ok(())
    }

    /// Checks what holds when the server can do nothing.
    pub(crate) fn check_quiescence(&self) -> Checked {
        if let Some(forgotten) = self.worker.forgotten() {
            return Err(format!("a wake-up was lost: {forgotten}"));
        }
        for (_, peer) in &self.worker.peers {
            let Some(conversation) = &peer.conversation else { continue };
            let Some(deadline) = conversation.connection().deadline() else { continue };
            let since = deadline.max(self.shared.clock.at(peer.served_at));
            let late = self.shared.clock.at(self.swept_at).saturating_duration_since(since);
            if late > Duration::ZERO {
                let timer = conversation.connection().timer();
                return Err(format!("client {}: a deadline is {late:?} late: {timer:?}", peer.socket.wire));
            }
        }
        Ok(())
    }

    /// Checks what holds at the end.
    pub(crate) fn finish(&mut self) -> Checked<Summary> {
        self.drain_clients()?;
        if !self.worker.has_ended() {
            return Err("maintenance ended before the worker".into());
        }
        let statistics = self.server.statistics();
        if statistics.open() != 0 {
            return Err(format!("connections are open at the end: {statistics}"));
        }
        let Statistics { pushed, pushes_delivered, pushes_dropped, pushes_refused, .. } = statistics;
        if pushed != pushes_delivered + pushes_dropped + pushes_refused {
            return Err(format!("the pushes don't add up at the end: {statistics}"));
        }
        let reasons: BTreeSet<_> = CloseReason::ALL
            .iter()
            .filter(|reason| statistics.reason(**reason) > 0)
            .collect::<Vec<_>>()
            .into_iter()
            .map(|reason| reason.name())
            .collect();
        for index in 0..self.clients.len() {
            self.check_client(index)?;
        }
        let compared = locked(&self.shared.book).clients.iter().map(|account| account.handled as u64).sum();
        Ok(Summary {
            statistics,
            reasons,
            elapsed: self.shared.clock.elapsed(),
            steps: self.steps,
            compared,
            hash: self.trace.hash(),
        })
    }

    /// The clients read what has arrived after the server has ended.
    fn drain_clients(&mut self) -> Checked {
        loop {
            let mut actions = Vec::new();
            self.others(&mut actions);
            actions.retain(|action| matches!(action, Action::Read(_) | Action::Deliver(_)));
            let Some(&action) = actions.first() else { return Ok(()) };
            self.perform(action)?;
        }
    }

    /// Checks what a client has received.
    fn check_client(&self, index: usize) -> Checked {
        let book = locked(&self.shared.book);
        let (client, account) = (&self.clients[index], &book.clients[index]);
        let wire = &locked(&self.kernel).wires[client.wire];
        if account.is_open && account.closed.is_none() {
            return Err(format!("client {index}: `closed` was not called"));
        }
        if wire.client_closed || wire.reset || !client.read_end {
            return Ok(()); // it has left, or was reset
        }
        let Some(why) = account.closed else { return Ok(()) };
        let is_abrupt = matches!(
            why,
            CloseReason::Cut | CloseReason::Lost | CloseReason::WriteTimeout | CloseReason::MailboxFull
        );
        if is_abrupt {
            return Ok(());
        }
        if client.has_part() {
            return Err(format!("client {index}: its last message is incomplete, and the reason is {why}"));
        }
        if let Some(missing) = account.expected.front() {
            return Err(format!(
                "client {index} has not received {}, and the reason is {why}",
                text(missing)
            ));
        }
        if !client.was_closed() {
            return Err(format!("client {index} has not received the end of the transform: {why}"));
        }
        if why == CloseReason::EndOfInput && account.handled != account.messages.len() {
            let (handled, all) = (account.handled, account.messages.len());
            return Err(format!(
                "client {index}: {handled} of {all} messages were handled at the end of its input"
            ));
        }
        let error = account.error.as_ref().map(|error| text(error));
        match expected_error(why) {
            Expected::Error(prefix) => match &error {
                Some(error) if error[1..].starts_with(prefix) => Ok(()),
                error => Err(format!("client {index} received the error {error:?}, and the reason is {why}")),
            },
            Expected::None if error.is_none() => Ok(()),
            Expected::None => {
                Err(format!("client {index} received the error {error:?}, and the reason is {why}"))
            }
            Expected::Any => Ok(()),
        }
    }
}

enum Expected {
    None,
    Any,
    Error(&'static str),
}

/// The error reply that a client receives last.
fn expected_error(why: CloseReason) -> Expected {
    match why {
        CloseReason::Exit | CloseReason::EndOfInput | CloseReason::Closed | CloseReason::Rejected => {
            Expected::None
        }
        CloseReason::IdleTimeout => Expected::Error("ERR timeout idle"),
        CloseReason::MessageTimeout => Expected::Error("ERR timeout message"),
        CloseReason::AnswerTimeout => Expected::Error("ERR timeout answer"),
        CloseReason::TooLong => Expected::Error("ERR too-long"),
        CloseReason::Incomplete => Expected::Error("ERR incomplete"),
        CloseReason::Panicked | CloseReason::ReplyTooLong | CloseReason::Unanswered => {
            Expected::Error("ERR internal")
        }
        _ => Expected::Any,
    }
}
