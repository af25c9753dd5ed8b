//! Exchanges on a real redis-server. Each exchange is what a process has.

#[path = "../../../examples/testing/redis.rs"]
mod redis;
#[path = "../../../examples/testing/signal.rs"]
mod signal;
#[path = "../../../examples/testing/tool.rs"]
mod tool;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyloop::{Exchange, PublishError, Subscription};
use anyloop_exchange_redis::{Options, RedisExchange};

use self::redis::Redis;
use self::signal::signal;

/// The time after which a test fails.
const PATIENCE: Duration = Duration::from_secs(60);

fn open(redis: &Redis) -> RedisExchange {
    RedisExchange::open(&redis.url()).expect("it opens")
}

fn wait_until_ready(exchange: &RedisExchange) {
    assert!(exchange.wait_until_ready(PATIENCE), "{exchange:?}");
}

/// Waits until something holds that no event tells of.
fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        thread::sleep(Duration::from_millis(1));
    }
}

struct Listener {
    messages: Receiver<String>,
    subscription: Subscription,
}

impl Listener {
    fn new(exchange: &RedisExchange, channel_name: &str) -> Self {
        let (sender, messages) = channel();
        let subscriber = move |message: &Arc<[u8]>| {
            let _ = sender.send(String::from_utf8_lossy(message).into_owned());
        };
        Self { messages, subscription: exchange.subscribe(channel_name, Arc::new(subscriber)) }
    }

    fn next(&self) -> String {
        self.messages.recv_timeout(PATIENCE).expect("a message")
    }

    /// All messages until this one.
    fn until(&self, last: &str) -> Vec<String> {
        let mut messages = vec![self.next()];
        while messages.last().is_some_and(|message| message != last) {
            messages.push(self.next());
        }
        messages
    }
}

fn publish(exchange: &RedisExchange, channel: &str, message: &str) -> Result<(), PublishError> {
    exchange.publish(channel, message.as_bytes().into())
}

#[test]
fn every_subscriber_hears_each_message_once_and_in_the_order_of_its_sender() {
    const MESSAGES: usize = 2000;
    let Some(redis) = Redis::started() else { return };
    let exchanges = [open(&redis), open(&redis)];
    let listeners = exchanges.each_ref().map(|exchange| Listener::new(exchange, "room"));
    let elsewhere = Listener::new(&exchanges[0], "another room");
    exchanges.iter().for_each(wait_until_ready);
    thread::scope(|scope| {
        for (exchange, name) in exchanges.iter().zip(["a", "b"]) {
            scope.spawn(move || {
                for number in 0..MESSAGES {
                    assert_eq!(publish(exchange, "room", &format!("{name}{number}")), Ok(()));
                }
            });
        }
    });
    for listener in &listeners {
        let messages: Vec<_> = (0..2 * MESSAGES).map(|_| listener.next()).collect();
        for name in ["a", "b"] {
            let of_sender = messages.iter().filter_map(|message| message.strip_prefix(name));
            assert!(of_sender.eq((0..MESSAGES).map(|number| number.to_string())), "{name}: {messages:?}");
        }
    }
    // What is published last is heard next, so nothing is heard twice.
    publish(&exchanges[0], "room", "end").expect("room");
    listeners.iter().for_each(|listener| assert_eq!(listener.next(), "end"));
    publish(&exchanges[1], "another room", "end").expect("room");
    assert_eq!(elsewhere.next(), "end");
    until("all is confirmed", || exchanges[0].counts().sent == MESSAGES as u64 + 1);
    let counts = exchanges[0].counts();
    assert_eq!((counts.published, counts.lost, counts.refused), (counts.sent, 0, 0));
    assert_eq!((counts.received, counts.invalid, counts.failures), (MESSAGES as u64 + 1, 0, 0));
}

#[test]
fn subscriptions_are_made_and_ended_while_connected() {
    let Some(redis) = Redis::started() else { return };
    let (sender, receiver) = (open(&redis), open(&redis));
    wait_until_ready(&sender);
    wait_until_ready(&receiver);
    let rooms: Vec<_> = (0..2500).map(|number| Listener::new(&receiver, &format!("room {number}"))).collect();
    let again = Listener::new(&receiver, "room 7");
    wait_until_ready(&receiver);
    for (number, room) in rooms.iter().enumerate() {
        publish(&sender, &format!("room {number}"), &number.to_string()).expect("room");
        assert_eq!(room.next(), number.to_string());
    }
    assert_eq!(again.next(), "7");
    let channels = || {
        let listed = redis.run(&["pubsub", "channels", "anyloop:room*"]);
        listed.lines().filter(|line| !line.is_empty()).count()
    };
    assert_eq!(channels(), 2500);
    drop(rooms);
    wait_until_ready(&receiver);
    assert_eq!(channels(), 1, "one subscriber is left");
    publish(&sender, "room 7", "still").expect("room");
    assert_eq!(again.next(), "still");
    drop(again.subscription);
    wait_until_ready(&receiver);
    assert_eq!(channels(), 0);
}

