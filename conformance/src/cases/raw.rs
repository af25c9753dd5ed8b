//! `raw`, where a read is a message: what holds of it although it is no framing.

use common::Framing;

use crate::handlers::Scripted;
use crate::subject::Subject;

pub(crate) fn raw_takes_turns(subject: &Subject) {
    let server = subject.serve(Scripted::new().service_in(Framing::Raw));
    let mut client = server.connect_in(Framing::Raw);
    client.hears_bytes("hello");
    for number in 1..=20 {
        // A line end that somebody typed is a part of the message.
        let message = if number % 2 == 0 { format!("typed {number}\n") } else { format!("sent {number}") };
        client.say(&message);
        client.hears_bytes(format!("{number}:{message}"));
    }
    client.say("exit");
    client.hears_end();
}

pub(crate) fn raw_cuts_at_1024(subject: &Subject) {
    let server = subject.serve(Scripted::new().service_in(Framing::Raw));
    let mut client = server.connect_in(Framing::Raw);
    client.hears_bytes("hello");
    let letters = "a".repeat(1023);
    client.say(format!("{letters}條"));
    client.hears_bytes(format!("1:{letters}2:條"));
    client.say("b".repeat(1024));
    client.hears_bytes(format!("3:{}", "b".repeat(1024)));
    client.say("c".repeat(1025));
    client.hears_bytes(format!("4:{}5:c", "c".repeat(1024)));
}
