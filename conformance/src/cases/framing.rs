//! The ends of messages are determined by the bytes, and not by how they arrive.

use std::sync::Arc;

use common::{
    Application, Blocking, Client, ErrorReply, Flow, Framing, Limits, Outbox, Progress, Protocol, Service,
};

use crate::framing::encode;
use crate::handlers::{IntoService, Scripted};
use crate::oracle::expected_output;
use crate::subject::Subject;

/// The framings that don't depend on reads.
const FRAMINGS: [Framing; 2] = [Framing::Line, Framing::Length];

pub(crate) fn split_at_every_byte(subject: &Subject) {
    for framing in FRAMINGS {
        let server = subject.serve(Scripted::new().service_in(framing));
        let mut client = server.connect_in(framing);
        client.expect_reply("hello");
        let (first, second) = (encode(framing, b"whole"), encode(framing, b"parted"));
        for split in 1..second.len() {
            let (beginning, rest) = second.split_at(split);
            client.send([&first, beginning].concat());
            // This reply shows that the server has read the beginning of the next message without its rest.
            client.expect_reply(format!("{}:whole", 2 * split - 1));
            client.send(rest);
            client.expect_reply(format!("{}:parted", 2 * split));
        }
    }
}

pub(crate) fn one_byte_at_a_time(subject: &Subject) {
    for framing in FRAMINGS {
        let messages = ["one", "", "triple", "two words", "no-reply", "big 300", "last 200"];
        let input: Vec<u8> = messages.iter().flat_map(|text| encode(framing, text.as_bytes())).collect();
        let (said, _) = expected_output(Scripted::new().service_in(framing), &input);
        let server = subject.serve(Scripted::new().service_in(framing));
        let mut client = server.connect_in(framing);
        let (greeting, replies) = said.split_at(encode(framing, b"hello").len());
        client.expect_bytes(greeting);
        for (index, byte) in input.iter().enumerate() {
            client.send([*byte]);
            // Only some bytes are sent separately for certain, since this takes long.
            if index < 4 {
                client.wait_until_read();
            }
        }
        assert_eq!(client.read_to_end(), replies);
    }
}

pub(crate) fn coalesced_messages(subject: &Subject) {
    for framing in FRAMINGS {
        let server = subject.serve(Scripted::new().service_in(framing));
        let mut client = server.connect_in(framing);
        client.expect_reply("hello");
        let whole = encode(framing, b"whole").repeat(10);
        let last = encode(framing, b"parted");
        let (beginning, rest) = last.split_at(5);
        client.send([&whole, beginning].concat());
        (1..=10).for_each(|number| client.expect_reply(format!("{number}:whole")));
        client.send(rest);
        client.expect_reply("11:parted");
    }
}

pub(crate) fn a_long_message_costs_linear_work(subject: &Subject) {
    const LENGTH: usize = 4 * 1024;
    let server = subject.serve(Service::new(Arc::new(Measured)));
    let mut client = server.connect();
    for _ in 0..LENGTH {
        client.send("x");
        client.expect_bytes(".");
    }
    client.send("\n");
    let work = String::from_utf8(client.receive()).expect("two numbers");
    let (copied, calls) = work.split_once(' ').expect("two numbers");
    let (copied, calls): (usize, usize) =
        (copied.parse().expect("a number"), calls.parse().expect("a number"));
    assert!(copied <= 8 * LENGTH, "{copied} bytes were copied for a message of {LENGTH}");
    assert!(calls <= 2 * LENGTH, "{calls} calls were made for a message of {LENGTH} bytes");
}

/// Answers a line with its cost: the number of copied bytes, and the number of calls. Before the end of the line it
/// answers each call with a dot, so that the client sends each byte after the last one was processed.
struct Measured;

#[derive(Default)]
struct Measurement {
    /// The address of the bytes in the last call.
    address: usize,
    copied: usize,
    calls: usize,
}

impl Application for Measured {
    fn open(&self, _client: Client, _limits: &Limits, _out: &mut Outbox) -> Box<dyn Protocol> {
        Box::new(Measurement::default())
    }

    fn refuse(&self, error: &ErrorReply, _limits: &Limits, out: &mut Outbox) {
        out.push(format!("{error}\n").as_bytes());
    }

    fn blocking(&self) -> Blocking {
        Blocking::Never
    }
}

impl Protocol for Measurement {
    fn receive(&mut self, input: &mut [u8], out: &mut Outbox) -> Progress {
        self.calls += 1;
        // Bytes that are passed again at another address were copied.
        let address = input.as_ptr().addr();
        if address != self.address {
            self.address = address;
            self.copied += input.len();
        }
        if input.last() != Some(&b'\n') {
            out.push(if input.is_empty() { b"" } else { b"." });
            return Progress::More { used: 0, begun: !input.is_empty() };
        }
        out.push(format!("{} {}\n", self.copied, self.calls).as_bytes());
        Progress::Message { used: input.len(), flow: Flow::Close }
    }

    fn error(&mut self, error: &ErrorReply, out: &mut Outbox) {
        out.push(format!("{error}\n").as_bytes());
    }
}

pub(crate) fn line_endings(subject: &Subject) {
    let server = subject.serve(Scripted::new().service());
    let mut client = server.connect_greeted();
    let lines = [
        ("a\n", "a"),
        ("a\r\n", "a"),
        ("a\r\r\n", "a\r"),
        ("\n", ""),
        ("\r\n", ""),
        ("\ra\n", "\ra"),
        ("\0\u{1}\u{7f}é條\n", "\0\u{1}\u{7f}é條"),
    ];
    client.send(lines.map(|(line, _)| line).concat());
    for (number, (_, message)) in (1..).zip(lines) {
        client.expect_reply(format!("{number}:{message}"));
    }
}

pub(crate) fn length_prefixes(subject: &Subject) {
    let server = subject.serve(Scripted::new().service_in(Framing::Length));
    let mut client = server.connect_in(Framing::Length);
    client.expect_reply("hello");
    let messages = ["", "a\nb", "\r\n", "\0\0\0\u{1}", "條", &"long ".repeat(100), ""];
    for (number, message) in (1..).zip(messages) {
        client.send_message(message);
        client.expect_reply(format!("{number}:{message}"));
    }
}