#[test]
fn what_was_published_can_be_awaited() {
    let Some(mut redis) = Redis::started() else { return };
    let exchange = open(&redis);
    assert!(exchange.wait_until_sent(Duration::ZERO), "there is nothing");
    wait_until_ready(&exchange);
    (0..1000).for_each(|_| publish(&exchange, "room", "news").expect("room"));
    assert!(exchange.wait_until_sent(PATIENCE));
    assert_eq!(exchange.counts().sent, 1000);
    signal(redis.child.as_ref().expect("it runs"), "STOP");
    publish(&exchange, "room", "more").expect("room");
    assert!(!exchange.wait_until_sent(Duration::from_millis(1)), "Redis does not answer");
    redis.stop();
    assert!(exchange.wait_until_sent(PATIENCE), "it is lost");
    let counts = exchange.counts();
    assert_eq!((counts.sent, counts.lost), (1000, 1));
}

#[test]
fn a_redis_that_ends_is_found_again() {
    let Some(mut redis) = Redis::started() else { return };
    let exchanges = [open(&redis), open(&redis)];
    let listeners = exchanges.each_ref().map(|exchange| Listener::new(exchange, "room"));
    for round in 0..2 {
        exchanges.iter().for_each(wait_until_ready);
        let text = format!("round {round}");
        publish(&exchanges[0], "room", &text).expect("room");
        listeners.iter().for_each(|listener| assert_eq!(listener.next(), text));

        redis.stop();
        exchanges.iter().for_each(|exchange| until("it is noticed", || !exchange.is_ready()));
        until("it is noticed", || publish(&exchanges[0], "room", "here") == Err(PublishError::Unreachable));
        publish(&exchanges[0], "room", "end").expect_err("nobody else can be reached");
        let heard = listeners[0].until("end");
        assert!(heard.iter().rev().skip(1).all(|message| message == "here"), "{heard:?}");
        redis.start();
    }
    exchanges.iter().for_each(wait_until_ready);
    publish(&exchanges[0], "room", "found").expect("room");
    assert_eq!((listeners[0].next(), listeners[1].next()), ("found".into(), "found".into()));
    until("it is confirmed", || {
        let counts = exchanges[0].counts();
        assert!(counts.refused >= 4 && counts.failures >= 4, "{counts:?}");
        counts.published == counts.sent + counts.lost + counts.refused
    });
}

#[test]
fn one_that_is_not_there_at_the_start_is_found() {
    let Some(mut redis) = Redis::stopped() else { return };
    let exchanges = [open(&redis), open(&redis)];
    let listeners = exchanges.each_ref().map(|exchange| Listener::new(exchange, "room"));
    assert_eq!(publish(&exchanges[0], "room", "early"), Err(PublishError::Unreachable));
    assert_eq!(listeners[0].next(), "early");
    until("both connections have failed", || exchanges[0].counts().failures >= 2);
    assert!(!exchanges[0].is_ready() && !exchanges[0].wait_until_ready(Duration::ZERO));
    redis.start();
    exchanges.iter().for_each(wait_until_ready);
    publish(&exchanges[0], "room", "now").expect("room");
    listeners.iter().for_each(|listener| assert_eq!(listener.next(), "now"));
}

#[test]
fn connections_that_redis_closes_are_made_again() {
    let Some(redis) = Redis::started() else { return };
    let (sender, receiver) = (open(&redis), open(&redis));
    let listener = Listener::new(&receiver, "room");
    wait_until_ready(&sender);
    wait_until_ready(&receiver);
    for kind in ["pubsub", "normal"] {
        let failures = [&sender, &receiver].map(|exchange| exchange.counts().failures);
        redis.run(&["client", "kill", "type", kind]);
        for (exchange, failures) in [&sender, &receiver].into_iter().zip(failures) {
            until("it is noticed", || exchange.counts().failures > failures);
            wait_until_ready(exchange);
        }
        publish(&sender, "room", kind).expect("room");
        assert_eq!(listener.next(), kind);
    }
}

