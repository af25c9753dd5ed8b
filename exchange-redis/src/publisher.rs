//! The thread that publishes.

use std::time::Instant;

use redis::{Connection, RedisResult, Value, cmd};

use crate::shared::{Backoff, Shared};
use crate::state::{State, Work};

/// What each message begins with: the format, and then eight bytes each for the exchange that has published it and for its
/// number, by which the order is kept.
pub(crate) const MAGIC: [u8; 4] = *b"any1";

pub(crate) fn run(shared: &Shared) {
    let mut number = 0;
    shared.run(|shared, backoff| publish(shared, backoff, &mut number), State::publisher_lost);
}

/// Publishes over one connection until the exchange is closed. `number` is that of the next message.
fn publish(shared: &Shared, backoff: &mut Backoff, number: &mut u64) -> RedisResult<()> {
    let mut known = shared.state().known(Instant::now());
    let mut connection = shared.connect()?;
    shared.update(|state| state.publishes = true);
    backoff.succeeded();
    loop {
        match shared.next_work(&mut known) {
            Work::Publish(messages, wakes) => {
                let mut packed = Vec::new();
                for message in &messages {
                    let content =
                        [&MAGIC[..], &shared.id.to_be_bytes(), &number.to_be_bytes(), &message.content]
                            .concat();
                    *number += 1;
                    let channel = shared.name(&message.channel);
                    cmd("PUBLISH").arg(channel).arg(content).write_packed_command(&mut packed);
                }
                if wakes {
                    cmd("PUBLISH").arg(shared.wakeups()).arg(b"").write_packed_command(&mut packed);
                }
                let mut sent = 0;
                let result = send(shared, &mut connection, &packed, messages.len(), &mut sent);
                shared.sent(sent, messages.len() - sent);
                result?;
                if wakes {
                    connection.recv_response()?.extract_error()?;
                }
            }
            Work::Check => cmd("PING").exec(&mut connection)?,
            Work::Wait(_) => {}
            Work::End => return Ok(()),
        }
    }
}

/// Sends a batch of messages and awaits the reply to each. Adds those that were confirmed to `sent`.
fn send(
    shared: &Shared,
    connection: &mut Connection,
    packed: &[u8],
    count: usize,
    sent: &mut usize,
) -> RedisResult<()> {
    connection.send_packed_command(packed)?;
    for _ in 0..count {
        match connection.recv_response()? {
            Value::ServerError(error) => shared.rejected(&error),
            _ => *sent += 1,
        }
    }
    Ok(())
}
