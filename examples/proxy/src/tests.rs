use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};

use anyloop::testing::TestClient;
use anyloop::{Address, Framing, Limits, Service};

use super::*;
use crate::connection::{Connection, Failure};

const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(20);

/// A connection, and its other end.
fn connect(timeout: Duration) -> (Connection, BufReader<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let connection = Connection::open(&listener.local_addr().unwrap().to_string(), timeout).unwrap();
    (connection, BufReader::new(listener.accept().unwrap().0))
}

fn hear(upstream: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    upstream.read_line(&mut line).unwrap();
    line
}

#[test]
fn a_reply_is_a_line_without_its_end() {
    let (mut connection, mut upstream) = connect(LONG);
    for (sent, expected) in [("two\n", "two"), ("two\r\n", "two"), ("\n", ""), ("ERR no\n", "ERR no")] {
        upstream.get_mut().write_all(sent.as_bytes()).unwrap();
        assert_eq!(connection.ask(b"one").unwrap(), expected.as_bytes());
        assert_eq!(hear(&mut upstream), "one\n");
        assert!(connection.is_idle());
    }
}

#[test]
fn a_connection_that_has_ended_or_sent_something_unasked_is_not_used_again() {
    let (connection, upstream) = connect(LONG);
    drop(upstream);
    while connection.is_idle() {}

    let (connection, mut upstream) = connect(LONG);
    upstream.get_mut().write_all(b"hello\n").unwrap();
    while connection.is_idle() {}

    let (mut connection, mut upstream) = connect(LONG);
    upstream.get_mut().write_all(b"two\nthree\n").unwrap();
    assert_eq!(connection.ask(b"one").unwrap(), b"two");
    assert!(!connection.is_idle());
}

#[test]
fn a_reply_has_a_maximum_length() {
    for (length, fits) in [(MAX_REPLY, true), (MAX_REPLY + 1, false), (2 * MAX_REPLY, false)] {
        let (mut connection, mut upstream) = connect(LONG);
        let sender = std::thread::spawn(move || {
            let _ = upstream.get_mut().write_all(&[&vec![b'x'; length][..], b"\r\n"].concat());
            upstream
        });
        match connection.ask(b"one") {
            Ok(reply) => assert!(fits && reply.len() == length, "{length}: {}", reply.len()),
            Err(failure) => assert!(!fits && matches!(failure, Failure::ReplyTooLong), "{length}: {failure}"),
        }
        drop(connection);
        sender.join().unwrap();
    }
}

#[test]
fn an_upstream_server_that_fails_is_reported() {
    let (mut connection, upstream) = connect(LONG);
    drop(upstream);
    let lost = connection.ask(b"one").unwrap_err();
    assert!(matches!(lost, Failure::Lost(_)), "{lost}");

    let (mut connection, mut upstream) = connect(SHORT);
    upstream.get_mut().write_all(b"no line end").unwrap();
    let late = connection.ask(b"one").unwrap_err().to_string();
    assert_eq!(late, "timeout: no reply within 20ms; the message may have been received");

    let (mut connection, _never_reads) = connect(SHORT);
    let stuck = connection.ask(&vec![b'x'; 64 << 20]).unwrap_err();
    assert!(matches!(stuck, Failure::Timeout(_)), "{stuck}");

    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let down = Connection::open(&free, LONG).unwrap_err().to_string();
    assert!(down.starts_with(&format!("down: {free} can't be connected to: Connection refused")), "{down}");
    let invalid = Connection::open("no-port", LONG).unwrap_err().to_string();
    assert_eq!(invalid, "down: no-port can't be connected to: invalid socket address");
}

/// A proxy with one connection for which one message may wait, and its upstream server.
fn service(framing: Framing) -> (Arc<Service>, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let upstream = Upstream {
        connections: NonZeroUsize::MIN,
        waiting: NonZeroUsize::MIN,
        timeout: LONG,
        ..Upstream::new(listener.local_addr().unwrap().to_string())
    };
    let proxy = Arc::new(Proxy::start(upstream).unwrap());
    (Arc::new(Service::framed(proxy, framing)), listener)
}

fn client(service: &Arc<Service>) -> TestClient {
    TestClient::connect_as(Client::new(Address::Unknown), Arc::clone(service))
}

#[test]
fn too_many_messages_are_refused_and_those_of_who_has_left_are_not_sent() {
    let (service, listener) = service(Framing::Line);
    let [mut one, mut left, mut refused] = std::array::from_fn(|_| client(&service));
    one.say("one\n");
    let mut upstream = BufReader::new(listener.accept().unwrap().0);
    assert_eq!(hear(&mut upstream), "one\n");
    left.say("two\n");
    refused.say("three\n");
    assert_eq!(refused.heard(), "ERR upstream busy: max=1; send the message again later\n");
    assert_eq!((refused.over(), left.heard().as_str()), (None, ""));
    left.advance(Limits::default().answer_timeout);
    assert_eq!(left.heard(), "ERR timeout answer\n");

    upstream.get_mut().write_all(b"ONE\n").unwrap();
    let ask_until_accepted = |client: &mut TestClient| {
        // The message of who has left is taken from the queue, and dropped.
        loop {
            client.say("four\n");
            if !client.heard().starts_with("ERR upstream busy") {
                return;
            }
        }
    };
    ask_until_accepted(&mut refused);
    assert_eq!(hear(&mut upstream), "four\n");
    assert_eq!(one.heard(), "ONE\n", "it was answered before the next message was sent");
}

#[test]
fn a_message_of_several_lines_is_refused() {
    let (service, listener) = service(Framing::Raw);
    let mut client = client(&service);
    client.say("one\ntwo\n");
    assert_eq!(client.heard(), "ERR line-end: a message is one line, without a line feed in it");
    client.say("one\r\n");
    let mut upstream = BufReader::new(listener.accept().unwrap().0);
    assert_eq!(hear(&mut upstream), "one\n");
}

#[test]
fn the_threads_end_with_the_proxy() {
    let (service, listener) = service(Framing::Line);
    let mut client = client(&service);
    client.say("one\n");
    let mut upstream = BufReader::new(listener.accept().unwrap().0);
    assert_eq!(hear(&mut upstream), "one\n");
    drop((service, client));
    upstream.get_mut().write_all(b"ONE\n").unwrap();
    assert_eq!(hear(&mut upstream), "", "the connection has ended");
}
