//! Accepts clients as a backend does, and checks which of them are served, for what reason the others are refused, and when the
//! next one may be accepted.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use common::{Address, CloseReason, ErrorReply, Overload};
use serving::{Accepting, Admission, Conversation};

use super::tasks::Task;
use super::{Peer, Worker};
use crate::kernel::{SharedKernel, locked};
use crate::options::{Driving, Listener};
use crate::socket::SimSocket;

/// What has come of the attempts to accept.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    /// How many clients were passed to the acceptor, and how many of them it refused for each reason, in the order of
    /// [`CloseReason::ALL`].
    pub(crate) accepted: u64,
    pub(crate) refused: [u64; CloseReason::ALL.len()],
    /// A client that was accepted in an earlier turn, as an operation that completes later accepts it.
    unadmitted: Option<(SimSocket, Address)>,
    /// How long the last pause was, unless a client was accepted since, and when it ends.
    pause: Duration,
    paused_until: Duration,
}

/// The most clients that one turn accepts, unless the server is stopping.
const ACCEPT_TURN: usize = 16;
/// The pause after the system had no resources is twice the one before, within these bounds.
const MIN_PAUSE: Duration = Duration::from_millis(100);
const MAX_PAUSE: Duration = Duration::from_secs(1);

const ENOMEM: i32 = 12;
const EBADF: i32 = 9;
/// Errors of `accept`: first those of a system without resources, then those of the client, and an interrupt.
const ACCEPT_ERRORS: [i32; 6] = [24, 23, 105, 103, 71, 4];
const EXHAUSTED: &[i32] = ACCEPT_ERRORS.split_at(3).0;

impl Worker {
    /// Whether a client can be accepted, or admitted.
    pub(super) fn can_accept(&self) -> bool {
        let is_ready = self.is_listening && !locked(&self.kernel).backlog.is_empty();
        self.acceptor.is_some() && (is_ready || self.attempts.unadmitted.is_some())
    }

    pub(super) fn accept(&mut self) {
        if let Some(accepted) = self.attempts.unadmitted.take() {
            self.admit(Ok(accepted));
        }
        for attempts in 0.. {
            let Some(acceptor) = &mut self.acceptor else { return };
            self.is_listening = true;
            match acceptor.what_now() {
                Accepting::Accept if attempts >= ACCEPT_TURN && !acceptor.is_stopping() => return,
                Accepting::Accept => {
                    let accepted = self.attempt();
                    if accepted.is_ok() && self.is_admitted_later() {
                        self.attempts.unadmitted = accepted.ok();
                        return;
                    }
                    if !self.admit(accepted) {
                        return;
                    }
                }
                Accepting::Wait => {
                    self.is_listening = false;
                    return;
                }
                Accepting::Stopped => return self.stop_accepting(),
            }
        }
    }

    /// Calls `accept`, which must not happen during a pause, or while another server accepts.
    fn attempt(&mut self) -> io::Result<(SimSocket, Address)> {
        let (now, until) = (self.clock.elapsed(), self.attempts.paused_until);
        if now < until {
            let too_early = || format!("it accepts at {now:?}, and pauses until {until:?}");
            self.shared.book().violation.get_or_insert_with(too_early);
        }
        if self.shared.options.listener != Listener::Own && self.shared.book().is_stopping {
            let is_left = || "it accepts from a listener that it has left to another server".into();
            self.shared.book().violation.get_or_insert_with(is_left);
        }
        let accepted = accept(&self.kernel);
        match accepted.as_ref().map_err(io::Error::raw_os_error) {
            Ok(_) => self.attempts.pause = Duration::ZERO,
            Err(Some(errno)) if EXHAUSTED.contains(&errno) => {
                self.attempts.pause = (2 * self.attempts.pause).clamp(MIN_PAUSE, MAX_PAUSE);
                self.attempts.paused_until = now + self.attempts.pause;
            }
            Err(errno) => self.is_broken |= errno == Some(EBADF),
        }
        accepted
    }

    /// Whether a client is admitted in a later turn: more often if the listener may be handed over meanwhile.
    fn is_admitted_later(&self) -> bool {
        let is_own = self.shared.options.listener == Listener::Own;
        self.is_late() || (!is_own && self.shared.chance(100))
    }

    /// Passes the result of `accept` to the acceptor. Returns `false` if no client has connected.
    fn admit(&mut self, accepted: io::Result<(SimSocket, Address)>) -> bool {
        let Some(acceptor) = &mut self.acceptor else { return false };
        let client = accepted.as_ref().ok().map(|(socket, _)| socket.wire);
        if let Some(client) = client {
            self.attempts.accepted += 1;
            self.shared.book().current = client;
        }
        match (acceptor.admit(accepted), client) {
            (Admission::Client(socket, conversation), _) => self.serve_admitted(socket, conversation),
            (Admission::None, Some(client)) => self.refused(client),
            (Admission::None, None) => {}
            (Admission::WouldBlock, _) => return false,
        }
        true
    }

