//! Conversations of the pure core through both transforms.

use std::sync::Arc;

use anyloop_tls::Acceptor;
use common::testing::TestClient;
use common::{CloseReason, Flow, Framing, Handler, Limits, MAX_READ, Opened, Replies, Service, Session};

use crate::certificates::Authority;
use crate::pair::{Pair, acceptor, connector, served, trusting};

/// Greets a client with what is known of it by TLS, and echoes. `bye` ends the conversation, and `fail` fails it.
pub(crate) struct Greeter;

impl Handler for Greeter {
    fn open(&self, client: &common::Client, out: &mut Replies<'_>) -> Box<dyn Session> {
        let tls = client.tls.as_ref().expect("TLS");
        out.write(format_args!("hello {}", tls.server_name.as_deref().unwrap_or("nobody")));
        Box::new(Self)
    }
}

impl Session for Greeter {
    fn message(&mut self, message: &[u8], out: &mut Replies<'_>) -> Flow {
        match message {
            b"bye" => return Flow::Close,
            b"fail" => return Flow::Fail,
            message => out.send(message),
        }
        Flow::Continue
    }
}

/// Serves the greeter with TLS.
pub(crate) fn service(acceptor: Acceptor) -> Service {
    Service::framed(Arc::new(Greeter), Framing::Line).with_transform(move |client| acceptor.transform(client))
}

#[test]
fn a_conversation_is_the_same_as_without_tls() {
    let authority = Authority::new("ours");
    let files = authority.issue("server", &["example.org"]);
    for settings in [trusting(&authority), trusting(&authority).with_only_tls12()] {
        let connector = connector(&settings);
        let connect = || {
            let client = TestClient::connect(service(acceptor(served(&files))));
            let mut client = client.through(connector.transform("example.org").expect("a name"));
            assert_eq!(client.heard(), "hello example.org\n");
            client
        };
        let mut client = connect();
        let long = "x".repeat(60_000);
        client.say(format!("one\n{long}\ntwo\nth"));
        assert_eq!(client.heard(), format!("one\n{long}\ntwo\n"));
        client.say("ree\nbye\nfour\n");
        assert_eq!((client.heard().as_str(), client.over()), ("three\n", Some(CloseReason::Exit)));

        let mut client = connect();
        client.say("fail\n");
        assert_eq!(client.over(), Some(CloseReason::Rejected));
        let mut client = connect();
        client.say("x".repeat(65_537));
        assert_eq!(client.heard(), "ERR too-long max=65536\n");
        assert_eq!(client.over(), Some(CloseReason::TooLong));
        let mut client = connect();
        client.advance(Limits::default().idle_timeout.expect("a timeout"));
        assert_eq!(client.heard(), "ERR timeout idle\n");
        let mut client = connect();
        client.stop();
        assert_eq!(client.over(), Some(CloseReason::Stopping));
        let mut client = connect();
        client.say("one\n");
        client.end();
        assert_eq!((client.heard().as_str(), client.over()), ("one\n", Some(CloseReason::Truncated)));
        let mut client = connect();
        assert_eq!(client.pushed("news"), Ok(()));
        client.handle().close();
        assert_eq!((client.heard().as_str(), client.over()), ("news\n", Some(CloseReason::Closed)));
    }
}

#[test]
fn handshakes_that_fail_have_a_reason_of_their_own() {
    let authority = Authority::new("ours");
    let files = authority.issue("server", &["example.org"]);
    let service = service(acceptor(served(&files)));
    // No TLS.
    let mut client = TestClient::connect(service.clone());
    client.say("GET / HTTP/1.1\r\n\r\n");
    assert_eq!(client.over(), Some(CloseReason::HandshakeFailed));
    let alert = client.heard_bytes();
    assert_eq!((alert[0], alert.len()), (21, 7), "an alert: {alert:?}");
    // Nothing, and a part of a handshake.
    for input in [&[][..], &[22, 3, 1]] {
        let mut client = TestClient::connect(service.clone());
        client.say(input);
        client.advance(Limits::default().message_timeout);
        assert_eq!(client.over(), Some(CloseReason::HandshakeTimeout));
        assert_eq!(client.heard_bytes()[..], [21, 3, 3, 0, 2, 1, 0], "close_notify");
    }
    let mut client = TestClient::connect(service.clone());
    client.say([22, 3, 1]);
    client.end();
    assert_eq!(client.over(), Some(CloseReason::HandshakeFailed));
    let mut client = TestClient::connect(service);
    client.end();
    assert_eq!(client.over(), Some(CloseReason::EndOfInput), "it has only looked whether somebody listens");
}

