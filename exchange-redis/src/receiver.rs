//! The thread that receives.

use std::collections::BTreeSet;

use common::Exchange;
use redis::{Connection, Msg, RedisResult, cmd};

use crate::publisher::MAGIC;
use crate::shared::{Backoff, Shared};
use crate::state::State;

/// How many channels are subscribed at once. The confirmations of very many would overflow Redis's buffer.
const STEP: usize = 1000;

pub(crate) fn run(shared: &Shared) {
    shared.run(receive, State::receiver_lost);
}

/// Receives over one connection until the exchange is closed. A read fails if nothing comes within the timeout: the
/// publisher sends something more often.
fn receive(shared: &Shared, backoff: &mut Backoff) -> RedisResult<()> {
    let mut connection = shared.connect()?;
    let wakeups = shared.wakeups();
    let (waiting, changes) = shared.all_channels();
    connection.send_packed_command(&cmd("SUBSCRIBE").arg(&wakeups).get_packed_command())?;
    let mut subscriptions = Subscriptions { subscribed: BTreeSet::new(), waiting, changes, unconfirmed: 1 };
    loop {
        let value = connection.recv_response()?.extract_error()?;
        match Msg::from_owned_value(value) {
            Some(message) if message.get_channel_name() != wakeups => {
                deliver(shared, &message);
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

fn deliver(shared: &Shared, message: &Msg) {
    let content = message.get_payload_bytes().strip_prefix(&MAGIC).and_then(|rest| rest.split_first_chunk());
    let channel = message.get_channel_name().strip_prefix(&shared.options.prefix);
    let (Some((id, content)), Some(channel)) = (content, channel) else {
        shared.state().counts.invalid += 1;
        return;
    };
    if u64::from_be_bytes(*id) != shared.id {
        shared.state().counts.received += 1;
        let _ = shared.local.publish(channel, content.into()); // which never fails
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
