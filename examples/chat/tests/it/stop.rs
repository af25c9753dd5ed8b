//! A server that stops while its members talk.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::process::Stdio;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use crate::server::command;
use crate::signal::signal;
use crate::{PROGRAM, Person, backends};

/// Talks in rounds, in each of which every member says one line and hears one of each other, until the server ends it. Tells
/// of each round. Panics if a line is missing between two others.
fn talk(mut member: Person, others: usize, rounds: &Sender<()>) {
    for round in 0_u64.. {
        let _ = member.try_to_say(&round.to_string()); // fails if the server has just ended
        let mut heard = 0;
        while heard < others {
            let Some(line) = member.listen() else { return };
            match line.split_once(": ") {
                // Another member may be ahead by one round.
                Some((_, text)) => {
                    let number: u64 = text.parse().expect("a number");
                    assert!(number == round || number == round + 1, "{line} in {round}");
                    heard += 1;
                }
                None => assert!(line.starts_with("* "), "{line}"),
            }
        }
        let _ = rounds.send(()); // fails when nobody counts any more
    }
}

#[test]
fn members_that_talk_are_drained() {
    const MEMBERS: usize = 4;
    for backend in backends() {
        let flags = "serve --listen 127.0.0.1:0 --log-level error --drain-timeout 1h --receipt -";
        let mut command = command(PROGRAM, &format!("{flags} --backend {backend}"));
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("it says where it listens");
        let address = line.strip_prefix("listening on ").expect("an address").trim_end();
        let join = |number| {
            let socket = TcpStream::connect(address).expect("it listens");
            socket.set_read_timeout(Some(Duration::from_secs(20))).expect("it is a time");
            Person::join_by(socket, &format!("m{number}"))
        };
        let mut members: Vec<_> = (0..MEMBERS).map(join).collect();
        for member in &mut members[..MEMBERS - 1] {
            member.hear_until(&format!("* guest-{MEMBERS} is now m{}", MEMBERS - 1));
        }
        let (sender, rounds): (Sender<()>, Receiver<()>) = channel();
        thread::scope(|scope| {
            for member in members {
                let sender = sender.clone();
                scope.spawn(move || talk(member, MEMBERS - 1, &sender));
            }
            assert_eq!(rounds.iter().take(20 * MEMBERS).count(), 20 * MEMBERS);
            signal(&child, "TERM");
        });
        let mut receipt = String::new();
        stdout.read_to_string(&mut receipt).expect("it ends");
        assert_eq!(child.wait().expect("it ends").code(), Some(0), "{backend}: {receipt}");
        assert!(receipt.contains(&format!("\"drained\":{MEMBERS},")), "{backend}: {receipt}");
    }
}
