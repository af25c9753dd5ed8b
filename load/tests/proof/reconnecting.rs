//! Reconnecting after the server has ended connections.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use anyloop_load::export::table;
use anyloop_load::plan::{Dispatch, Expect, MessageHook, Messages, Pace, Plan};
use common::Address;
use socket2::Socket;

use super::faulty::Faulty;
use super::transport::{self, BACKLOG, Place, listen_at};
use super::{LAST, open, plan, run};

/// A line server that terminates while it serves, and restarts at the same address.
struct Restarting {
    place: Place,
    /// How many restarts remain.
    lives: Arc<Mutex<u64>>,
}

/// After how many lines the server terminates.
const LINES: u64 = 300;

impl Restarting {
    /// A server with this number of restarts. Each instance sends a greeting, and numbers the lines of a client.
    fn start(lives: u64) -> Self {
        let (listener, place) = transport::listen();
        let address = place.0.clone();
        let lives = Arc::new(Mutex::new(lives));
        let left = Arc::clone(&lives);
        thread::spawn(move || {
            let mut listener = Some(listener);
            loop {
                let listener = listener.take().unwrap_or_else(|| listen(&address));
                let is_last = *left.lock().expect("nobody panics") == 0;
                serve_life(&listener, &address, is_last);
                *left.lock().expect("nobody panics") -= 1;
            }
        });
        Self { place, lives }
    }

    fn lives_left(&self) -> u64 {
        *self.lives.lock().expect("nobody panics")
    }
}

/// The port is free as soon as the previous instance has closed it.
fn listen(address: &Address) -> Socket {
    loop {
        match listen_at(address, BACKLOG) {
            Ok(listener) => return listener,
            Err(_) => thread::yield_now(),
        }
    }
}

/// Serves until the number of lines was answered, unless this instance is the last.
fn serve_life(listener: &Socket, address: &Address, is_last: bool) {
    let (lines, over) = (Arc::new(Mutex::new(0)), Arc::new(AtomicBool::new(false)));
    let mut conversations = Vec::new();
    while let Ok((socket, _)) = listener.accept() {
        if over.load(Ordering::SeqCst) {
            break;
        }
        let (lines, over) = (Arc::clone(&lines), Arc::clone(&over));
        let address = address.clone();
        let other = socket.try_clone().expect("it is open");
        let conversation = thread::spawn(move || {
            let _ = converse(socket, || {
                let mut lines = lines.lock().expect("nobody panics");
                *lines += 1;
                let ends = !is_last && *lines >= LINES;
                if ends && !over.swap(true, Ordering::SeqCst) {
                    // So that the listener is polled.
                    transport::connect(&address);
                }
                !ends
            });
        });
        conversations.push((conversation, other));
    }
    for (conversation, socket) in conversations {
        let _ = socket.shutdown(Shutdown::Both);
        let _ = conversation.join();
    }
}

/// Sends a greeting, and numbers the lines while `may_go_on` returns true.
fn converse(mut socket: Socket, may_go_on: impl Fn() -> bool) -> std::io::Result<()> {
    socket.write_all("Connected!\n".as_bytes())?;
    let reading = socket.try_clone()?;
    for (number, line) in (1..).zip(BufReader::new(reading).split(b'\n')) {
        let line = String::from_utf8(line?).expect("messages are text");
        // The line at which an instance ends has no reply.
        if !may_go_on() {
            break;
        }
        socket.write_all(format!("Message {number}: {line}\n").as_bytes())?;
    }
    socket.shutdown(Shutdown::Both)
}

