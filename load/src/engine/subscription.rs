//! Verifies what a subscriber receives: the reply to its subscription, and then pushes.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;

use crate::engine::client::Client;
use crate::engine::composer::{Composer, Stamped};
use crate::engine::tally::{Tally, beginning};
use crate::engine::verify::{Said, first_line, refused};
use crate::expect::Reply;
use crate::framing::Kind;
use crate::plan::{Plan, Shard};

/// What a connection receives next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The greeting.
    Greeting,
    /// Replies to its messages.
    Replies,
    /// The reply to its subscription.
    Subscription,
    /// Pushes.
    Pushes,
}

/// The state of a connection that only listens.
pub(super) struct Subscription {
    /// Which of the subscribers it is.
    pub(super) number: u32,
    /// The payload with which it subscribes.
    pub(super) message: Vec<u8>,
    /// How many messages were delivered to it.
    pub(super) delivered: u64,
    /// How many of these were sent by its own shard.
    pub(super) own: u64,
    shard: Shard,
    /// The number of the message that is expected next from each connection, in the lowest digits.
    next: Vec<u32>,
    /// The messages of a connection that were skipped by a later one, in the order in which they were found missing.
    missing: VecDeque<(u32, Range<u32>)>,
}

/// The place of a message among those that were delivered before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// It is later than all of its connection.
    Next,
    /// It was skipped by a later one.
    Late,
    /// It was delivered before.
    Again,
    /// It is of a connection that does not exist.
    Unknown,
}

/// How many gaps are remembered. Each message that is not a later one is searched among them.
const MAX_GAPS: usize = 1024;

impl Subscription {
    pub(super) fn new(number: u32, plan: &Plan) -> Self {
        Self {
            number,
            message: plan.subscribers.message.clone(),
            delivered: 0,
            own: 0,
            shard: plan.shard,
            next: vec![0; plan.connections],
            missing: VecDeque::new(),
        }
    }

    /// Finds the place of a message, and remembers it as delivered.
    #[inline]
    fn place(&mut self, Stamped { connection, number, .. }: Stamped) -> Order {
        let Some(next) = self.next.get_mut(connection as usize) else { return Order::Unknown };
        // Numbers wrap around, so that the later half is ahead.
        let ahead = number.wrapping_sub(*next);
        if ahead > u32::MAX / 2 {
            return self.place_late(connection, number);
        }
        if ahead > 0 {
            if self.missing.len() >= MAX_GAPS {
                self.missing.pop_front();
            }
            self.missing.push_back((connection, *next..number));
        }
        *next = number.wrapping_add(1);
        Order::Next
    }

    /// Finds a message among the missing ones, and removes it from them.
    #[cold]
    fn place_late(&mut self, connection: u32, number: u32) -> Order {
        let is_in = |(of, gap): &(u32, Range<u32>)| {
            *of == connection && number.wrapping_sub(gap.start) < gap.end.wrapping_sub(gap.start)
        };
        let Some(at) = self.missing.iter().position(is_in) else { return Order::Again };
        let Some((_, gap)) = self.missing.remove(at) else { return Order::Again };
        for rest in [number.wrapping_add(1)..gap.end, gap.start..number] {
            if rest.start != rest.end {
                self.missing.insert(at, (connection, rest));
            }
        }
        Order::Late
    }
}

impl Client {
    /// Processes what is no reply to a message: a greeting, the reply to a subscription, or a push. Returns whether it
    /// was one of these.
    ///
    /// # Errors
    /// If the server refuses the connection, or ends it.
    #[inline(never)]
    pub(super) fn before_replies(
        &mut self,
        said: Said<'_>,
        composer: &Composer<'_>,
        tally: &mut Tally,
    ) -> io::Result<bool> {
        if self.stage == Stage::Greeting {
            if said.kind != Kind::Answer {
                return Err(refused(said.whole));
            }
            self.stage = if self.subscription.is_some() { Stage::Subscription } else { Stage::Replies };
            if composer.expect.is_greeting(said.content) {
                return Ok(true);
            }
        }
        let Some(subscription) = &mut self.subscription else { return Ok(false) };
        if self.stage == Stage::Pushes {
            return subscription.push(said, composer, tally).map(|()| true);
        }
        subscription.begin(said, composer)?;
        self.stage = Stage::Pushes;
        tally.pushes.subscribers += 1;
        Ok(true)
    }
}

impl Subscription {
    /// Checks the reply to the subscription.
    fn begin(&self, Said { whole, content, kind }: Said<'_>, composer: &Composer<'_>) -> io::Result<()> {
        if kind != Kind::Answer {
            return Err(refused(whole));
        }
        match composer.expect.read(content, 0) {
            Reply::Right => Ok(()),
            Reply::Says(_) | Reply::Judged(_) | Reply::Wrong => Err(io::Error::other(format!(
                "the server says `{}` to `{}`; is it one to which one can subscribe? --expect says what it should say",
                beginning(whole),
                beginning(&self.message)
            ))),
        }
    }

