//! Checks of what surrounds the conversations: what waits in a mailbox, and the lingering close.

use std::time::Duration;

use common::{CloseReason, Timer};
use serving::{Statistics, Wait};

use crate::book::Book;
use crate::kernel::{Wire, locked};
use crate::options::Driving;
use crate::server::SimServer;
use crate::world::Checked;

/// How long a socket lingers, and how much input that discards.
const LINGER_TIME: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 64 * 1024;

/// Whether a conversation ends without its last output for this reason.
pub(crate) fn is_abrupt(why: CloseReason) -> bool {
    matches!(why, CloseReason::Cut | CloseReason::Lost | CloseReason::WriteTimeout | CloseReason::MailboxFull)
}

impl SimServer {
    /// Checks that no reset takes the last output from a client whose socket should linger, and how much that discards.
    pub(crate) fn check_closing(&self, statistics: &Statistics, book: &Book, wires: &mut [Wire]) -> Checked {
        let now = self.shared.clock.elapsed();
        for (client, wire) in wires.iter_mut().enumerate() {
            if wire.discarded > LINGER_BYTES {
                return Err(format!("client {client}: lingering has discarded {} bytes", wire.discarded));
            }
            if !wire.has_lost_output {
                continue;
            }
            let (Some(ended_at), Some(why)) = (wire.ended_at, book.clients[client].closed) else { continue };
            // While as many sockets linger as may, further ones are closed at once.
            let is_excused = is_abrupt(why)
                || statistics.unlingered > 0
                || book.is_stopping
                || wire.sent > LINGER_BYTES
                || book.clients[client].was_lost;
            if std::mem::take(&mut wire.has_lost_output) && !is_excused && now < ended_at + LINGER_TIME {
                return Err(format!("client {client}: a reset has taken its last output, after {why}"));
            }
        }
        Ok(())
    }

    /// Checks, when nothing can run, that no socket lingers for too long, and that nothing waits in a mailbox.
    pub(crate) fn check_waiting(&self) -> Checked {
        let now = self.shared.clock.elapsed();
        let wires = &mut locked(&self.shared.kernel).wires;
        for (client, wire) in wires.iter_mut().enumerate() {
            if wire.ended_at.is_some()
                && !wire.closed
                && self.swept_at > *wire.lingers_since.get_or_insert(now) + LINGER_TIME
            {
                return Err(format!("client {client}: its socket lingers for too long"));
            }
        }
        for (_, peer) in &self.worker.peers {
            let Some(conversation) = &peer.conversation else { continue };
            let (client, connection) = (peer.socket.wire, conversation.connection());
            let is_idle = match peer.wait {
                Some(Wait::Readable) => wires[client].blocked_at.is_none(), // if not, it pauses, and waits for a reset
                Some(Wait::Wakeup) => connection.timer() == Some(Timer::Answer),
                _ => false,
            };
            let book = self.shared.book();
            let account = &book.clients[client];
            let mailbox = &account.mailbox;
            let is_reported = self.shared.options.driving == Driving::Events && account.pending.is_some();
            if is_reported && peer.wait == Some(Wait::Wakeup) && wires[client].reset {
                return Err(format!("client {client}: it was reset, and its conversation goes on"));
            }
            if is_idle && book.is_stopping && account.is_open && !account.is_told_of_stop {
                return Err(format!("client {client}: its session was not told that the server stops"));
            }
            if is_idle && mailbox.has_mail() {
                return Err(format!(
                    "client {client}: something waits in its mailbox, and nothing delivers it"
                ));
            }
            if mailbox.is_overrun {
                return Err(format!("client {client}: its mailbox was full, and its conversation goes on"));
            }
        }
        Ok(())
    }
}