#[test]
fn a_server_that_restarts_loses_nothing() {
    let numbered = MessageHook::new(|client, number, buffer| {
        write!(buffer, "{client}-{number}").expect("memory takes everything");
    });
    let own = [b"one".to_vec(), b"two".to_vec(), b"three".to_vec()];
    for pace in [Pace::Closed, open(2000.0)] {
        for messages in
            [Messages::default(), Messages::Own(own.clone().into()), Messages::By(numbered.clone())]
        {
            let server = Restarting::start(2);
            let m = run(&Plan {
                address: server.place.0.clone(),
                reconnect: true,
                expect: Expect::CounterEnglish,
                duration: Duration::from_secs(1),
                pace,
                messages: messages.clone(),
                connections: 3,
                ..plan(&Faulty::good())
            });
            let what = format!(
                "{}: {:?}, {:?}, {}, {}",
                m.load, m.verification, m.failures, m.reconnected, m.resent
            );
            assert_eq!(server.lives_left(), 0, "{what}");
            assert_eq!(
                (m.verification.bad(), m.failures.connections(), m.failures.unanswered),
                (0, 0, 0),
                "{what}"
            );
            assert!(m.reconnected >= 2 && m.resent > 0 && m.stopped_early.is_none(), "{what}");
            let table = table(&m);
            assert!(table.contains(&format!("{} connections were re-established", m.reconnected)), "{table}");
            assert!(table.contains(&format!("{} messages sent again", m.resent)), "{table}");
        }
    }
}

#[test]
fn a_server_that_does_not_restart_ends_the_run() {
    for pace in [Pace::Closed, open(2000.0)] {
        let (listener, place) = transport::listen();
        let address = place.0.clone();
        thread::spawn(move || {
            let mut sockets: Vec<_> = (0..2).map(|_| listener.accept().expect("they come").0).collect();
            drop(listener);
            for socket in &mut sockets {
                // The first message shows that the load has started.
                let _ = socket.read(&mut [0]);
            }
        });
        let reply_timeout = Duration::from_millis(300);
        let duration = Duration::from_secs(100);
        let m =
            run(&Plan { address, reconnect: true, reply_timeout, duration, pace, ..plan(&Faulty::good()) });
        assert_eq!((m.failures.ended, m.reconnected, m.verification.bad()), (2, 0, 0), "{:?}", m.failures);
        let why = m.stopped_early.expect("it stopped early");
        assert!(
            why.contains(" s after the start, no connection could be re-established within 300ms: "),
            "{why}"
        );
        assert!(why.contains("Connection refused"), "{why}");
        assert!(m.failures.examples[0].contains("could not be re-established"), "{:?}", m.failures);
    }
}

#[test]
fn reconnecting_to_a_busy_server_has_a_pause() {
    let server = Faulty::each_connection({
        let is_over = AtomicBool::new(false);
        move |replies, _| {
            if is_over.load(Ordering::SeqCst) || replies.count() == LAST {
                is_over.store(true, Ordering::SeqCst);
                replies.say(b"ERR busy");
                replies.end();
            }
        }
    });
    let m = run(&Plan { reconnect: true, reply_timeout: Duration::from_millis(200), ..plan(&server) });
    assert_eq!(m.failures.ended, 2, "{m:?}");
    // For 0.7 s at the most, each of two connections reconnects every 20 ms.
    assert!(server.connections() <= 2 * 40, "{}", server.connections());
}

#[test]
fn an_idle_re_established_connection_is_not_failed() {
    let server = Faulty::each_connection({
        let ended = AtomicUsize::new(0);
        move |replies, line| {
            if replies.count() == 1 && ended.fetch_add(1, Ordering::SeqCst) < 2 {
                replies.say(line);
                replies.end();
            }
        }
    });
    let m = run(&Plan {
        reconnect: true,
        pace: open(4.0),
        reply_timeout: Duration::from_millis(100),
        duration: Duration::from_secs(2),
        ..plan(&server)
    });
    assert_eq!((m.stopped_early.as_deref(), m.failures.connections()), (None, 0), "{m:?}");
    assert_eq!((m.reconnected, m.resent), (2, 0), "{m:?}");
}

#[test]
fn without_reconnect_an_early_end_is_reported_with_its_reason() {
    let server = Faulty::each_connection(|replies, _| {
        if replies.count() == LAST {
            replies.end();
        }
    });
    let dispatch = Dispatch::Any;
    for pace in [
        Pace::Closed,
        Pace::Open { rate: 20_000.0, arrivals: anyloop_load::plan::Arrivals::Constant, dispatch },
    ] {
        let m = run(&Plan { duration: Duration::from_secs(100), pace, ..plan(&server) });
        let why = m.stopped_early.clone().expect("it stopped early");
        assert!(why.contains(" s after the start, no connection was left; of the last one, "), "{why}");
        assert!(table(&m).contains(&format!("(stopped early: {why})")));
    }
}
