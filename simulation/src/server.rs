//! The whole server: acceptor, conversations, maintenance and a worker.

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use common::{Address, CloseReason, Service};
use serving::{ManualServer, Statistics, Stop, Urgency, Wait};

use crate::book::Book;
use crate::kernel::locked;
use crate::session::Shared;
use crate::timing::{self, Waits};
use crate::worker::{Attempts, Flag, Worker};
use crate::world::{Action, Checked};

/// The server of a run.
pub(crate) struct SimServer {
    pub(crate) shared: Arc<Shared>,
    server: ManualServer,
    pub(crate) stop: Stop,
    pub(crate) worker: Worker,
    /// Set when maintenance is to run earlier than it has said.
    maintenance_woken: Arc<Flag>,
    /// When maintenance runs next. `None` once it has ended.
    pub(crate) maintenance_at: Option<Duration>,
    /// When the deadlines were swept last.
    pub(crate) swept_at: Duration,
    /// When it cuts what is open, once it stops.
    drain_until: Option<Duration>,
    memory_bound: usize,
    /// The longest interval between sweeps, which is shorter after the cut.
    interval: Duration,
    /// Whether maintenance was to run after a sweep is due.
    sleeps_too_long: bool,
    /// How many handshakes have timed out.
    handshake_timeouts: u64,
}

impl SimServer {
    pub(crate) fn new(shared: &Arc<Shared>, service: Service) -> Self {
        let (stop, maintenance_woken) = (Stop::new(), Arc::new(Flag::default()));
        let waker = Waker::from(Arc::clone(&maintenance_woken));
        let memory_bound = service.memory_bound();
        let clock = shared.clock.clock();
        let (server, acceptor) =
            ManualServer::new(Arc::new(service), &stop, clock, Address::Unix(None), waker);
        Self {
            interval: server.sweep_interval(),
            sleeps_too_long: false,
            worker: Worker::new(shared, acceptor),
            shared: Arc::clone(shared),
            server,
            stop,
            maintenance_woken,
            maintenance_at: Some(Duration::ZERO),
            swept_at: Duration::ZERO,
            drain_until: None,
            memory_bound,
            handshake_timeouts: 0,
        }
    }

    /// Whether it accepts no more clients for now.
    pub(crate) fn is_full(&self) -> bool {
        self.worker.peers.len() >= self.shared.options.limits.max_connections
    }

    /// What it can do now.
    pub(crate) fn runnable(&self, actions: &mut Vec<Action>) {
        if self.worker.is_runnable() {
            actions.extend([Action::Worker; 3]);
        }
        actions.extend((0..self.worker.jobs()).map(Action::Job));
        let now = self.shared.clock.elapsed();
        if self.maintenance_at.is_some_and(|at| self.maintenance_woken.is_set() || now >= at) {
            actions.push(Action::Maintenance);
        }
    }

    /// Runs maintenance, and returns for how long it waits then.
    pub(crate) fn maintain(&mut self) -> Option<Duration> {
        let at = self.shared.clock.elapsed();
        self.maintenance_woken.take();
        // Whatever a stop has requested is done by this call.
        let urgency = self.stop.urgency();
        if urgency != Urgency::None {
            self.shared.begin_stop();
            let timeout = self.shared.options.limits.drain_timeout;
            let until = *self.drain_until.get_or_insert(at + timeout);
            self.shared.book().is_cut = urgency == Urgency::Now || at >= until;
        }
        let sweep = self.server.next_sweep();
        let next = self.server.tick();
        self.maintenance_at = next.map(|next| at + next);
        self.sleeps_too_long |= next > Some(self.interval);
        if self.server.next_sweep() != sweep {
            self.swept_at = at;
        }
        next
    }

    /// Checks what holds after every step.
    pub(crate) fn check(&mut self) -> Checked {
        let statistics = self.server.statistics();
        let (book, kernel) = (self.shared.book(), &mut *locked(&self.shared.kernel));
        self.check_receipt(&statistics, &book)?;
        self.check_closing(&statistics, &book, &mut kernel.wires)?;
        if self.sleeps_too_long {
            return Err("maintenance is to run after a sweep is due".into());
        }
        for (_, peer) in &self.worker.peers {
            let Some(conversation) = &peer.conversation else { continue };
            let client = peer.socket.wire;
            let is_over = matches!(peer.wait, Some(Wait::Blocking | Wait::Over));
            if kernel.too_slow.contains(&client) && !is_over {
                return Err(format!("client {client} receives too slowly, and its conversation goes on"));
            }
            let memory =
                conversation.connection().memory() + peer.lent() + book.clients[client].mailbox.bytes;
            let bound = self.memory_bound + peer.ahead();
            if memory > bound {
                return Err(format!("client {client}: {memory} bytes exceed the bound of {bound}"));
            }
        }
        let timeouts = statistics.reason(CloseReason::HandshakeTimeout);
        if timeouts > std::mem::replace(&mut self.handshake_timeouts, timeouts) {
            let (now, timeout) = (self.shared.clock.elapsed(), book.limits.message_timeout);
            let due = book.clients.iter().filter(|account| {
                account.is_connected && !account.is_open && account.timing.accepted + timeout <= now
            });
            if (due.count() as u64) < timeouts {
                return Err("a handshake has timed out early".into());
            }
        }
        Ok(())
    }

