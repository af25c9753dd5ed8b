//! System calls that are interrupted, which strace makes up, and calls that do less than asked.

use std::fs;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tempfile::NamedTempFile;

use crate::accept::injected;
use crate::group::skip;
use crate::process::{BOUND, run, through};
use crate::server::{Server, command};

/// Interrupts each second call to receive, to send and to wait, of each thread. Nothing may be lost or doubled.
pub(crate) fn interrupted(backend: &str) {
    let calls = "recvfrom,sendto,epoll_wait,epoll_pwait,poll,ppoll,io_uring_enter";
    let faults = [format!("trace={calls}"), format!("inject={calls}:error=EINTR:when=2+2")];
    let traced = NamedTempFile::new().unwrap();
    let faults = faults.each_ref().map(|fault| &**fault);
    let Some(mut command) = injected(&faults, &format!("--backend {backend}"), traced.path()) else {
        return;
    };
    let mut server = Server::start_as_is(&mut command);
    converse(backend, &server);
    // The handler of a signal may have been interrupted, too, which the kernel never does. Within a second, they are one.
    while server.process.is_running() {
        server.process.signal(Signal::TERM);
        thread::sleep(Duration::from_millis(20));
    }
    let ended = server.ended();
    assert_eq!(
        (ended.code, &ended.receipt["messages"]),
        (Some(0), &MESSAGES.into()),
        "{backend}: {}",
        ended.log
    );
    // Each of these was interrupted. A ring receives and sends within the last one.
    let expected = if backend == "uring" { &["io_uring_enter("][..] } else { &["recvfrom(", "sendto("] };
    let until = Instant::now() + BOUND;
    for call in expected {
        let was_injected = |text: &str| {
            text.lines()
                .any(|line| line.contains(call) && line.contains("EINTR") && line.ends_with("(INJECTED)"))
        };
        // strace ends by itself, after the server.
        while !was_injected(&fs::read_to_string(&traced).unwrap()) {
            assert!(Instant::now() < until, "{backend}: no {call}…) was interrupted");
            thread::yield_now();
        }
    }
}

/// Lets each call to receive and to send transfer one byte, on a ring each operation. Nothing may be lost or doubled.
pub(crate) fn shortened(backend: &str) {
    if !cfg!(target_arch = "x86_64") {
        return skip("calls can be shortened on x86-64 alone");
    }
    let folder = tempfile::tempdir().unwrap();
    let [program, counts] = ["shorten", "counts"].map(|name| folder.path().join(name));
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/faults/shorten.c");
    let compiled = run(Command::new("cc").args(["-O", "-o"]).arg(&program).arg(source), "");
    assert_eq!(compiled.code, Some(0), "{compiled:?}");

    let wrapper = [program.to_str().unwrap(), counts.to_str().unwrap()];
    let mut command = through(&wrapper, &command(&format!("--backend {backend}")));
    let server =
        Server::start_as_is(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()));
    converse(backend, &server);
    let ended = server.stop();
    assert_eq!(
        (ended.code, &ended.receipt["messages"]),
        (Some(0), &MESSAGES.into()),
        "{backend}: {}",
        ended.log
    );
    let of = |name: &str| ended.receipt[name].as_u64().unwrap();
    let counts = fs::read_to_string(counts).unwrap();
    let counts: Vec<u64> = counts.split_whitespace().map(|count| count.parse().unwrap()).collect();
    // What is left is the last byte of each output, for which there was no room for more.
    let expected = [of("bytes_in") * 9 / 10, of("bytes_out") * 9 / 10];
    assert!(counts[0] >= expected[0] && counts[1] >= expected[1], "{backend}: {counts:?} of {expected:?}");
}

/// How many messages [`converse`] sends.
const MESSAGES: u64 = CLIENTS * (NUMBERS + 1);
const CLIENTS: u64 = 3;
const NUMBERS: u64 = 50;

/// Has some clients served one after the other. Every second one sends all its messages at once.
fn converse(backend: &str, server: &Server) {
    for client in 0..CLIENTS {
        let at_once = client % 2 == 1;
        let mut client = server.connect();
        assert_eq!(client.hear(), "連接成功!", "{backend}");
        if at_once {
            client.say(&(1..=NUMBERS).map(|number| format!("{number}\n")).collect::<String>());
        }
        for number in 1..=NUMBERS {
            if !at_once {
                client.say(&format!("{number}\n"));
            }
            assert_eq!(client.hear(), format!("第{number}條信息:{number}"), "{backend}");
        }
        client.say("exit\n");
        assert_eq!(client.hear_all(), "", "{backend}");
    }
}
