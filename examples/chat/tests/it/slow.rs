//! A member who does not read: it is treated by the policy, and the others talk on.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;
use std::{fs, iter};

use socket2::{Domain, Socket, Type};

use crate::server::Server;
use crate::{PROGRAM, Person, backends};

/// The length of a line. Eight of them fit into the mailbox.
const LENGTH: usize = 32 * 1024;

/// The size of the slow one's receive buffer.
const RECEIVE_BUFFER: usize = 64 * 1024;

/// More lines than the buffers of two sockets hold, of which the kernel doubles the latter.
fn count() -> usize {
    let sizes = fs::read_to_string("/proc/sys/net/ipv4/tcp_wmem").unwrap_or_default();
    let max_send = sizes.split_whitespace().last().and_then(|size| size.parse().ok()).unwrap_or(4 << 20);
    (max_send + 2 * RECEIVE_BUFFER + (1 << 20)) / LENGTH
}

/// Connects, with a small receive buffer that does not grow.
fn connect(server: &Server) -> TcpStream {
    let address: SocketAddr = server.address.parse().expect("an address");
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_recv_buffer_size(RECEIVE_BUFFER).expect("a size");
    socket.set_read_timeout(Some(Duration::from_secs(20))).expect("a time");
    socket.connect(&address.into()).expect("it listens");
    socket.into()
}

/// A chat in which Ann says lines that Bob hears one by one, and somebody does not read. Returns them after the last line, or
/// after the slow one was announced to have left.
fn talk(backend: &str, policy: &str) -> (Server, Person, bool) {
    let flags = format!("--mailbox 264KiB --mailbox-full {policy} --write-timeout 1h");
    let server = Server::start(PROGRAM, &format!("--backend {backend} {flags}"));
    let [mut ann, mut bob] = ["ann", "bob"].map(|name| Person::join(&server, name));
    let slow = Person::join_by(connect(&server), "slow");
    bob.hear_until("* guest-3 is now slow");
    let mut has_left = false;
    for number in 0..count() {
        let text = format!("{number:0LENGTH$}");
        ann.say(&text);
        match bob.hear() {
            notice if notice.starts_with("* ") => {
                assert_eq!(notice, "* slow has left (mailbox full)", "{backend}");
                has_left = true;
                break;
            }
            line => assert!(line.strip_prefix("ann: ") == Some(&text), "{backend}, {policy}: {number}"),
        }
    }
    bob.quit();
    ann.say("the end");
    ann.hear_until("* bob has left");
    ann.quit();
    (server, slow, has_left)
}

/// The numbers of the lines of Ann that the slow one hears, and how many it has missed. The last line need not be among them.
fn hear_all(slow: &mut Person) -> (Vec<usize>, usize) {
    let (mut numbers, mut missed) = (Vec::new(), 0);
    loop {
        let line = slow.hear();
        if let Some(text) = line.strip_prefix("* you have missed ") {
            let count = text.split(' ').next().and_then(|count| count.parse::<usize>().ok());
            missed += count.expect("a number");
        } else if let Some(number) = line.strip_prefix("ann: ").and_then(|text| text.parse().ok()) {
            numbers.push(number);
        } else if line == "* ann has left" {
            return (numbers, missed);
        }
    }
}

#[test]
fn it_is_closed() {
    for backend in backends() {
        let (_server, _slow, has_left) = talk(backend, "close");
        assert!(has_left, "{backend}");
    }
}

#[test]
fn it_misses_the_oldest_lines_and_is_told_how_many() {
    for backend in backends() {
        let (_server, mut slow, has_left) = talk(backend, "drop-oldest");
        assert!(!has_left, "{backend}");
        let (numbers, missed) = hear_all(&mut slow);
        assert!(is_increasing(&numbers) && missed > 0, "{backend}: {numbers:?}");
        assert_eq!(numbers.last(), Some(&(count() - 1)), "{backend}");
        assert_eq!(numbers.len() + missed, count(), "{backend}");
    }
}

#[test]
fn it_misses_the_newest_lines() {
    for backend in backends() {
        let (_server, mut slow, has_left) = talk(backend, "refuse");
        assert!(!has_left, "{backend}");
        slow.say("/who");
        let heard = iter::from_fn(|| Some(slow.hear()).filter(|line| !line.starts_with("* in lobby: ")));
        let numbers: Vec<usize> =
            heard.filter_map(|line| line.strip_prefix("ann: ").and_then(|text| text.parse().ok())).collect();
        assert!(is_increasing(&numbers) && numbers.first() == Some(&0), "{backend}: {numbers:?}");
        assert!(numbers.len() < count(), "{backend}: {numbers:?}");
    }
}

fn is_increasing(numbers: &[usize]) -> bool {
    numbers.is_sorted_by(|one, next| one < next)
}
