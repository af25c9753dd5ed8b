//! `raw`, where the bytes of a read are a message.

use common::Framing;

use crate::handlers::{IntoService, Scripted};
use crate::subject::Subject;

pub(crate) fn raw_treats_each_read_as_a_message(subject: &Subject) {
    let server = subject.serve(Scripted::new().service_in(Framing::Raw));
    let mut client = server.connect_in(Framing::Raw);
    client.expect_bytes("hello");
    for number in 1..=20 {
        // A line feed that a user typed is a part of the message.
        let message = if number % 2 == 0 { format!("typed {number}\n") } else { format!("sent {number}") };
        client.send_message(&message);
        client.expect_bytes(format!("{number}:{message}"));
    }
    client.send_message("exit");
    client.expect_end();
}

pub(crate) fn raw_splits_reads_at_1024_bytes(subject: &Subject) {
    let server = subject.serve(Scripted::new().service_in(Framing::Raw));
    let mut client = server.connect_in(Framing::Raw);
    client.expect_bytes("hello");
    let letters = "a".repeat(1023);
    client.send_message(format!("{letters}條"));
    client.expect_bytes(format!("1:{letters}2:條"));
    client.send_message("b".repeat(1024));
    client.expect_bytes(format!("3:{}", "b".repeat(1024)));
    client.send_message("c".repeat(1025));
    client.expect_bytes(format!("4:{}5:c", "c".repeat(1024)));
}
