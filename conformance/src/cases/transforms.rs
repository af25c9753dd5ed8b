//! Transforms and preambles.

use std::thread;
use std::time::Instant;

use common::{CloseReason, Framing, Outcome, Service, Transform};

use crate::cases::blocking::{WORKERS, assert_answered, blocked_count};
use crate::cases::deadlines::{SHORT, assert_not_early};
use crate::cases::fairness::on_workers;
use crate::client::Client;
use crate::gate::Gate;
use crate::handlers::{IntoService, Scripted, limited};
use crate::server::Server;
use crate::subject::Subject;
use crate::transforms::{FINAL_OUTPUT, Inverting, PeerEcho, ProxyHeader, transformed, transformed_at};

/// The transform of a client that sends this line first.
fn inverting(line: &'static str) -> Option<Box<dyn Transform>> {
    Some(Box::new(Inverting::of_client(line)))
}

/// A client that has completed its handshake and received the greeting.
fn connect_transformed(server: &Server) -> Client {
    let mut client = server.connect().transformed(inverting("INVERT?"));
    client.expect_reply("hello");
    client
}

pub(crate) fn transform_is_applied_to_all_bytes(subject: &Subject) {
    for script in [Scripted::new(), Scripted::new().may_block()] {
        let service = limited(script.service(), |limits| limits.max_message = 100);
        let server = subject.serve(transformed(service));
        let mut client = connect_transformed(&server);
        let mut sent = Vec::new();
        for number in 1..=300 {
            sent.extend(format!("message {number}\n").into_bytes());
        }
        for piece in sent.chunks(333) {
            client.send(piece);
        }
        for number in 1..=300 {
            client.expect_reply(format!("{number}:message {number}"));
        }
        client.send_message([0xFF, 0, 0xFF]);
        client.expect_reply("ERR not-utf8");
        client.send([b'x'; 101]);
        client.expect_last("ERR too-long max=100");
        assert!(client.has_received_final_output());
        let mut client = connect_transformed(&server);
        client.send_message("panic");
        client.expect_last("ERR internal");
        assert!(client.has_received_final_output());
    }
}

pub(crate) fn handshake_precedes_the_greeting(subject: &Subject) {
    let server = subject.serve(transformed(Scripted::new().service()));
    let begins = b"INVERT?\n\x97"; // the last byte is an inverted `h`
    for split in 1..begins.len() {
        let mut client = server.connect();
        if split == 3 {
            client.expect_no_data();
        }
        client.send(&begins[..split]);
        client.wait_until_read();
        client.send(&begins[split..]);
        let mut received = b"INVERTED\n".to_vec();
        received.extend(b"hello\n".map(|byte| !byte));
        client.expect_bytes(&received);
        client.send(b"i\n".map(|byte| !byte));
        client.expect_bytes(b"1:hi\n".map(|byte| !byte));
    }
}

pub(crate) fn failed_handshake_ends_the_connection(subject: &Subject) {
    let server = subject.serve(transformed(Scripted::new().service()));
    let mut client = server.connect();
    client.send_message("hello?");
    client.expect_last("NO");
    let mut client = server.connect();
    client.send("INVER");
    client.end_input();
    assert_eq!(client.read_to_end(), FINAL_OUTPUT);
    let mut client = server.connect();
    client.end_input();
    drop(client);
    server.wait_for_statistics("all have ended", |counted| counted.ended() == 3);
    let report = server.stop();
    assert_eq!(report.reason(CloseReason::HandshakeFailed), 2);
    assert_eq!(report.reason(CloseReason::EndOfInput), 1, "a client that sends nothing has not failed");
}

pub(crate) fn handshake_deadline(subject: &Subject) {
    let server = subject.serve(with_short_timeout(transformed(Scripted::new().service())));
    assert_eq!(trickle(&server, "INVER"), FINAL_OUTPUT);
    assert_eq!(server.stop().reason(CloseReason::HandshakeTimeout), 1);
}

/// Sets a short message timeout, which also limits preambles and handshakes.
fn with_short_timeout(service: Service) -> Service {
    limited(service, |limits| limits.message_timeout = SHORT)
}

