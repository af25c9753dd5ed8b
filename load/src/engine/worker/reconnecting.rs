//! How connections that the server has ended are made anew, in a plan that says so.

use std::io;
use std::time::Duration;

use super::connecting::reason;
use super::{Worker, nanoseconds};
use crate::engine::client::Client;
use crate::engine::sources::connect;

/// A connection that has ended, and that is to be made anew.
pub(super) struct Returning {
    pub(super) client: Client,
    place: usize,
    /// When that is tried.
    due: u64,
}

/// How long it is waited where the last attempt has come to nothing.
const PAUSE: Duration = Duration::from_millis(20);

impl Worker<'_> {
    /// Keeps a connection that has ended, to make it anew: at once if the server has answered a message on it, and
    /// otherwise after a pause. One that only says that it is busy has answered none.
    pub(super) fn park(&mut self, place: usize, mut client: Client, error: &io::Error, now: u64) {
        client.close();
        let why = reason(error, client.is_refused);
        let has_answered = client.done_here > 0;
        let due = if has_answered { now } else { now.saturating_add(nanoseconds(PAUSE)) };
        let since = client.gone.take().filter(|_| !has_answered).map_or(now, |(since, _)| since);
        client.gone = Some((since, why));
        client.done_here = 0;
        client.is_served = false;
        self.returning.push(Returning { client, place, due });
    }

    /// Makes those connections anew for which it is time.
    pub(super) fn reconnect(&mut self, now: u64) {
        let mut at = 0;
        while let Some(returning) = self.returning.get(at) {
            if returning.due > now {
                at += 1;
                continue;
            }
            let Returning { client, place, .. } = self.returning.swap_remove(at);
            let begun = connect(self.plan.address, client.number).and_then(|(socket, connected)| {
                self.poller.add(&socket, place, !connected)?;
                Ok((socket, connected))
            });
            match begun {
                Ok((socket, connected)) => {
                    self.clients[place] = Some(client.again(socket, now, self.plan));
                    if connected {
                        self.connected(place);
                    }
                }
                Err(error) => self.park(place, client, &error, now),
            }
        }
    }

    /// Sends what had no reply when the connection ended, now that it stands again.
    pub(super) fn send_again(&mut self, place: usize, now: u64) {
        let Some(client) = self.clients[place].as_mut().filter(|client| client.is_again) else { return };
        self.tally.reconnected += 1;
        self.tally.resent += client.push_again(&mut self.composer, now, &mut self.output);
        if client.in_flight() == 0 {
            // Nobody can tell yet whether it is served, and nothing waits for it.
            client.gone = None;
        }
        self.flush(place);
    }

    /// Counts the times of connections that are made anew from a new epoch, which is so much later.
    pub(super) fn shift_epoch(&mut self, later: u64) {
        for returning in &mut self.returning {
            returning.due = returning.due.saturating_sub(later);
        }
        let returning = self.returning.iter_mut().map(|returning| &mut returning.client);
        for client in self.clients.iter_mut().flatten().chain(returning) {
            client.since = client.since.saturating_sub(later);
            if let Some((since, _)) = &mut client.gone {
                *since = since.saturating_sub(later);
            }
        }
    }

    /// Whether this worker can't make load any more: it has no connection left, and none could be made anew for as long as replies
    /// are waited for.
    pub(super) fn is_left_alone(&mut self, now: u64) -> bool {
        let patience = nanoseconds(self.plan.patience);
        let gone = |client: &Client| match &client.gone {
            Some((since, why)) if client.done_here == 0 && now.saturating_sub(*since) >= patience => {
                Some(why.clone())
            }
            _ => None,
        };
        let returning = self.returning.iter().map(|returning| &returning.client);
        let Some(whys) = self.clients.iter().flatten().chain(returning).map(gone).collect::<Option<Vec<_>>>()
        else {
            return false;
        };
        if let Some(why) = whys.last() {
            let (when, patience) = (self.when(now), self.plan.patience);
            self.tally.stopped =
                Some(format!("{when}, no connection could be made anew within {patience:?}: {why}"));
        }
        true
    }

    /// Counts those that could not be made anew as failed.
    pub(super) fn abandon(&mut self) {
        let now = self.now();
        for place in 0..self.clients.len() {
            if self.clients[place].as_ref().is_some_and(|client| client.is_again && !client.connected)
                && let Some(client) = self.leave(place)
            {
                self.park(place, client, &io::Error::other("nobody accepted it"), now);
            }
        }
        for Returning { client, .. } in std::mem::take(&mut self.returning) {
            let (number, unanswered) = (client.number, client.unanswered());
            let why = client.gone.map_or_else(String::new, |(_, why)| why);
            self.tally.failures.ended += 1;
            self.tally.failures.unanswered += unanswered;
            self.tally.failure(|| {
                format!(
                    "connection {number} ended, with {unanswered} messages unanswered, and could not be made anew: {why}"
                )
            });
        }
    }
}