    /// The reason for which a client can't be served that is admitted now, if any.
    fn due_refusal(&self) -> Option<CloseReason> {
        {
            // With another server for the listener, who was accepted before the stop is served as far as a drain does so.
            let book = self.shared.book();
            if book.is_stopping && (book.is_cut || self.shared.options.listener == Listener::Own) {
                return Some(CloseReason::TooLate);
            }
        }
        let is_full = self.peers.len() >= self.shared.options.limits.max_connections;
        is_full.then_some(CloseReason::Busy)
    }

    /// A client was refused.
    fn refused(&mut self, client: usize) {
        let waits = self.shared.options.limits.overload == Overload::Queue;
        let due = self.due_refusal().filter(|due| *due != CloseReason::Busy || !waits);
        let book = &mut *self.shared.book();
        let Some(due) = due else {
            return book.violate(client, || "it is refused, and there was no reason for that".into());
        };
        self.attempts.refused[due as usize] += 1;
        let told = book.clients[client].error.clone();
        let is_told = match due {
            CloseReason::TooLate => matches!(told, None | Some(ErrorReply::ShuttingDown)),
            _ => matches!(told, None | Some(ErrorReply::Busy)),
        };
        book.check(client, is_told, || format!("it is refused for {due}, and is told {told:?}"));
    }

    /// Serves a client that was admitted, unless the system has no resources for it.
    fn serve_admitted(&mut self, socket: SimSocket, conversation: Conversation) {
        if let Some(due) = self.due_refusal() {
            let book = &mut *self.shared.book();
            book.violate(socket.wire, || format!("it is served, and was to be refused for {due}"));
        }
        let is_unserved = {
            let kernel = &mut *locked(&self.kernel);
            kernel.wires[socket.wire].has_event = true; // a poller reports a new socket
            kernel.tape.chance(kernel.faults.unserved)
        };
        {
            let account = &mut self.shared.book().clients[socket.wire];
            account.is_connected = !is_unserved;
            account.timing.accepted = self.clock.elapsed();
        }
        if is_unserved {
            self.attempts.refused[CloseReason::Unserved as usize] += 1;
            return conversation.refuse(socket, &io::Error::from_raw_os_error(ENOMEM));
        }
        let entry = self.peers.vacant_entry();
        let slot = entry.key();
        let task = (self.driving == Driving::Tasks).then(|| Task::new(slot, &self.scheduled));
        if task.is_none() {
            conversation.register_slot(&self.woken, slot);
        }
        let (ready, is_queued, wait, served_at, operations) = Default::default();
        let conversation = Some(conversation);
        entry.insert(Peer { conversation, socket, ready, is_queued, wait, served_at, task, operations });
        if self.driving != Driving::Events {
            self.continue_with(slot);
        }
    }

    /// Closes the listener, which resets the clients in its backlog, or leaves them to another server, which is none of this run.
    fn stop_accepting(&mut self) {
        self.acceptor = None;
        {
            let kernel = &mut *locked(&self.kernel);
            // After an error they may be left, if no connection is open whose descriptor could become free.
            let may_leave = self.is_broken
                || kernel.faults.accept_errors > 0
                || self.shared.options.listener != Listener::Own;
            self.has_left_clients = !may_leave && !kernel.backlog.is_empty();
            for wire in std::mem::take(&mut kernel.backlog) {
                kernel.wires[wire].aborted = true;
            }
        }
        // If it was not requested, the server drains.
        let until = self.clock.elapsed() + self.shared.options.limits.drain_timeout;
        self.shared.begin_stop();
        self.shared.book().cut_at.get_or_insert(until);
    }
}

/// The system call.
fn accept(kernel: &SharedKernel) -> io::Result<(SimSocket, Address)> {
    let shared = std::sync::Arc::clone(kernel);
    let kernel = &mut *locked(kernel);
    if kernel.tape.chance(kernel.faults.accept_errors) {
        return Err(io::Error::from_raw_os_error(kernel.tape.pick(&ACCEPT_ERRORS)));
    }
    if kernel.tape.chance(kernel.faults.broken_listener) {
        return Err(io::Error::from_raw_os_error(EBADF));
    }
    let wire = kernel.backlog.pop_front().ok_or_else(|| io::Error::from_raw_os_error(11))?;
    let port = u16::try_from(wire).unwrap_or(u16::MAX);
    Ok((SimSocket { kernel: shared, wire }, Address::Ip(SocketAddr::from(([127, 0, 0, 1], port)))))
}
