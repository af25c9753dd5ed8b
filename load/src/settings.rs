//! The settings of a plan as text, which have to be the same in all of its shards.

use std::collections::BTreeMap;

use crate::expect::Expect;
use crate::messages::Messages;
use crate::plan::{Arrivals, Dispatch, Pace, Plan};
use crate::quantity::Time;

impl Plan {
    /// What the plan says of all shards, by the names of the flags. What a generator may choose for itself is left out:
    /// threads, cores, the process to monitor, and which shard it is.
    pub fn settings(&self) -> BTreeMap<String, String> {
        let time = |time| Time(time).to_string();
        let mut settings = vec![
            ("address", self.address.to_string()),
            ("connections", self.connections.to_string()),
            ("depth", self.depth.to_string()),
            ("duration", time(self.duration)),
            ("warmup", time(self.warmup)),
            ("reply-timeout", time(self.reply_timeout)),
            ("messages", messages(&self.messages)),
            ("framing", self.framing.name().to_owned()),
            ("expect", expect(&self.expect).to_owned()),
            ("reconnect", self.reconnect.to_string()),
            ("subscribe", self.subscribers.count.to_string()),
            ("idle", self.hostile.idle.to_string()),
            ("slow-readers", self.hostile.slow_readers.to_string()),
            ("slow-writers", self.hostile.slow_writers.to_string()),
            ("seed", self.seed.to_string()),
        ];
        if let Pace::Open { rate, arrivals, dispatch } = self.pace {
            let arrivals = if arrivals == Arrivals::Poisson { "poisson" } else { "constant" };
            let dispatch = if dispatch == Dispatch::Any { "any" } else { "each" };
            settings.push(("rate", rate.to_string()));
            settings.push(("arrivals", arrivals.to_owned()));
            settings.push(("dispatch", dispatch.to_owned()));
        }
        if let Some(transform) = &self.transform {
            settings.push(("transform", transform.name().to_owned()));
        }
        if let Some(rate) = self.connect_rate {
            settings.push(("connect-rate", rate.to_string()));
        }
        if let Some(most) = self.messages_per_connection {
            settings.push(("messages-per-connection", most.to_string()));
        }
        if !self.subscribers.is_empty() {
            let message = String::from_utf8_lossy(&self.subscribers.message).into_owned();
            settings.push(("subscribe-message", message));
        }
        settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// Generated messages by their sizes, custom ones by their number and a hash of their content.
fn messages(messages: &Messages) -> String {
    match messages {
        Messages::Own(own) => {
            // FNV-1a, with the length of each message, so that the boundaries count as well.
            let bytes =
                own.iter().flat_map(|text| text.len().to_le_bytes().into_iter().chain(text.iter().copied()));
            let hash = bytes.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            });
            format!("{messages}, {hash:016x}")
        }
        Messages::Made(_) | Messages::By(_) => messages.to_string(),
    }
}

/// The value of `--expect`.
fn expect(expect: &Expect) -> &'static str {
    match expect {
        Expect::Echo => "echo",
        Expect::Counter => "counter",
        Expect::CounterEnglish => "counter-en",
        Expect::Ack => "ack",
        Expect::Ok => "ok",
        Expect::Any => "any",
        Expect::Greeted => "greeted",
        Expect::By(_) => "what the command expects",
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Duration;

    use super::*;
    use crate::plan::{Hostile, Shard, Sizes, Subscribers};

    fn plan() -> Plan {
        Plan::new(SocketAddr::from(([127, 0, 0, 1], 1)))
    }

    fn open(rate: f64, arrivals: Arrivals, dispatch: Dispatch) -> Pace {
        Pace::Open { rate, arrivals, dispatch }
    }

    #[test]
    fn each_setting_of_the_load_is_named() {
        let own = |texts: &[&str]| {
            Messages::Own(texts.iter().map(|text| text.as_bytes().to_vec()).collect::<Vec<_>>().into())
        };
        let open_loop = Plan { pace: open(10.0, Arrivals::Constant, Dispatch::Each), ..plan() };
        let subscribed = plan().with_subscribers(2);
        let cases = [
            ("address", plan(), Plan::new(SocketAddr::from(([127, 0, 0, 1], 2)))),
            ("connections", plan(), Plan { connections: 2, ..plan() }),
            ("depth", plan(), Plan { depth: 2, ..plan() }),
            ("duration", plan(), Plan { duration: Duration::from_millis(1), ..plan() }),
            ("warmup", plan(), Plan { warmup: Duration::ZERO, ..plan() }),
            ("reply-timeout", plan(), Plan { reply_timeout: Duration::ZERO, ..plan() }),
            ("messages", plan(), Plan { messages: Messages::Made(Sizes::Uniform(3, 4)), ..plan() }),
            (
                "messages",
                Plan { messages: own(&["ab", "c"]), ..plan() },
                Plan { messages: own(&["a", "bc"]), ..plan() },
            ),
            ("framing", plan(), Plan { framing: crate::framing::Framing::Resp, ..plan() }),
            ("expect", plan(), Plan { expect: Expect::Any, ..plan() }),
            ("reconnect", plan(), Plan { reconnect: true, ..plan() }),
            ("idle", plan(), Plan { hostile: Hostile { idle: 1, ..Hostile::default() }, ..plan() }),
            (
                "slow-readers",
                plan(),
                Plan { hostile: Hostile { slow_readers: 1, ..Hostile::default() }, ..plan() },
            ),
            (
                "slow-writers",
                plan(),
                Plan { hostile: Hostile { slow_writers: 1, ..Hostile::default() }, ..plan() },
            ),
            ("seed", plan(), Plan { seed: 2, ..plan() }),
            ("connect-rate", plan(), Plan { connect_rate: Some(1.0), ..plan() }),
            ("messages-per-connection", plan(), Plan { messages_per_connection: Some(1), ..plan() }),
            (
                "rate",
                open_loop.clone(),
                Plan { pace: open(11.0, Arrivals::Constant, Dispatch::Each), ..plan() },
            ),
            (
                "arrivals",
                open_loop.clone(),
                Plan { pace: open(10.0, Arrivals::Poisson, Dispatch::Each), ..plan() },
            ),
            ("dispatch", open_loop, Plan { pace: open(10.0, Arrivals::Constant, Dispatch::Any), ..plan() }),
            (
                "subscribe",
                subscribed.clone(),
                Plan {
                    subscribers: Subscribers { count: 3, ..subscribed.subscribers.clone() },
                    ..subscribed.clone()
                },
            ),
            ("subscribe-message", subscribed.clone(), subscribed.with_subscribe_message("join")),
        ];
        for (name, one, other) in cases {
            let (one, other) = (one.settings(), other.settings());
            let unlike: Vec<_> =
                one.keys().chain(other.keys()).filter(|name| one.get(*name) != other.get(*name)).collect();
            assert!(!unlike.is_empty() && unlike.iter().all(|unlike| *unlike == name), "{name}: {unlike:?}");
        }
    }

    #[test]
    fn a_generator_chooses_its_threads_and_cores() {
        let shard = Shard::new(1, 1).unwrap();
        let other = Plan { threads: 7, cpus: vec![1], server: Some(1), shard, ..plan() };
        assert_eq!(other.settings(), plan().settings());
    }
}
