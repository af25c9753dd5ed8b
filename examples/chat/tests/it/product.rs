//! The chat as a product: its name, its flags, and its client.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use crate::redis::Redis;
use crate::server::{Server, command};
use crate::signal::signal;
use crate::{PROGRAM, Person};

#[test]
fn it_says_its_own_name_and_serves_nothing_else() {
    for (flags, expected) in [
        ("--version", concat!("chat ", env!("CARGO_PKG_VERSION"))),
        ("--help", "A chat with rooms, for `nc` and for `chat client`"),
        ("serve --help", "[env: CHAT_SERVE_MAX_MEMBERS=]"),
        ("handlers", "passes each line to the others in the room"),
    ] {
        let output = command(PROGRAM, flags).output().expect("it runs");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains(expected), "{flags}: {text}");
        assert!(!text.contains("counter") && !text.contains("fanout"), "{flags}: {text}");
    }
}

#[test]
fn one_client_is_served_on_every_backend() {
    for backend in anyloop_cli::BACKENDS {
        let server = Server::start(PROGRAM, &format!("--backend {}", backend.name()));
        let mut ann = Person::join(&server, "ann");
        ann.say("hello?\n/who");
        assert_eq!(ann.hear(), "* in lobby: ann", "{}", backend.name());
        assert!(ann.quit().is_empty());
    }
}

#[test]
fn a_room_has_as_many_members_as_it_is_told() {
    let server = Server::start(PROGRAM, "--max-members 1");
    let _ann = Person::join(&server, "ann");
    let mut bob = Person::join(&server, "bob");
    assert_eq!(bob.ask("/join lobby"), "ERR room-full: lobby max=1; write /join and another room");
    let output = command(PROGRAM, "serve --max-members 0").output().expect("it runs");
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

#[test]
fn its_client_shows_lines_when_they_arrive_and_sends_lines_when_they_are_written() {
    let server = Server::start(PROGRAM, "");
    let mut ann = Person::join(&server, "ann");
    let mut client = command(PROGRAM, &format!("client {}", server.address));
    let mut client = client.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
    let mut stdin = client.stdin.take().expect("it is piped");
    let mut lines = BufReader::new(client.stdout.take().expect("it is piped")).lines();
    let mut heard = || lines.next().expect("a line").expect("text");
    assert!(heard().starts_with("* you are guest-2; "));
    assert_eq!(heard(), "* you are in lobby with ann");
    ann.hear_until("* guest-2 has joined");
    ann.say("hello");
    assert_eq!(heard(), "ann: hello");
    stdin.write_all(b"hi\n").expect("it reads");
    assert_eq!(ann.hear(), "guest-2: hi");
    ann.say("bye");
    assert_eq!(heard(), "ann: bye");
    stdin.write_all(b"/quit\n").expect("it reads");
    assert_eq!(heard(), "* bye");
    assert!(client.wait().expect("it ends").success());
}

#[test]
fn members_may_be_silent_for_ever_unless_it_is_told_otherwise() {
    let output = command(PROGRAM, "serve --help").output().expect("it runs");
    let help = String::from_utf8_lossy(&output.stdout);
    let lines = help.lines().skip_while(|line| !line.contains("--idle-timeout"));
    let text: String = lines.take(6).collect();
    assert!(text.contains("[default: 0"), "{text}");
    let server = Server::start(PROGRAM, "--idle-timeout 50ms");
    assert_eq!(Person::join(&server, "ann").listen().as_deref(), Some("ERR timeout idle"));
}

#[test]
fn it_is_ready_only_while_its_exchange_is() {
    let Some(mut redis) = Redis::started() else { return };
    let flags = "serve --listen 127.0.0.1:0 --log-format json --exchange";
    let mut command = command(PROGRAM, &format!("{flags} {}", redis.url()));
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("it is piped")).read_line(&mut line).expect("it listens");
    let mut log = BufReader::new(child.stderr.take().expect("it is piped")).lines();
    // Readiness changes some time after Redis.
    let mut wait_until = |is_ready: bool| {
        loop {
            signal(&child, "USR1");
            let mut lines = log.by_ref().map(|line| line.expect("text"));
            let statistics = lines.find(|line| line.contains(r#""message":"statistics""#));
            if statistics.expect("it logs them").contains(&format!(r#""ready":{is_ready}"#)) {
                return;
            }
        }
    };
    wait_until(true);
    redis.stop();
    wait_until(false);
    redis.start();
    wait_until(true);
    signal(&child, "TERM");
    assert!(child.wait().expect("it ends").success());
}
