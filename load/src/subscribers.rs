//! Subscribers: connections that only listen, to what others send.

use std::fmt;

use crate::expect::Expect;
use crate::framing::Framing;
use crate::messages::Messages;
use crate::plan::{MOST_CONNECTIONS, Plan};

/// Connections that only listen. Each sends one message, waits for its reply, and is then pushed every message of the
/// measured connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribers {
    /// How many there are; 0 for a load without pushes.
    pub count: usize,
    /// The payload of the message with which each subscribes.
    pub message: Vec<u8>,
}

/// The length of the shortest payload that carries its sender, its number and its send time.
pub const SHORTEST_PUSHED: usize = 31;

/// The maximal number of pairs of a connection and a subscriber. Each takes four bytes.
pub const MOST_PAIRS: usize = 100_000_000;

impl Subscribers {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Checks that the pushes of a plan can be verified.
    ///
    /// # Errors
    /// The setting that does not go with subscribers, and what to write instead.
    pub(crate) fn check(&self, plan: &Plan) -> Result<(), String> {
        if self.is_empty() {
            return Ok(());
        }
        let count = self.count;
        if count > MOST_CONNECTIONS {
            return Err(format!("{count} is no number of subscribers; choose one up to {MOST_CONNECTIONS}"));
        }
        if plan.shard.share(count).saturating_mul(plan.connections) > MOST_PAIRS {
            let connections = plan.connections;
            return Err(format!(
                "{count} subscribers to {connections} connections are more than {MOST_PAIRS} pairs, each of which has a \
                 counter; choose fewer of either"
            ));
        }
        if !matches!(plan.framing, Framing::Line | Framing::Codec { .. }) {
            return Err(format!(
                "--subscribe can't find pushes among replies in the framing `{}`; use it with `line` or `length`",
                plan.framing.name()
            ));
        }
        let message = String::from_utf8_lossy(&self.message);
        plan.framing.encode(&message).map_err(|error| format!("--subscribe-message: {error}"))?;
        let Messages::Made(sizes) = &plan.messages else {
            return Err(
                "--subscribe needs generated messages, since each carries its send time; leave out --message, \
                 --messages, and a handler that writes messages"
                    .to_owned(),
            );
        };
        let shortest = sizes.bounds().0;
        if plan.framing.payload(shortest) < SHORTEST_PUSHED {
            let least = SHORTEST_PUSHED + usize::from(plan.framing == Framing::Line);
            return Err(format!(
                "messages of {shortest} bytes are too short for --subscribe, since each carries its sender, its number \
                 and its send time; choose sizes from {least} bytes"
            ));
        }
        if plan.messages_per_connection.is_some() || plan.reconnect {
            let flag = if plan.reconnect { "--reconnect" } else { "--messages-per-connection" };
            return Err(format!(
                "{flag} makes new senders, which --subscribe could not tell apart; leave out one of them"
            ));
        }
        if !plan.shard.is_whole() && plan.start_at.is_none() {
            return Err("--shard with --subscribe needs --start-at, by which the shards recognise each other's messages; \
                        give all the same"
                .to_owned());
        }
        if plan.hostile.slow_readers + plan.hostile.slow_writers > 0 {
            return Err("slow readers and slow writers send messages, which subscribers would take for wrong pushes; \
                        leave them out with --subscribe"
                .to_owned());
        }
        Ok(())
    }

    /// Checks that the expected replies go with subscribers.
    ///
    /// # Errors
    /// If they contain the message: what to expect instead.
    pub(crate) fn check_expect(&self, expect: &Expect) -> Result<(), String> {
        match expect {
            Expect::Ok | Expect::Ack | Expect::Any | Expect::Greeted => Ok(()),
            _ if self.is_empty() => Ok(()),
            Expect::Echo | Expect::Counter | Expect::CounterEnglish | Expect::By(_) => {
                Err("with --subscribe a reply is not compared with its message; say --expect ok if it is `ok`, or \
                     --expect any"
                    .to_owned())
            }
        }
    }
}

