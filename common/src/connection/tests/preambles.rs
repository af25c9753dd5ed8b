//! Preambles.

use super::records::{How, Records, read, record};
use super::*;
use crate::{ErrorReply, MAX_RECORD, Preamble, PreambleProgress};

const SECOND: Duration = Duration::from_secs(1);

/// `FROM `, a path, which may be empty, and a line feed. `PANIC` panics, and `USES` returns more bytes than there are.
struct From;

impl Preamble for From {
    fn receive(&mut self, input: &[u8], client: &mut Client) -> PreambleProgress {
        let Some(end) = input.iter().position(|&byte| byte == b'\n') else {
            return PreambleProgress::More { used: 0 };
        };
        let line = str::from_utf8(&input[..end]).unwrap();
        match line.split_once(' ') {
            Some(("FROM", path)) => {
                client.peer = Address::Unix(Some(std::path::Path::new(path).into()));
                PreambleProgress::Done { used: end + 1 }
            }
            Some(("USES", _)) => PreambleProgress::Done { used: input.len() + 1 },
            Some(("PANIC", _)) => std::panic::panic_any("a preamble's panic"),
            _ => PreambleProgress::Broken(ErrorReply::malformed("preamble")),
        }
    }
}

/// Adds the address of the client to the greeting of a scripted session.
struct Knowing(Scripted);

impl Handler for Knowing {
    fn open(&self, client: &Client, out: &mut Replies<'_>) -> Box<dyn Session> {
        out.write(format_args!("hi {}", client.peer));
        Box::new(Scripted(Arc::clone(&self.0.0)))
    }

    fn blocking(&self) -> Blocking {
        self.0.blocking()
    }
}

fn service(blocking: bool) -> Service {
    let script = Script { blocking, ..Script::default() };
    let handler = Knowing(Scripted(Arc::new(script)));
    Service::framed(Arc::new(handler), Framing::Line).with_preamble(|| Box::new(From))
}

fn rig() -> Rig {
    Rig::serving(service(false))
}

#[test]
fn a_preamble_may_be_split_anywhere() {
    for input in ["FROM /a\none\nlast\n", "FROM /a\n"] {
        for blocking in [false, true] {
            for split in 0..=input.len() {
                let mut rig = Rig::serving(service(blocking));
                assert_eq!(rig.settle(), Next::Read);
                let (first, second) = input.split_at(split);
                for part in [first, second] {
                    for piece in part.split_inclusive(|_| split == 0) {
                        assert_eq!(rig.send(piece), Next::Read, "{split}");
                    }
                }
                assert_eq!(rig.heard(), input.replace("FROM", "hi").replace("/a", "unix:/a"));
                assert_eq!(rig.connection.peer().to_string(), "unix:/a");
                assert!(rig.connection.layer.is_none(), "the layer is dropped");
                assert_eq!(rig.end_input(), Next::Done(CloseReason::EndOfInput));
            }
        }
    }
}

#[test]
fn a_preamble_precedes_a_handshake() {
    let input = [&b"FROM /a\nHELLO\n"[..], &record("one\n")].concat();
    for how in [How::default(), How { blocks: true, ..How::default() }] {
        for split in 0..=input.len() {
            let service = service(false).with_transform(move |client| {
                assert_eq!(client.peer.to_string(), "unix:/a");
                Box::new(Records::new(how))
            });
            let mut rig = Rig::serving(service);
            rig.settle();
            for part in [&input[..split], &input[split..]] {
                if !part.is_empty() {
                    assert_eq!(rig.send(part), Next::Read);
                }
            }
            assert_eq!(read(&rig.received), "hi unix\none\n");
        }
    }
}

#[test]
fn an_invalid_preamble_gets_an_error_reply() {
    for (input, reason, told) in [
        ("GET /\r\n", CloseReason::HandshakeFailed, "ERR malformed preamble\n"),
        ("PANIC \n", CloseReason::Panicked, "ERR internal\n"),
        ("USES \n", CloseReason::Panicked, "ERR internal\n"),
        ("FROM", CloseReason::HandshakeFailed, "ERR incomplete\n"),
        ("", CloseReason::EndOfInput, ""),
    ] {
        let mut rig = rig();
        rig.settle();
        if !input.is_empty() {
            rig.send(input);
        }
        assert_eq!(rig.end_input(), Next::Done(reason), "{input}");
        assert_eq!(rig.heard(), told);
        // With a transform no error reply can be sent.
        let mut rig = Rig::serving(service(false).with_transform(|_| Box::new(Records::default())));
        rig.settle();
        if !input.is_empty() {
            rig.send(input);
        }
        assert_eq!(rig.end_input(), Next::Done(reason), "{input}");
        assert_eq!(rig.heard(), "");
    }
}

#[test]
fn the_message_timeout_runs_from_the_accept() {
    let mut rig = rig();
    rig.settle();
    rig.pass(9 * SECOND);
    assert_eq!(rig.send("FR"), Next::Read);
    assert_eq!(rig.pass(SECOND), Next::Done(CloseReason::HandshakeTimeout));
    assert_eq!(rig.heard(), "ERR timeout message: no line end\n");
    let mut rig = self::rig();
    rig.settle();
    rig.connection.stop(0);
    assert_eq!(rig.settle(), Next::Done(CloseReason::Stopping));
    assert_eq!(rig.heard(), "ERR shutting-down\n");
}

