//! What a process shows of an exchange: its threads, and the log. It is one test in a file of its own, so that there are no
//! others. It needs Linux, where threads can be listed.

#![cfg(target_os = "linux")]

#[path = "../../examples/testing/redis.rs"]
mod redis;
#[path = "../../examples/testing/signal.rs"]
mod signal;
#[path = "../../examples/testing/tool.rs"]
mod tool;

use std::fs;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use anyloop::Exchange;
use anyloop_exchange_redis::{Options, RedisExchange};

use self::redis::Redis;
use self::signal::signal;

const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Whether it has a line of this level with this text.
    fn has(&self, level: &str, text: &str) -> bool {
        let log = self.0.lock().expect("no panic");
        let log = String::from_utf8_lossy(&log);
        log.lines().any(|line| line.contains(level) && line.contains(text))
    }
}

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The number of threads of exchanges in this process.
fn threads() -> usize {
    let tasks = fs::read_dir("/proc/self/task").expect("the threads of this process");
    let names = tasks.flatten().filter_map(|task| fs::read_to_string(task.path().join("comm")).ok());
    names.filter(|name| name.starts_with("redis-")).count()
}

fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_loss_is_logged_and_the_threads_end_with_the_exchange() {
    let Some(mut redis) = Redis::started() else { return };
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).init();
    let open = |timeout| {
        let options = Options::default().with_timeout(timeout);
        RedisExchange::open_with(&redis.url(), options).expect("it opens")
    };

    let connected = open(PATIENCE);
    assert!(connected.wait_until_ready(PATIENCE));
    until("it is logged", || log.has("INFO", "Redis is connected"));
    until("there are two", || threads() == 2); // a thread sets its name itself
    drop(connected);
    until("they end with a Redis", || threads() == 0);

    let hung = open(Duration::from_millis(100));
    assert!(hung.wait_until_ready(PATIENCE));
    signal(redis.child.as_ref().expect("it runs"), "STOP");
    until("the loss is noticed", || !hung.is_ready());
    until("it is logged", || log.has("WARN", "Redis is lost"));
    drop(hung);
    until("they end with one that hangs", || threads() == 0);
    signal(redis.child.as_ref().expect("it runs"), "CONT");

    let url = redis.url();
    redis.stop();
    let alone = RedisExchange::open(&url).expect("it opens");
    until("it has failed", || alone.counts().failures >= 2);
    drop(alone);
    until("they end without a Redis", || threads() == 0);
    redis.start();
    let clients = redis.run(&["client", "list"]);
    assert_eq!(clients.lines().count(), 1, "nobody else connects any more: {clients}");
}