#[test]
fn both_ends_announce_their_end() {
    let authority = Authority::new("ours");
    let files = authority.issue("server", &["example.org"]);
    for settings in [trusting(&authority), trusting(&authority).with_only_tls12()] {
        let mut pair = Pair::new(&acceptor(served(&files)), &connector(&settings), "example.org");
        pair.shake().expect("a handshake");
        pair.client.say("last words");
        pair.client.transform.close(&mut pair.client.sent);
        pair.exchange();
        assert_eq!((pair.server.heard().as_str(), &pair.server.last), ("last words", &Opened::End));
        // The server may still answer.
        pair.server.say("an answer");
        pair.server.transform.close(&mut pair.server.sent);
        pair.exchange();
        assert_eq!((pair.client.heard().as_str(), &pair.client.last), ("an answer", &Opened::End));
        assert!(pair.server.transform.announces_end() && pair.client.transform.announces_end());
    }
}

#[test]
fn records_may_be_split_anywhere() {
    let authority = Authority::new("ours");
    let files = authority.issue("server", &["example.org"]);
    let (acceptor, connector) =
        (acceptor(served(&files)), connector(&trusting(&authority).with_full_handshakes()));
    // All bytes one by one, in both directions.
    let mut pair = Pair::new(&acceptor, &connector, "example.org");
    pair.client.say(""); // nothing
    while !pair.client.sent.is_empty() || !pair.server.sent.is_empty() {
        std::mem::take(&mut pair.client.sent).chunks(1).for_each(|byte| pair.server.receive(byte));
        std::mem::take(&mut pair.server.sent).chunks(1).for_each(|byte| pair.client.receive(byte));
    }
    pair.shake().expect("a handshake");
    let text = "0123456789".repeat(10);
    pair.client.say(&text);
    let length = pair.client.sent.len();
    pair.exchange();
    assert_eq!(pair.server.heard(), text);
    // Three records, split at every byte.
    for split in 0..=3 * length {
        (0..3).for_each(|_| pair.client.say(&text));
        let sent = std::mem::take(&mut pair.client.sent);
        assert_eq!(sent.len(), 3 * length);
        pair.server.receive(&sent[..split]);
        pair.server.receive(&sent[split..]);
        assert_eq!(pair.server.heard(), text.repeat(3), "split at {split}");
    }
    // The messages of a handshake, split at every tenth byte.
    let first = Pair::new(&acceptor, &connector, "example.org").client.sent.len();
    for split in (0..first).step_by(10) {
        let mut pair = Pair::new(&acceptor, &connector, "example.org");
        let sent = std::mem::take(&mut pair.client.sent);
        pair.server.receive(&sent[..split.min(sent.len())]);
        pair.server.receive(&sent[split.min(sent.len())..]);
        pair.shake().expect("a handshake");
    }
}

#[test]
fn much_plaintext_is_given_in_pieces() {
    let authority = Authority::new("ours");
    let files = authority.issue("server", &["example.org"]);
    let mut pair = Pair::new(&acceptor(served(&files)), &connector(&trusting(&authority)), "example.org");
    pair.shake().expect("a handshake");
    let text: String = (0..40_000).map(|number| format!("{number} ")).collect();
    pair.client.say(&text);
    pair.server.say(&text);
    assert!(text.len() > 10 * MAX_READ);
    pair.exchange();
    assert!(pair.server.heard() == text && pair.client.heard() == text);
}

#[test]
fn tampered_records_end_the_conversation() {
    let authority = Authority::new("ours");
    let files = authority.issue("server", &["example.org"]);
    let (acceptor, connector) = (acceptor(served(&files)), connector(&trusting(&authority)));
    let mut pair = Pair::new(&acceptor, &connector, "example.org");
    pair.shake().expect("a handshake");
    pair.client.say("text");
    let last = pair.client.sent.len() - 1;
    pair.client.sent[last] ^= 1;
    pair.exchange();
    assert_eq!(pair.server.last, Opened::Broken);
    assert_eq!(pair.server.transform.failure().as_deref(), Some("cannot decrypt peer's message"));
    assert_eq!(pair.client.transform.failure().as_deref(), Some("received fatal alert: BadRecordMac"));
}
