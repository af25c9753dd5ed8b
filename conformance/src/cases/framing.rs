//! Where one message ends and the next begins is told by the bytes, never by how they arrived.

use std::sync::Arc;

use common::{
    Application, Blocking, Client, ErrorReply, Flow, Framing, Limits, Outbox, Progress, Protocol, Service,
};

use crate::client::encode;
use crate::handlers::Scripted;
use crate::oracle::expected_output;
use crate::subject::Subject;

/// The framings that are no matter of reads.
const FRAMINGS: [Framing; 2] = [Framing::Line, Framing::Length];

pub(crate) fn split_at_every_byte(subject: &Subject) {
    for framing in FRAMINGS {
        let server = subject.serve(Scripted::new().service_in(framing));
        let mut client = server.connect_in(framing);
        client.hears("hello");
        let (first, second) = (encode(framing, b"whole"), encode(framing, b"parted"));
        for split in 1..second.len() {
            let (beginning, rest) = second.split_at(split);
            client.send([&first, beginning].concat());
            // That this is answered shows that the beginning of the next was read without its rest.
            client.hears(format!("{}:whole", 2 * split - 1));
            client.send(rest);
            client.hears(format!("{}:parted", 2 * split));
        }
    }
}

pub(crate) fn one_byte_at_a_time(subject: &Subject) {
    for framing in FRAMINGS {
        let messages = ["one", "", "thrice", "two words", "quiet", "big 300", "last 200"];
        let input: Vec<u8> = messages.iter().flat_map(|text| encode(framing, text.as_bytes())).collect();
        let (said, _) = expected_output(Scripted::new().service_in(framing), &input);
        let server = subject.serve(Scripted::new().service_in(framing));
        let mut client = server.connect_in(framing);
        let (greeting, replies) = said.split_at(encode(framing, b"hello").len());
        client.hears_bytes(greeting);
        for (index, byte) in input.iter().enumerate() {
            client.send([*byte]);
            // For some it is made sure that they are read alone; more would take long.
            if index < 4 {
                client.waits_for_reading();
            }
        }
        assert_eq!(client.hear_all(), replies);
    }
}

pub(crate) fn coalesced(subject: &Subject) {
    for framing in FRAMINGS {
        let server = subject.serve(Scripted::new().service_in(framing));
        let mut client = server.connect_in(framing);
        client.hears("hello");
        let whole = encode(framing, b"whole").repeat(10);
        let last = encode(framing, b"parted");
        let (beginning, rest) = last.split_at(5);
        client.send([&whole, beginning].concat());
        (1..=10).for_each(|number| client.hears(format!("{number}:whole")));
        client.send(rest);
        client.hears("11:parted");
    }
}

pub(crate) fn a_long_message_costs_linear_work(subject: &Subject) {
    const LENGTH: usize = 4 * 1024;
    let server = subject.serve(Service::new(Arc::new(Weighing)));
    let mut client = server.connect();
    for _ in 0..LENGTH {
        client.send("x");
        client.hears_bytes(".");
    }
    client.send("\n");
    let work = String::from_utf8(client.hear()).expect("two numbers");
    let (copied, calls) = work.split_once(' ').expect("two numbers");
    let (copied, calls): (usize, usize) =
        (copied.parse().expect("a number"), calls.parse().expect("a number"));
    assert!(copied <= 8 * LENGTH, "{copied} bytes were copied for a message of {LENGTH}");
    assert!(calls <= 2 * LENGTH, "{calls} calls were made for a message of {LENGTH} bytes");
}

/// Answers a line with the work that was done for it: how many bytes were copied, and how many calls made.
/// Until its end it answers each call with a dot, so that no byte is sent before the last was looked at.
struct Weighing;

#[derive(Default)]
struct Scales {
    /// Where the bytes were when they were last seen.
    place: usize,
    copied: usize,
    calls: usize,
}

impl Application for Weighing {
    fn open(&self, _client: Client, _limits: &Limits, _out: &mut Outbox) -> Box<dyn Protocol> {
        Box::new(Scales::default())
    }

    fn refuse(&self, error: &ErrorReply, _limits: &Limits, out: &mut Outbox) {
        out.push(format!("{error}\n").as_bytes());
    }

    fn blocking(&self) -> Blocking {
        Blocking::Never
    }
}

impl Protocol for Scales {
    fn receive(&mut self, input: &mut [u8], out: &mut Outbox) -> Progress {
        self.calls += 1;
        // Bytes that are handed over once more from another place were copied there.
        let place = input.as_ptr().addr();
        if place != self.place {
            self.place = place;
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

pub(crate) fn line_ends(subject: &Subject) {
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
        client.hears(format!("{number}:{message}"));
    }
}

pub(crate) fn length_prefixes(subject: &Subject) {
    let server = subject.serve(Scripted::new().service_in(Framing::Length));
    let mut client = server.connect_in(Framing::Length);
    client.hears("hello");
    let messages = ["", "a\nb", "\r\n", "\0\0\0\u{1}", "條", &"long ".repeat(100), ""];
    for (number, message) in (1..).zip(messages) {
        client.say(message);
        client.hears(format!("{number}:{message}"));
    }
}