    /// Checks both equations of the receipt against the model.
    fn check_receipt(&self, statistics: &Statistics, book: &Book) -> Checked {
        let Statistics { pushed, pushes_delivered, pushes_dropped, pushes_refused, accepted, .. } =
            *statistics;
        let counted = [pushed, pushes_delivered, pushes_dropped, pushes_refused];
        let totals = book.totals;
        let expected = [totals.pushed, totals.delivered, totals.dropped, totals.refused];
        if counted != expected {
            return Err(format!("pushes are {expected:?}, and the server counts {statistics}"));
        }
        let open = self.worker.peers.len() as u64;
        let Attempts { accepted: all, refused, .. } = &self.worker.attempts;
        if accepted != *all || statistics.open() != open {
            return Err(format!("{open} of {all} connections are open, and the server counts {statistics}"));
        }
        for (reason, (&ended, &refused)) in CloseReason::ALL.iter().zip(book.reasons.iter().zip(refused)) {
            let counted = statistics.reason(*reason);
            if is_refusal(*reason) && counted != refused {
                return Err(format!(
                    "{refused} clients were refused for {reason}, and the server counts {counted}"
                ));
            }
            // Some end before they have a session; and those with one are counted once they are closed.
            if (counted < ended && open == 0) || (counted > ended && needs_session(*reason)) {
                return Err(format!("{ended} sessions ended for {reason}, and the server counts {counted}"));
            }
        }
        Ok(())
    }

    /// Checks what holds when the server can do nothing.
    pub(crate) fn check_quiescence(&self) -> Checked {
        if let Some(forgotten) = self.worker.forgotten() {
            return Err(format!("a wake-up was lost: {forgotten}"));
        }
        self.check_waiting()?;
        let (book, kernel) = (self.shared.book(), locked(&self.shared.kernel));
        for (_, peer) in &self.worker.peers {
            let Some(conversation) = &peer.conversation else { continue };
            let client = peer.socket.wire;
            let (account, wire) = (&book.clients[client], &kernel.wires[client]);
            let waits = match peer.wait {
                // It also waits for a reset meanwhile.
                Some(Wait::Readable) if wire.blocked_at.is_some() => Some(Waits::Output),
                Some(Wait::Readable) if account.pending.is_some() => Some(Waits::Answer),
                Some(Wait::Readable) => Some(Waits::Input),
                Some(Wait::Writable) => Some(Waits::Output),
                Some(Wait::Wakeup) if account.pending.is_some() && wire.blocked_at.is_none() => {
                    Some(Waits::Answer)
                }
                Some(Wait::Wakeup) => None, // a pause after writes that were refused
                _ => continue,
            };
            let own = conversation.connection().deadline();
            let own = own.map(|at| at.saturating_duration_since(self.shared.clock.at(Duration::ZERO)));
            let latest = waits.and_then(|waits| timing::latest(waits, account, wire, &book.limits));
            let is_delivered = matches!(waits, Some(Waits::Input | Waits::Answer));
            let timer = account.timer_at.filter(|_| is_delivered);
            for (whose, at) in [("its own", own), ("the model's", latest), ("its session's", timer)] {
                let Some(at) = at else { continue };
                let since = at.max(peer.served_at);
                if self.swept_at > since {
                    let late = self.swept_at - since;
                    return Err(format!(
                        "client {client} waits for {waits:?}: {whose} deadline is {late:?} late"
                    ));
                }
            }
        }
        Ok(())
    }

    /// Checks what holds at the end, and returns the report.
    pub(crate) fn finish(self) -> Checked<Statistics> {
        let statistics = self.server.statistics();
        if !self.worker.has_ended() {
            return Err("maintenance ended before the worker".into());
        }
        let book = self.shared.book();
        self.check_receipt(&statistics, &book)?;
        let (messages, answered) = (statistics.messages, book.answered);
        if messages != answered {
            return Err(format!("{answered} messages were answered, and the server counts {messages}"));
        }
        let kernel = locked(&self.shared.kernel);
        let sum = |count: fn(&crate::kernel::Wire) -> usize| {
            kernel.wires.iter().map(|wire| count(wire) as u64).sum::<u64>()
        };
        let (read, written) = (sum(|wire| wire.taken), sum(|wire| wire.written));
        if (statistics.bytes_in, statistics.bytes_out) != (read, written) {
            return Err(format!("{read} bytes were read and {written} written: {statistics}"));
        }
        let unopened = book.clients.iter().filter(|account| account.is_connected && !account.is_open);
        let refused = self.worker.attempts.refused.iter().sum::<u64>();
        let ended = book.reasons.iter().sum::<u64>() + unopened.count() as u64 + refused;
        if statistics.ended() != ended {
            return Err(format!("{ended} conversations ended: {statistics}"));
        }
        drop((book, kernel));
        let is_broken = self.worker.is_broken;
        match self.server.close() {
            Ok(report) if !is_broken && report == statistics => Ok(report),
            Ok(_) if is_broken => Err("the listener was broken, and no error was returned".into()),
            Ok(report) => Err(format!("the report is {report}, and the statistics were {statistics}")),
            Err(_) if is_broken => Ok(statistics),
            Err(error) => Err(format!("the server failed: {error}")),
        }
    }
}

/// Whether clients that are not served are refused for this reason.
fn is_refusal(reason: CloseReason) -> bool {
    matches!(reason, CloseReason::Busy | CloseReason::Unserved | CloseReason::TooLate)
}

/// Whether a conversation needs a session to end for this reason.
fn needs_session(reason: CloseReason) -> bool {
    matches!(
        reason,
        CloseReason::Exit
            | CloseReason::Closed
            | CloseReason::IdleTimeout
            | CloseReason::MessageTimeout
            | CloseReason::AnswerTimeout
            | CloseReason::TooLong
            | CloseReason::Rejected
            | CloseReason::Unanswered
            | CloseReason::MailboxFull
    )
}
