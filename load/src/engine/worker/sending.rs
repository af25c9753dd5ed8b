//! Sending: in a closed loop after each reply, in an open loop by the schedule.

use super::{Worker, nanoseconds};
use crate::engine::queue::Queue;
use crate::engine::schedule::{Schedule, Turns};
use crate::plan::{Messages, Pace};

impl Worker<'_> {
    /// Starts to send on all open connections. `standing` are the numbers within the shard of those of all workers, in
    /// ascending order.
    pub(super) fn start_sending(&mut self, standing: &[usize]) {
        if let Pace::Open { rate, arrivals, dispatch } = self.plan.pace {
            let own =
                standing.iter().enumerate().filter(|(_, number)| **number % self.plan.threads == self.index);
            let places = own.map(|(rank, number)| (number / self.plan.threads, rank)).collect();
            let turns = Turns::new(self.plan, rate, standing.len());
            self.schedule = Some(Schedule::new(turns, arrivals, places, self.random.fork()));
            self.queue = Some(Queue::new(dispatch, self.clients.len()));
        }
        for place in 0..self.senders {
            self.refill(place, 0, usize::MAX);
        }
    }

    /// Sends the messages of an open loop that are due. A message whose connection has no room waits for it, or for the
    /// next free connection; its latency counts from the scheduled time. Returns the nanoseconds until the next message
    /// is due.
    pub(super) fn send_what_is_due(&mut self, now: u64) -> u64 {
        let now = now.min(self.window.1.saturating_sub(1));
        let (Some(schedule), Some(queue)) = (&mut self.schedule, &mut self.queue) else { return u64::MAX };
        while schedule.next() <= now {
            let due = schedule.next();
            let place = schedule.advance();
            let ended = !queue.is_shared() && !self.plan.reconnect && self.clients[place].is_none();
            let has_room = !ended && queue.push(place, due);
            if due >= self.window.0 {
                self.tally.offered += 1;
                self.tally.dropped += u64::from(!has_room);
            }
        }
        let next = schedule.next();
        while let Some((place, most)) = self.queue.as_mut().and_then(Queue::next_ready) {
            self.refill(place, 0, most);
        }
        next.saturating_sub(self.now())
    }

    /// Sends messages on this connection, up to the limit in flight, the pace, and the given number. If there was no
    /// room before, `earliest` is when room became available.
    pub(super) fn refill(&mut self, place: usize, earliest: u64, most: usize) {
        let Some(client) = &mut self.clients[place] else { return };
        if !self.loading || !client.sends {
            return;
        }
        let left = self.plan.messages_per_connection.map_or(u64::MAX, |most| most - client.sent_here);
        if left == 0 {
            if client.unanswered() == 0 {
                self.renew(place);
            }
            return;
        }
        let mut room = self.plan.depth.saturating_sub(client.messages.len());
        room = room.min(usize::try_from(left).unwrap_or(usize::MAX));
        if room > 0 && self.queue.as_ref().is_none_or(|queue| !queue.is_empty(place)) {
            // In a closed loop, a single reply arrived just now: no other one was processed in between.
            let is_at_once =
                self.queue.is_none() && room == 1 && !matches!(self.plan.messages, Messages::By(_));
            let at_once = (is_at_once && earliest > 0).then_some(earliest);
            let sending = || at_once.unwrap_or_else(|| nanoseconds(self.epoch.elapsed()));
            self.composer.stamp(sending);
            let mut count = 0;
            while count < room.min(most) {
                let scheduled = match &mut self.queue {
                    None => Some(0),
                    Some(queue) => queue.pop(place),
                };
                let Some(scheduled) = scheduled else { break };
                client.push(&mut self.composer, scheduled, &mut self.output);
                count += 1;
            }
            room -= count;
            // The send time is read after the messages are written, since a function may take long to write them.
            let now = sending();
            for sent in client.messages.last(count) {
                sent.sent = now;
                if self.queue.is_none() {
                    sent.scheduled = now;
                } else if (self.window.0..self.window.1).contains(&sent.scheduled) {
                    self.tally.send_lag.saturating_record(now.saturating_sub(sent.scheduled.max(earliest)));
                }
            }
        }
        if let Some(queue) = self.queue.as_mut().filter(|queue| queue.is_shared())
            && room > 0
        {
            queue.free(place);
        }
        self.flush(place);
    }

    /// Sends the contents of the output buffer on this connection.
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
            self.broken(place, &error);
        }
    }
}
