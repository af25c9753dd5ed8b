//! The thread that receives.

use std::collections::{BTreeSet, HashMap};

use common::Exchange;
use redis::{Connection, Msg, RedisResult, cmd};

use crate::publisher::MAGIC;
use crate::shared::{Backoff, Shared};
use crate::state::State;

/// How many channels are subscribed at once. The confirmations of very many would overflow Redis's buffer.
const STEP: usize = 1000;

pub(crate) fn run(shared: &Shared) {
    let mut senders = Senders::default();
    shared.run(|shared, backoff| receive(shared, backoff, &mut senders), State::receiver_lost);
}

/// Receives over one connection until the exchange is closed. A read fails if nothing comes within the timeout: the
/// publisher sends something more often.
fn receive(shared: &Shared, backoff: &mut Backoff, senders: &mut Senders) -> RedisResult<()> {
    let mut connection = shared.connect()?;
    let wakeups = shared.wakeups();
    let (waiting, changes) = shared.all_channels();
    connection.send_packed_command(&cmd("SUBSCRIBE").arg(&wakeups).get_packed_command())?;
    let mut subscriptions = Subscriptions { subscribed: BTreeSet::new(), waiting, changes, unconfirmed: 1 };
    loop {
        let value = connection.recv_response()?.extract_error()?;
        match Msg::from_owned_value(value) {
            Some(message) if message.get_channel_name() != wakeups => {
                deliver(shared, senders, &message);
                continue;
            }
            Some(_) => {}
            None => subscriptions.unconfirmed = subscriptions.unconfirmed.saturating_sub(1),
        }
        if shared.is_closed() {
            return Ok(());
        }
        backoff.succeeded();
        subscriptions.advance(shared, &mut connection)?;
    }
}

fn deliver(shared: &Shared, senders: &mut Senders, message: &Msg) {
    let channel = message.get_channel_name().strip_prefix(&shared.options.prefix);
    let (Some((id, number, content)), Some(channel)) = (parts(message.get_payload_bytes()), channel) else {
        shared.state().counts.invalid += 1;
        return;
    };
    if id == shared.id {
        return; // it was delivered when it was published
    }
    if senders.accept(id, number) {
        shared.state().counts.received += 1;
        let _ = shared.local.publish(channel, content.into()); // which never fails
    } else {
        shared.state().counts.late += 1;
    }
}

/// The exchange that has published a message, its number, and its content.
fn parts(payload: &[u8]) -> Option<(u64, u64, &[u8])> {
    let (id, rest) = payload.strip_prefix(&MAGIC)?.split_first_chunk()?;
    let (number, content) = rest.split_first_chunk()?;
    Some((u64::from_be_bytes(*id), u64::from_be_bytes(*number), content))
}

/// The number of the last message of each exchange. When Redis was hung, it may still read an old connection of an exchange
/// after its new one, and these messages would come out of order.
#[derive(Default)]
struct Senders(HashMap<u64, u64>);

/// With this many exchanges all are forgotten, since most of them have ended.
const MAX_SENDERS: usize = 10_000;

impl Senders {
    /// Whether a message comes in order.
    fn accept(&mut self, id: u64, number: u64) -> bool {
        if self.0.len() >= MAX_SENDERS && !self.0.contains_key(&id) {
            self.0.clear();
        }
        let last = self.0.get(&id);
        let in_order = last.is_none_or(|&last| number > last);
        if in_order {
            self.0.insert(id, number);
        }
        in_order
    }
}

/// The channels to which the connection has subscribed.
struct Subscriptions {
    subscribed: BTreeSet<String>,
    /// The channels that may have to be subscribed or unsubscribed.
    waiting: Vec<String>,
    /// The number of changes that are confirmed once nothing is waiting.
    changes: u64,
    /// The number of channels whose confirmation has not come.
    unconfirmed: usize,
}

impl Subscriptions {
    /// Subscribes and unsubscribes, a number of channels at once.
    fn advance(&mut self, shared: &Shared, connection: &mut Connection) -> RedisResult<()> {
        while self.unconfirmed == 0 {
            if self.waiting.is_empty() {
                (self.waiting, self.changes) = shared.confirmed(self.changes);
                if self.waiting.is_empty() {
                    break;
                }
            }
            let (mut subscribe, mut unsubscribe) = (cmd("SUBSCRIBE"), cmd("UNSUBSCRIBE"));
            let (mut added, mut removed) = (0, 0);
            for channel in self.waiting.drain(self.waiting.len().saturating_sub(STEP)..) {
                let name = shared.name(&channel);
                if shared.local.has_subscribers(&channel) {
                    if self.subscribed.insert(channel) {
                        subscribe.arg(name);
                        added += 1;
                    }
                } else if self.subscribed.remove(&channel) {
                    unsubscribe.arg(name);
                    removed += 1;
                }
            }
            for (command, count) in [(subscribe, added), (unsubscribe, removed)] {
                if count > 0 {
                    connection.send_packed_command(&command.get_packed_command())?;
                    self.unconfirmed += count;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_each_sender_are_accepted_in_order_and_once() {
        let mut senders = Senders::default();
        let accepted: Vec<_> = [(1, 5), (2, 1), (1, 5), (1, 4), (1, 9), (2, 2)]
            .map(|(id, number)| senders.accept(id, number))
            .into();
        assert_eq!(accepted, [true, true, false, false, true, true]);
        (0..3 * MAX_SENDERS as u64).for_each(|id| assert!(senders.accept(10 + id, 0)));
        assert!(senders.0.len() <= MAX_SENDERS);
    }

    #[test]
    fn a_payload_that_is_too_short_has_no_parts() {
        let payload = [&MAGIC[..], &1_u64.to_be_bytes(), &2_u64.to_be_bytes(), b"content"].concat();
        let whole = 4 + 8 + 8;
        assert_eq!(parts(&payload), Some((1, 2, &b"content"[..])));
        assert_eq!(parts(&payload[..whole]), Some((1, 2, &b""[..])));
        assert!((0..whole).all(|length| parts(&payload[..length]).is_none()));
        assert_eq!(parts(&payload[1..]), None);
    }
}
