//! Transforms below the protocol, and preambles before it.

use std::thread;
use std::time::Instant;

use common::{CloseReason, Framing, Outcome, Service};

use crate::cases::blocking::{WORKERS, blocked, is_answered};
use crate::cases::deadlines::{SHORT, not_early};
use crate::cases::fairness::on_workers;
use crate::client::Client;
use crate::gate::Gate;
use crate::handlers::{Scripted, limited};
use crate::server::Server;
use crate::subject::Subject;
use crate::transforms::{Announced, Asking, FINAL_OUTPUT, turned, turned_at};

/// A client whose handshake is done, and that was greeted.
fn connect_turned(server: &Server) -> Client {
    let mut client = server.connect().turns("TURN?");
    client.hears("hello");
    client
}

pub(crate) fn a_transform_of_all_bytes(subject: &Subject) {
    for script in [Scripted::new(), Scripted::new().may_block()] {
        let service = limited(script.service(), |limits| limits.max_message = 100);
        let server = subject.serve(turned(service));
        let mut client = connect_turned(&server);
        let mut sent = Vec::new();
        for number in 1..=300 {
            sent.extend(format!("message {number}\n").into_bytes());
        }
        for piece in sent.chunks(333) {
            client.send(piece);
        }
        for number in 1..=300 {
            client.hears(format!("{number}:message {number}"));
        }
        client.say([0xFF, 0, 0xFF]);
        client.hears("ERR not-utf8");
        client.send([b'x'; 101]);
        client.hears_last("ERR too-long max=100");
        assert!(client.has_heard_the_last_word());
        let mut client = connect_turned(&server);
        client.say("panic");
        client.hears_last("ERR internal");
        assert!(client.has_heard_the_last_word());
    }
}

pub(crate) fn a_handshake_goes_before_the_greeting(subject: &Subject) {
    let server = subject.serve(turned(Scripted::new().service()));
    let begins = b"TURN?\n\x97"; // the last byte is a turned `h`
    for split in 1..begins.len() {
        let mut client = server.connect();
        if split == 3 {
            client.hears_nothing();
        }
        client.send(&begins[..split]);
        client.waits_for_reading();
        client.send(&begins[split..]);
        let mut told = b"TURNED\n".to_vec();
        told.extend(b"hello\n".map(|byte| !byte));
        client.hears_bytes(&told);
        client.send(b"i\n".map(|byte| !byte));
        client.hears_bytes(b"1:hi\n".map(|byte| !byte));
    }
}

pub(crate) fn a_handshake_may_fail(subject: &Subject) {
    let server = subject.serve(turned(Scripted::new().service()));
    let mut client = server.connect();
    client.say("hello?");
    client.hears_last("NO");
    let mut client = server.connect();
    client.send("TUR");
    client.ends_input();
    assert_eq!(client.hear_all(), FINAL_OUTPUT);
    let client = server.connect();
    client.ends_input();
    drop(client);
    server.has_counted("all have ended", |counted| counted.ended() == 3);
    let report = server.stop();
    assert_eq!(report.reason(CloseReason::HandshakeFailed), 2);
    assert_eq!(report.reason(CloseReason::EndOfInput), 1, "who says nothing has not failed");
}

pub(crate) fn a_handshake_has_a_deadline(subject: &Subject) {
    let server = subject.serve(short(turned(Scripted::new().service())));
    assert_eq!(trickles(&server, "TURN?"), FINAL_OUTPUT);
    assert_eq!(server.stop().reason(CloseReason::HandshakeTimeout), 1);
}

/// The service with a short deadline for messages, and so for what goes before them.
fn short(service: Service) -> Service {
    limited(service, |limits| limits.message_timeout = SHORT)
}

/// A client that begins slowly, and does not end: what it hears.
fn trickles(server: &Server, beginning: &str) -> Vec<u8> {
    let start = Instant::now();
    let mut client = server.connect();
    for byte in beginning.split_inclusive(|_| true) {
        // It may be too late for some of them already.
        let _ = client.try_send(byte);
        thread::sleep(SHORT / 8);
    }
    let told = client.hear_all();
    not_early(start, SHORT);
    told
}

pub(crate) fn a_handshake_may_block(subject: &Subject) {
    let gate = Gate::default();
    let service = turned_at(Scripted::new().service(), &gate);
    let server = subject.serve(on_workers(WORKERS, service, subject));
    let mut other = connect_turned(&server);
    let mut clients: Vec<_> = (0..blocked(subject)).map(|_| server.connect().turns("WAIT")).collect();
    gate.waits_for(clients.len(), subject.patience());
    is_answered(&mut other);
    is_answered(&mut connect_turned(&server));
    gate.open();
    for client in &mut clients {
        client.hears("hello");
        client.say("afterwards");
        client.hears("1:afterwards");
    }
}

pub(crate) fn the_last_word_of_a_transform(subject: &Subject) {
    let ends: [fn(&mut Client, &Server); 4] = [
        |client, _| client.say("exit"),
        |client, _| client.ends_input(),
        |client, _| client.send_raw(FINAL_OUTPUT),
        |_, server| server.drain(),
    ];
    for end in ends {
        for script in [Scripted::new(), Scripted::new().may_block()] {
            let server = subject.serve(turned(script.service()));
            let mut client = connect_turned(&server);
            end(&mut client, &server);
            client.hears_end();
            assert!(client.has_heard_the_last_word());
            server.drain();
            let report = server.report();
            assert_eq!((report.accepted, report.outcome(Outcome::Failed)), (1, 0));
        }
    }
    let server =
        subject.serve(limited(turned(Scripted::new().service()), |limits| limits.idle_timeout = Some(SHORT)));
    let mut client = connect_turned(&server);
    client.hears_last("ERR timeout idle");
    assert!(client.has_heard_the_last_word());
}

pub(crate) fn a_preamble_goes_before_all(subject: &Subject) {
    for may_block in [false, true] {
        let service = || Announced::before(Service::framed(Asking::handler(may_block), Framing::Line));
        let server = subject.serve(service());
        let sent = "FROM 192.0.2.1:4711\nwho\n";
        for split in 1..sent.len() {
            let mut client = server.connect();
            client.send(&sent[..split]);
            client.waits_for_reading();
            client.send(&sent[split..]);
            client.hears("hello 192.0.2.1:4711");
            client.hears("192.0.2.1:4711 who");
        }
        let server = subject.serve(turned(service()));
        let mut client = server.connect();
        client.send("FROM [2001:db8::1]:80\n");
        let mut client = client.turns("TURN?");
        client.hears("hello [2001:db8::1]:80");
    }
}

pub(crate) fn a_broken_preamble_is_told(subject: &Subject) {
    let server = subject.serve(Announced::before(Scripted::new().service()));
    for (sent, told) in [("GET /\n", "ERR malformed preamble"), ("FROM ", "ERR incomplete")] {
        let mut client = server.connect();
        client.send(sent);
        client.ends_input();
        client.hears_last(told);
    }
    assert_eq!(server.stop().reason(CloseReason::HandshakeFailed), 2);
}

pub(crate) fn a_preamble_has_a_deadline(subject: &Subject) {
    let server = subject.serve(short(Announced::before(Scripted::new().service())));
    assert_eq!(trickles(&server, "FROM 192.0"), b"ERR timeout message: no line end\n");
    let mut client = server.connect();
    client.send("FROM 192.0.2.1:4711\n");
    client.hears("hello");
    thread::sleep(2 * SHORT);
    client.hears_nothing();
    assert_eq!(server.stop().reason(CloseReason::HandshakeTimeout), 1);
}