    /// Verifies a push, and counts it.
    ///
    /// # Errors
    /// If it announces the end of the connection.
    #[inline]
    fn push(&mut self, said: Said<'_>, composer: &Composer<'_>, tally: &mut Tally) -> io::Result<()> {
        let Some(stamped) = composer.read_stamped(said.content, tally.now()) else {
            return self.wrong(said, tally);
        };
        match self.place(stamped) {
            Order::Next => {}
            Order::Late => {
                tally.pushes.reordered += 1;
                self.example("reordered", stamped, tally);
            }
            Order::Again => {
                tally.pushes.doubled += 1;
                self.example("doubled", stamped, tally);
                return Ok(());
            }
            Order::Unknown => return self.wrong(said, tally),
        }
        let is_own = self.shard.has(stamped.connection as usize);
        self.delivered += 1;
        self.own += u64::from(is_own);
        tally.delivered(stamped.sent, is_own);
        Ok(())
    }

    /// Counts what is no message of the run.
    #[cold]
    fn wrong(&self, Said { whole, kind, .. }: Said<'_>, tally: &mut Tally) -> io::Result<()> {
        if kind == Kind::Farewell {
            return Err(io::Error::other(format!("the server says `{}`", first_line(whole))));
        }
        tally.pushes.wrong += 1;
        let number = self.number;
        tally.pushes.example(|| format!("wrong: subscriber {number}: `{}`", beginning(whole)));
        Ok(())
    }

    #[cold]
    fn example(&self, what: &str, Stamped { connection, number, .. }: Stamped, tally: &mut Tally) {
        let subscriber = self.number;
        tally.pushes.example(|| {
            format!("{what}: subscriber {subscriber}, message {number} of connection {connection}")
        });
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    fn subscription(connections: usize) -> Subscription {
        let plan = Plan::new(SocketAddr::from(([127, 0, 0, 1], 1)));
        Subscription::new(0, &Plan { connections, ..plan })
    }

    fn place(subscription: &mut Subscription, connection: u32, number: u32) -> Order {
        subscription.place(Stamped { connection, number, sent: 0 })
    }

    #[test]
    fn the_order_of_each_connection_is_its_own() {
        let mut subscription = subscription(2);
        for (connection, number, expected) in [
            (0, 0, Order::Next),
            (1, 0, Order::Next),
            (0, 1, Order::Next),
            (0, 1, Order::Again),
            (0, 9, Order::Next),
            (1, 5, Order::Next),
            // The messages 2 to 8 of the first connection were skipped, and 1 to 4 of the second.
            (0, 4, Order::Late),
            (0, 4, Order::Again),
            (1, 4, Order::Late),
            (0, 2, Order::Late),
            (0, 8, Order::Late),
            (0, 8, Order::Again),
            (0, 5, Order::Late),
            (1, 5, Order::Again),
            (1, 6, Order::Next),
            (2, 0, Order::Unknown),
            (u32::MAX, 0, Order::Unknown),
        ] {
            assert_eq!(place(&mut subscription, connection, number), expected, "{number} of {connection}");
        }
        let missing: Vec<_> = subscription.missing.into_iter().collect();
        assert_eq!(missing, [(0, 3..4), (0, 6..8), (1, 1..4)]);
    }

    #[test]
    fn numbers_wrap_around() {
        let mut subscription = subscription(1);
        subscription.next[0] = u32::MAX - 1;
        for (number, expected) in [
            (u32::MAX - 1, Order::Next),
            (3, Order::Next),
            (u32::MAX, Order::Late),
            (u32::MAX, Order::Again),
            (0, Order::Late),
            (2, Order::Late),
            (1, Order::Late),
            (1, Order::Again),
            (4, Order::Next),
        ] {
            assert_eq!(place(&mut subscription, 0, number), expected, "{number}");
        }
        assert_eq!(subscription.missing, []);
    }

    #[test]
    fn of_many_gaps_the_oldest_are_forgotten() {
        let mut subscription = subscription(1);
        let gaps = u32::try_from(MAX_GAPS).unwrap() + 1;
        for number in 0..gaps {
            assert_eq!(place(&mut subscription, 0, 2 * number + 1), Order::Next);
        }
        assert_eq!(subscription.missing.len(), MAX_GAPS);
        assert_eq!(place(&mut subscription, 0, 0), Order::Again, "it was forgotten that it is missing");
        assert_eq!(place(&mut subscription, 0, 2), Order::Late);
    }
}