impl Default for Subscribers {
    /// None. If the number is set, each says `subscribe`.
    fn default() -> Self {
        Self { count: 0, message: b"subscribe".to_vec() }
    }
}

impl fmt::Display for Subscribers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.count {
            1 => f.write_str("1 subscriber"),
            count => write!(f, "{count} subscribers"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use common::Length;

    use super::*;
    use crate::messages::{MessageHook, Sizes};
    use crate::plan::Hostile;

    fn plan() -> Plan {
        Plan::new(SocketAddr::from(([127, 0, 0, 1], 1))).with_subscribers(3)
    }

    /// The error of a plan.
    fn error(plan: &Plan) -> String {
        plan.check().and_then(|()| plan.check_expect()).expect_err("it can't be verified")
    }

    #[test]
    fn pushes_are_verified_in_framings_of_bytes() {
        assert_eq!((plan().check(), plan().check_expect()), (Ok(()), Ok(())));
        let length = Framing::of("length", Length::new);
        assert_eq!(Plan { framing: length, ..plan() }.check(), Ok(()));
        for framing in [Framing::Resp, Framing::Http] {
            let messages = Messages::Own([b"PING".to_vec()].into());
            let error = error(&Plan { framing, messages, ..plan() });
            assert!(error.contains(&format!("`{}`; use it with `line`", framing.name())), "{error}");
        }
    }

    #[test]
    fn messages_carry_their_sender_and_their_time() {
        let own = Messages::Own([b"hello".to_vec()].into());
        let by = Messages::By(MessageHook::new(|_, _, _| ()));
        for messages in [own, by] {
            assert!(error(&Plan { messages, ..plan() }).contains("needs generated messages"));
        }
        let length = Framing::of("length", Length::new);
        for (framing, least) in [(Framing::Line, 32), (length, 31)] {
            let of = |size| Plan { messages: Messages::Made(Sizes::Uniform(size, 99)), framing, ..plan() };
            assert_eq!(of(least).check(), Ok(()));
            assert!(error(&of(least - 1)).contains(&format!("choose sizes from {least} bytes")));
        }
    }

    #[test]
    fn settings_that_send_otherwise_are_refused() {
        for (plan, expected) in [
            (Plan { reconnect: true, ..plan() }, "--reconnect makes new senders"),
            (Plan { messages_per_connection: Some(3), ..plan() }, "--messages-per-connection makes"),
            (
                Plan { hostile: Hostile { slow_readers: 1, ..Hostile::default() }, ..plan() },
                "slow readers and slow writers send messages",
            ),
            (Plan { expect: Expect::Echo, ..plan() }, "say --expect ok"),
            (plan().with_subscribe_message("a\nb"), "--subscribe-message: `a\\nb` is several lines"),
            (plan().with_subscribe_message(vec![b'a'; 2 << 20]), "write one of at most 1048576 bytes"),
            (plan().with_subscribers(MOST_CONNECTIONS + 1), "choose one up to 1000000"),
            (Plan { connections: 101, ..plan().with_subscribers(MOST_CONNECTIONS) }, "100000000 pairs"),
            (Plan { threads: 4, ..plan() }, "4 --threads have nothing to do"),
        ] {
            assert!(error(&plan).contains(expected), "{}", error(&plan));
        }
        let idle = Plan { hostile: Hostile { idle: 9, ..Hostile::default() }, ..plan() };
        assert_eq!(idle.check(), Ok(()));
        let most = Plan { connections: 100, ..plan().with_subscribers(MOST_CONNECTIONS) };
        assert_eq!(most.check(), Ok(()));
        assert_eq!(Plan { threads: 3, ..plan() }.check(), Ok(()), "a thread for each subscriber");
        let none = Plan { expect: Expect::Echo, reconnect: true, ..plan().with_subscribers(0) };
        assert_eq!((none.check(), none.check_expect()), (Ok(()), Ok(())));
    }
}
