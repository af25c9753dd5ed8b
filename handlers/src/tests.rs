use std::sync::Arc;
use std::time::{Duration, Instant};

use common::testing::TestClient;
use common::{Blocking, Framing, Handler, Service};

use crate::{Ack, Counter, Echo, Language, Load, Work};

/// The replies of a handler to these reads, and whether it closed the connection.
fn talk(handler: impl Handler + 'static, framing: Framing, reads: &[&[u8]]) -> (String, bool) {
    let mut client = TestClient::connect(Service::framed(Arc::new(handler), framing));
    reads.iter().for_each(|read| client.say(read));
    (client.heard(), client.over().is_some())
}

#[test]
fn counter_replies_like_the_tutorial() {
    let (said, ended) = talk(Counter::default(), Framing::Line, &[b"hello\n", b"\xff\n", b"you\nexit\nno\n"]);
    assert_eq!(said, "連接成功!\n第1條信息:hello\nERR not-utf8\n第2條信息:you\n");
    assert!(ended);
}

#[test]
fn counter_speaks_english() {
    let counter = Counter { language: Language::English };
    let (said, ended) = talk(counter, Framing::Raw, &[b"hello", b"two", b"three\n"]);
    assert_eq!(said, "Connected!Message 1: helloMessage 2: twoMessage 3: three\n");
    assert!(!ended);
}

#[test]
fn ack_draws_from_1_to_1000() {
    let reads = vec![b"x\n".as_slice(); 5000];
    let (said, _) = talk(Ack, Framing::Line, &reads);
    let mut lines = said.lines();
    assert_eq!(lines.next(), Some("Hello World!"));
    let drawn: Vec<u16> = lines.map(|line| line.strip_suffix(":ACK!").unwrap().parse().unwrap()).collect();
    assert_eq!(drawn.len(), 5000);
    assert!(drawn.iter().all(|number| (1..=1000).contains(number)));
    assert!(drawn.iter().any(|&number| number != drawn[0]));
}

#[test]
fn exit_may_have_a_line_end_only_in_raw() {
    for (framing, message, ends) in [
        (Framing::Line, b"exit\n".as_slice(), true),
        (Framing::Line, b"exit\r\n", true),
        (Framing::Line, b"exit\r\r\n", false),
        (Framing::Line, b" exit\n", false),
        (Framing::Raw, b"exit", true),
        (Framing::Raw, b"exit\n", true),
        (Framing::Raw, b"exit\r\n", true),
        (Framing::Raw, b"exit\n\n", false),
        (Framing::Length, b"\0\0\0\x04exit", true),
        (Framing::Length, b"\0\0\0\x05exit\n", false),
    ] {
        assert_eq!(talk(Counter::default(), framing, &[message]).1, ends, "{framing:?} {message:?}");
        assert_eq!(talk(Ack, framing, &[message]).1, ends, "{framing:?} {message:?}");
        assert!(!talk(Echo, framing, &[message]).1);
    }
}

#[test]
fn work_replies_after_its_time() {
    for load in [Load::Cpu(Duration::from_millis(2)), Load::Block(Duration::from_millis(2))] {
        let start = Instant::now();
        assert_eq!(talk(Work::new(load), Framing::Line, &[b"a\nb\n"]).0, "a\nb\n");
        assert!(start.elapsed() >= Duration::from_millis(4));
    }
}

#[test]
fn work_that_waits_is_answered_later() {
    let work = Work::new(Load::Wait(Duration::from_millis(2)));
    let start = Instant::now();
    let mut client = TestClient::connect(Service::framed(Arc::new(work), Framing::Line));
    client.say("a\nb\n");
    let mut heard = String::new();
    while heard != "a\nb\n" {
        assert!(start.elapsed() < Duration::from_secs(20), "{heard}");
        std::thread::sleep(Duration::from_millis(1));
        heard += &client.heard();
    }
    assert!(start.elapsed() >= Duration::from_millis(4));
}

#[test]
fn work_declares_whether_it_blocks() {
    for (load, blocking) in [
        (Load::Cpu(Duration::from_micros(99)), Blocking::Never),
        (Load::Cpu(Duration::from_micros(100)), Blocking::MayBlock),
        (Load::Block(Duration::from_micros(1)), Blocking::MayBlock),
        (Load::Wait(Duration::from_secs(1)), Blocking::Never),
    ] {
        assert_eq!(Work::new(load).blocking(), blocking, "{load}");
    }
}