/// Sends `beginning` slowly, and never the rest. Returns what the server sends.
fn trickle(server: &Server, beginning: &str) -> Vec<u8> {
    let start = Instant::now();
    let mut client = server.connect();
    for byte in beginning.split_inclusive(|_| true) {
        // The deadline may have passed before all bytes are sent.
        let _ = client.try_send(byte);
        thread::sleep(SHORT / 8);
    }
    let received = client.read_to_end();
    assert_not_early(start, SHORT);
    received
}

pub(crate) fn blocked_handshakes_delay_no_other_client(subject: &Subject) {
    let gate = Gate::default();
    let service = transformed_at(Scripted::new().service(), &gate);
    let server = subject.serve(on_workers(WORKERS, service, subject));
    let mut other = connect_transformed(&server);
    let mut clients: Vec<_> =
        (0..blocked_count(subject)).map(|_| server.connect().transformed(inverting("WAIT"))).collect();
    gate.wait_for(clients.len(), subject.timeout());
    assert_answered(&mut other);
    assert_answered(&mut connect_transformed(&server));
    gate.open();
    for client in &mut clients {
        client.expect_reply("hello");
        client.send_message("afterwards");
        client.expect_reply("1:afterwards");
    }
}

pub(crate) fn final_output_of_a_transform_is_sent(subject: &Subject) {
    let ends: [fn(&mut Client, &Server); 4] = [
        |client, _| client.send_message("exit"),
        |client, _| client.end_input(),
        |client, _| client.send_raw(FINAL_OUTPUT),
        |_, server| server.drain(),
    ];
    for end in ends {
        for script in [Scripted::new(), Scripted::new().may_block()] {
            let server = subject.serve(transformed(script.service()));
            let mut client = connect_transformed(&server);
            end(&mut client, &server);
            client.expect_end();
            assert!(client.has_received_final_output());
            server.drain();
            let report = server.report();
            assert_eq!((report.accepted, report.outcome(Outcome::Failed)), (1, 0));
        }
    }
    let server = subject
        .serve(limited(transformed(Scripted::new().service()), |limits| limits.idle_timeout = Some(SHORT)));
    let mut client = connect_transformed(&server);
    client.expect_last("ERR timeout idle");
    assert!(client.has_received_final_output());
}

pub(crate) fn preamble_precedes_open(subject: &Subject) {
    for may_block in [false, true] {
        let service = || ProxyHeader::before(Service::framed(PeerEcho::handler(may_block), Framing::Line));
        let server = subject.serve(service());
        let sent = "FROM 192.0.2.1:4711\nmessage\n";
        for split in 1..sent.len() {
            let mut client = server.connect();
            client.send(&sent[..split]);
            client.wait_until_read();
            client.send(&sent[split..]);
            client.expect_reply("hello 192.0.2.1:4711");
            client.expect_reply("192.0.2.1:4711 message");
        }
        let server = subject.serve(transformed(service()));
        let mut client = server.connect();
        client.send("FROM [2001:db8::1]:80\n");
        let mut client = client.transformed(inverting("INVERT?"));
        client.expect_reply("hello [2001:db8::1]:80");
    }
}

pub(crate) fn invalid_preamble_gets_an_error_reply(subject: &Subject) {
    let server = subject.serve(ProxyHeader::before(Scripted::new().service()));
    for (sent, received) in [("GET /\n", "ERR malformed preamble"), ("FROM ", "ERR incomplete")] {
        let mut client = server.connect();
        client.send(sent);
        client.end_input();
        client.expect_last(received);
    }
    assert_eq!(server.stop().reason(CloseReason::HandshakeFailed), 2);
}

pub(crate) fn preamble_deadline(subject: &Subject) {
    let server = subject.serve(with_short_timeout(ProxyHeader::before(Scripted::new().service())));
    assert_eq!(trickle(&server, "FROM 192.0"), b"ERR timeout message: no line end\n");
    let mut client = server.connect();
    client.send("FROM 192.0.2.1:4711\n");
    client.expect_reply("hello");
    thread::sleep(2 * SHORT);
    client.expect_no_data();
    assert_eq!(server.stop().reason(CloseReason::HandshakeTimeout), 1);
}
