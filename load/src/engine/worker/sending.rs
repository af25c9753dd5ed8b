//! When a worker sends: in a closed loop as replies come, in an open one as the schedule says.

use super::{MOST_WAITING, Worker};
use crate::engine::schedule::Schedule;
use crate::plan::Pace;

impl Worker<'_> {
    /// Begins to send on all connections.
    pub(super) fn start_sending(&mut self) {
        let now = self.now();
        if let Pace::Open { rate, arrivals, .. } = self.plan.pace {
            let rate = rate / self.plan.threads as f64;
            self.schedule = Some(Schedule::new(rate, arrivals, now, self.random.fork()));
        }
        for place in 0..self.clients.len() {
            self.refill(place, now);
        }
    }

    /// Sends the messages of an open loop whose time has come, each on the connection that has been free for
    /// the longest time. Where none is free they wait, and their latency runs.
    pub(super) fn send_what_is_due(&mut self) {
        let now = self.now();
        while let Some(schedule) = self.schedule.as_mut().filter(|schedule| schedule.next() <= now) {
            let due = schedule.next();
            schedule.advance();
            if (self.window.0..self.window.1).contains(&due) {
                self.tally.offered += 1;
            }
            if self.waiting.len() < MOST_WAITING {
                self.waiting.push_back(due);
            } else {
                self.tally.dropped += 1;
            }
        }
        while !self.waiting.is_empty()
            && let Some(place) = self.free.pop_front()
        {
            if let Some(client) = &mut self.clients[place] {
                client.is_free = false;
            }
            self.refill_with(place, now, 1);
        }
    }

    /// Sends on this connection what it may have in flight and the pace allows.
    pub(super) fn refill(&mut self, place: usize, now: u64) {
        self.refill_with(place, now, usize::MAX);
    }

    fn refill_with(&mut self, place: usize, now: u64, most: usize) {
        let Some(client) = &mut self.clients[place] else { return };
        if !self.loading || !client.connected {
            return;
        }
        let left = self.plan.messages_per_connection.map_or(u64::MAX, |most| most - client.sent());
        if left == 0 {
            if client.unanswered() == 0 {
                self.renew(place);
            }
            return;
        }
        let mut room = self.plan.depth.saturating_sub(client.in_flight());
        room = room.min(usize::try_from(left).unwrap_or(usize::MAX));
        let open = self.schedule.is_some();
        for _ in 0..room.min(most) {
            let scheduled = match open {
                false => Some(now),
                true => self.waiting.pop_front(),
            };
            let Some(scheduled) = scheduled else { break };
            client.push(&mut self.composer, (scheduled, now), &mut self.output);
            room -= 1;
            if open && (self.window.0..self.window.1).contains(&scheduled) {
                self.tally.send_lag.saturating_record(now.saturating_sub(scheduled));
            }
        }
        if open && room > 0 && !client.is_free {
            client.is_free = true;
            self.free.push_back(place);
        }
        self.flush(place);
    }

    /// Sends what was put into the output for this connection.
    pub(super) fn flush(&mut self, place: usize) {
        let Some(client) = &mut self.clients[place] else { return };
        if self.output.is_empty() {
            return;
        }
        let had_unsent = client.has_unsent();
        let sent = client.send(&mut self.output);
        self.output.clear();
        let has_unsent = client.has_unsent();
        let sent = if had_unsent == has_unsent { sent } else { sent.and_then(|()| self.rearm(place)) };
        if let Err(error) = sent {
            self.end(place, &error);
        }
    }
}
