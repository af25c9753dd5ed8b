//! Protocols that are not codecs.

use std::thread;
use std::time::Instant;

use common::CloseReason;

use crate::cases::deadlines::retry_with_longer_deadlines;
use crate::handlers::limited;
use crate::protocols::Bytes;
use crate::server::Server;
use crate::subject::Subject;

pub(crate) fn message_without_a_reply_stops_its_deadline(subject: &Subject) {
    retry_with_longer_deadlines(|short| {
        let service = limited(Bytes::default().service(), |limits| limits.message_timeout = short);
        let server = subject.serve(service);
        let mut client = server.connect_greeted();
        let start = Instant::now();
        client.send("(");
        client.wait_until_read();
        let in_time = client.try_send(")").is_ok();
        client.wait_until_read();
        if !in_time || start.elapsed() >= short {
            return false;
        }
        thread::sleep(2 * short);
        client.expect_no_data();
        client.send("a");
        client.expect_reply("answer");
        client.end_input();
        client.expect_end();
        true
    });
}

pub(crate) fn output_without_a_message(subject: &Subject) {
    let server = subject.serve(Bytes::default().service());
    let mut client = server.connect_greeted();
    for _ in 0..2 {
        client.send("!");
        client.expect_reply("notice");
        client.send("a");
        client.expect_reply("answer");
    }
    client.end_input();
    client.expect_end();
    let report = server.stop();
    assert_eq!((report.messages, report.reason(CloseReason::EndOfInput)), (2, 1));
}

pub(crate) fn finish_is_called_only_within_a_message(subject: &Subject) {
    let server = subject.serve(Bytes::default().service());
    let ends = |server: &Server, sent: &str| {
        let mut client = server.connect_greeted();
        for byte in sent.split_inclusive(|_| true) {
            client.send(byte);
            client.wait_until_read();
        }
        client.end_input();
        client.read_to_end()
    };
    assert_eq!(ends(&server, "("), b"unfinished\n");
    assert_eq!(ends(&server, "()"), b"");
    assert_eq!(ends(&server, "()("), b"unfinished\n");
}