#[test]
fn the_queue_has_a_bound_and_a_redis_that_hangs_is_lost() {
    let Some(redis) = Redis::started() else { return };
    let options = || Options::default().with_queue(10 * 100);
    let patient = RedisExchange::open_with(&redis.url(), options().with_timeout(PATIENCE)).expect("it opens");
    let other = RedisExchange::open_with(&redis.url(), options().with_timeout(Duration::from_millis(200)));
    let other = other.expect("it opens");
    let (listener, heard) = (Listener::new(&other, "four"), Listener::new(&patient, "four"));
    wait_until_ready(&patient);
    wait_until_ready(&other);
    signal(redis.child.as_ref().expect("it runs"), "STOP");
    let send = |length| patient.publish("four", vec![b'm'; length].into());
    for _ in 0..9 {
        assert_eq!(send(32), Ok(()));
    }
    assert_eq!((send(33), send(32), send(0)), (Err(PublishError::Full), Ok(()), Err(PublishError::Full)));
    assert_eq!(patient.counts().refused, 2);
    (0..12).for_each(|_| drop(heard.next()));
    until("it is lost", || !other.is_ready());
    signal(redis.child.as_ref().expect("it runs"), "CONT");
    wait_until_ready(&other);
    until("all is sent", || patient.counts().sent == 10);
    // Those that were sent while the other was not connected are lost to it.
    publish(&patient, "four", "end").expect("room");
    assert!(listener.until("end").len() <= 11);
    assert_eq!((patient.counts().published, patient.counts().lost), (13, 0));
}

#[test]
fn a_message_that_no_exchange_has_published_is_not_delivered() {
    let Some(redis) = Redis::started() else { return };
    let (sender, receiver) = (open(&redis), open(&redis));
    let listener = Listener::new(&receiver, "room");
    wait_until_ready(&sender);
    wait_until_ready(&receiver);
    for content in ["", "any1", "any1 and 15 bytes..", "hello to everybody, in 31 bytes"] {
        redis.run(&["publish", "anyloop:room", content]);
    }
    publish(&sender, "room", "").expect("room");
    publish(&sender, "room", "\0\r\n\u{ff}").expect("room");
    assert_eq!((listener.next(), listener.next()), (String::new(), "\0\r\n\u{ff}".into()));
    assert_eq!((receiver.counts().invalid, receiver.counts().received), (4, 2));
}

#[test]
fn a_message_that_comes_after_later_ones_is_not_delivered() {
    let Some(redis) = Redis::started() else { return };
    let exchange = open(&redis);
    let listener = Listener::new(&exchange, "room");
    wait_until_ready(&exchange);
    let client = ::redis::Client::open(redis.url()).expect("the URL");
    let mut connection = client.get_connection().expect("a connection");
    for (number, text) in [(1_u64, "one"), (3, "three"), (2, "two"), (3, "again"), (4, "four")] {
        let message = [b"any1", &7_u64.to_be_bytes()[..], &number.to_be_bytes(), text.as_bytes()].concat();
        ::redis::cmd("PUBLISH").arg("anyloop:room").arg(message).exec(&mut connection).expect("it is sent");
    }
    assert_eq!([listener.next(), listener.next(), listener.next()], ["one", "three", "four"]);
    assert_eq!((exchange.counts().late, exchange.counts().received), (2, 3));
}

#[test]
fn messages_that_redis_rejects_are_counted() {
    let Some(redis) = Redis::started() else { return };
    redis.run(&[
        "acl",
        "setuser",
        "user",
        "on",
        ">pass",
        "+@all",
        "resetchannels",
        "&anyloop:wakeup:*",
        "&anyloop:a",
    ]);
    let url = redis.url().replace("//", "//user:pass@");
    let (sender, receiver) = (RedisExchange::open(&url).expect("it opens"), open(&redis));
    let listener = Listener::new(&receiver, "a");
    wait_until_ready(&sender);
    wait_until_ready(&receiver);
    publish(&sender, "b", "1").expect("room");
    publish(&sender, "a", "2").expect("room");
    assert_eq!(listener.next(), "2");
    until("it is counted", || sender.counts().lost == 1 && sender.counts().sent == 1);
    assert!(sender.is_ready(), "it is connected all the same");
    let _forbidden = sender.subscribe("b", Arc::new(|_: &Arc<[u8]>| ()));
    until("it shows", || sender.counts().failures > 0);
    assert!(!format!("{sender:?}").contains("pass"));
}

/// The number of connections to this Redis.
fn connections(redis: &Redis) -> usize {
    redis.run(&["client", "list"]).lines().filter(|line| !line.contains("cmd=client")).count()
}

#[test]
fn what_was_accepted_is_sent_when_the_exchange_is_dropped_and_its_threads_end() {
    let Some(redis) = Redis::started() else { return };
    let (sender, receiver) = (open(&redis), open(&redis));
    let listener = Listener::new(&receiver, "room");
    wait_until_ready(&sender);
    wait_until_ready(&receiver);
    assert_eq!(connections(&redis), 4);
    (0..1000).for_each(|number| publish(&sender, "room", &number.to_string()).expect("room"));
    drop(sender);
    (0..1000).for_each(|number| assert_eq!(listener.next(), number.to_string()));
    until("its connections are closed", || connections(&redis) == 2);
    drop(receiver);
    until("its connections are closed", || connections(&redis) == 0);
    drop(listener.subscription);
}