#[test]
fn an_endless_preamble_ends_the_conversation() {
    let mut rig = rig();
    rig.settle();
    let mut sent = 0;
    while rig.send([b'x'; 1024]) == Next::Read {
        sent += 1024;
        assert!(sent <= MAX_RECORD);
    }
    assert_eq!(rig.settle(), Next::Done(CloseReason::HandshakeFailed));
    assert_eq!(rig.heard(), "ERR malformed preamble\n");
}

/// Is done before any input.
struct Absent;

impl Preamble for Absent {
    fn receive(&mut self, input: &[u8], _: &mut Client) -> PreambleProgress {
        assert!(input.is_empty());
        PreambleProgress::Done { used: 0 }
    }
}

/// Is done once there is input, which it leaves.
struct Peeking;

impl Preamble for Peeking {
    fn receive(&mut self, input: &[u8], _: &mut Client) -> PreambleProgress {
        if input.is_empty() { PreambleProgress::More { used: 0 } } else { PreambleProgress::Done { used: 0 } }
    }
}

/// A service that accepts no client whose first input begins with `GET `.
fn checking(service: Service) -> Service {
    service.with_first_input_check(|peer, input| {
        assert_eq!(*peer, Address::Unknown);
        match input {
            [b'G', b'E', b'T', b' ', ..] => Err(ErrorReply::malformed("request")),
            [b'P', ..] => std::panic::panic_any("a check's panic"),
            _ => Ok(()),
        }
    })
}

#[test]
fn the_first_input_is_checked() {
    let plain = || Service { preamble: None, ..service(false) };
    let absent = || service(false).with_preamble(|| Box::new(Absent));
    let blocking = || Service { preamble: None, ..service(true) };
    for make in [&plain as &dyn Fn() -> Service, &absent, &blocking] {
        for (first, later, reason, told) in [
            ("one\n", "GET \n", CloseReason::EndOfInput, "one\nGET \n"),
            ("GET \ntwo\n", "three\n", CloseReason::HandshakeFailed, "ERR malformed request\n"),
            ("P\n", "", CloseReason::Panicked, "ERR internal\n"),
            // A check sees what one read has returned.
            ("GE", "T \n", CloseReason::EndOfInput, "GET \n"),
        ] {
            let mut rig = Rig::serving(checking(make()));
            assert_eq!(rig.settle(), Next::Read);
            assert_eq!(rig.heard(), "hi unknown\n", "the application is opened before any input");
            rig.send(first);
            rig.send(later);
            assert_eq!(rig.end_input(), Next::Done(reason), "{first}");
            assert_eq!(rig.heard(), told);
        }
    }
}

#[test]
fn input_that_a_preamble_leaves_is_checked() {
    let service = || checking(service(false).with_preamble(|| Box::new(Peeking)));
    for (first, next, told) in [
        ("one\n", Next::Read, "hi unknown\none\n"),
        ("GET \n", Next::Done(CloseReason::HandshakeFailed), "ERR malformed request\n"),
        ("P\n", Next::Done(CloseReason::Panicked), "ERR internal\n"),
    ] {
        let mut rig = Rig::serving(service());
        assert_eq!(rig.settle(), Next::Read);
        assert_eq!(rig.send(first), next, "{first}");
        assert_eq!(rig.heard(), told);
    }
    let mut rig = Rig::serving(service().with_transform(|_| Box::new(Records::default())));
    assert_eq!(rig.send("GET \n"), Next::Done(CloseReason::HandshakeFailed));
    assert_eq!(rig.heard(), "", "the transform receives nothing, or it would have answered");
}

#[test]
fn input_before_the_first_run_is_checked() {
    let plain = || checking(Service { preamble: None, ..service(false) });
    for (service, told) in
        [(plain(), "ERR malformed request\n"), (plain().with_transform(|_| Box::new(Records::default())), "")]
    {
        let mut rig = Rig::serving(service);
        assert_eq!(rig.send("GET \n"), Next::Done(CloseReason::HandshakeFailed));
        assert_eq!(rig.heard(), told);
    }
}

#[test]
fn input_after_a_preamble_is_not_checked() {
    let mut rig = Rig::serving(service(false).with_first_input_check(|_, _| Err(ErrorReply::Busy)));
    rig.settle();
    assert_eq!(rig.send("FROM /a\n"), Next::Read);
    assert_eq!(rig.send("one\n"), Next::Read);
    assert_eq!(rig.heard(), "hi unix:/a\none\n");
}

#[test]
fn the_first_input_of_a_transform_is_checked() {
    let transformed =
        || Service { preamble: None, ..service(false) }.with_transform(|_| Box::new(Records::default()));
    let mut rig = Rig::serving(checking(transformed()));
    rig.settle();
    assert_eq!(rig.send("GET /\n"), Next::Done(CloseReason::HandshakeFailed));
    assert_eq!(rig.heard(), "\0", "the final output of the transform, without an error reply");
    let mut rig = Rig::serving(checking(transformed()));
    rig.settle();
    assert_eq!(rig.send([&b"HELLO\n"[..], &record("one\n")].concat()), Next::Read);
    assert_eq!(read(&rig.received), "hi unix\none\n");
}

#[test]
fn a_panic_in_make_ends_the_conversation() {
    let service = service(false).with_preamble(|| std::panic::panic_any("no preamble"));
    let mut rig = Rig::serving(service);
    assert_eq!(rig.settle(), Next::Done(CloseReason::Panicked));
}
