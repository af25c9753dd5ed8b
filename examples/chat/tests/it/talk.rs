//! Members who talk, come and go.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Shutdown;
use std::sync::Barrier;
use std::thread;

use crate::server::Server;
use crate::{PROGRAM, Person, backends};

fn serve(backend: &str) -> Server {
    Server::start(PROGRAM, &format!("--backend {backend}"))
}

#[test]
fn each_member_hears_the_lines_of_each_other_in_their_order() {
    const MEMBERS: usize = 8;
    const LINES: usize = 200;
    for backend in backends() {
        let server = serve(backend);
        let members: Vec<_> =
            (0..MEMBERS).map(|number| Person::join(&server, &format!("m{number}"))).collect();
        let all_have_heard = Barrier::new(MEMBERS);
        thread::scope(|scope| {
            for mut member in members {
                let all_have_heard = &all_have_heard;
                scope.spawn(move || {
                    (0..LINES).for_each(|number| member.say(&format!("line {number}")));
                    let mut heard: BTreeMap<String, Vec<String>> = BTreeMap::new();
                    for _ in 0..(MEMBERS - 1) * LINES {
                        let line = spoken(&mut member);
                        let (name, text) = line.split_once(": ").expect("the name of who says it");
                        heard.entry(name.to_owned()).or_default().push(text.to_owned());
                    }
                    let expected: Vec<_> = (0..LINES).map(|number| format!("line {number}")).collect();
                    assert!(heard.values().all(|lines| *lines == expected), "{backend}: {heard:?}");
                    assert_eq!(heard.len(), MEMBERS - 1, "{backend}");
                    all_have_heard.wait();
                    let rest = member.quit();
                    assert!(rest.iter().all(|line| line.ends_with(" has left")), "{backend}: {rest:?}");
                });
            }
        });
    }
}

/// The next line that another member has said.
fn spoken(member: &mut Person) -> String {
    loop {
        match member.hear() {
            notice if notice.starts_with("* ") => {}
            line => return line,
        }
    }
}

#[test]
fn members_of_two_rooms_move_and_hear_only_the_room_that_they_are_in() {
    const MOVES: usize = 100;
    for backend in backends() {
        let server = serve(backend);
        let names = ["ann", "bob", "eve", "dan"];
        let members = names.map(|name| Person::join(&server, name));
        thread::scope(|scope| {
            for (number, mut member) in members.into_iter().enumerate() {
                scope.spawn(move || {
                    for count in number..number + MOVES {
                        let room = ["red", "blue"][count % 2];
                        member.say(&format!("/join {room}"));
                        member.say(&format!("in {room}"));
                    }
                    let (mut room, mut joined) = (String::from("lobby"), 0);
                    while joined < MOVES {
                        let line = member.hear();
                        if let Some(entered) = line.strip_prefix("* you are in ") {
                            room = entered.split([',', ' ']).next().expect("a room").to_owned();
                            joined += 1;
                        } else if let Some((_, said)) = line.split_once(": in ") {
                            assert_eq!(said, room, "{backend}");
                        }
                    }
                    member.quit();
                });
            }
        });
        // A name is free when its member has left, so the rooms are closed.
        let mut last = Person::connect(&server).greeted();
        names.iter().for_each(|name| last.take_when_free(name));
        assert_eq!(last.ask("/join red"), "* you are in red, alone", "{backend}");
    }
}

#[test]
fn who_leaves_is_announced_however_it_leaves() {
    for backend in backends() {
        let server = serve(backend);
        let mut ann = Person::join(&server, "ann");
        let bob = Person::join(&server, "bob");
        bob.quit();
        ann.hear_until("* bob has left");
        let half = server.connect();
        Person::join_by(half.try_clone().expect("a second one"), "half");
        half.shutdown(Shutdown::Write).expect("it is connected");
        ann.hear_until("* half has left");
        let reset = server.connect();
        Person::join_by(reset.try_clone().expect("a second one"), "reset");
        ann.say("one more");
        assert_eq!(reset.peek(&mut [0]).ok(), Some(1), "it has arrived");
        drop(reset); // with unread input, so that it is a reset
        assert_eq!(
            ann.hear_until("* reset has left (lost)").last().map(String::as_str),
            Some("* guest-4 is now reset")
        );
        ann.take_when_free("reset"); // which it is soon after that was told
        assert_eq!(ann.ask("/who"), "* in lobby: reset", "{backend}");
    }
}

#[test]
fn who_comes_and_goes_is_told_once_and_in_order() {
    const VISITS: usize = 50;
    let names = ["ann", "bob", "eve", "dan"];
    for backend in backends() {
        let server = serve(backend);
        let mut observer = Person::join(&server, "observer");
        thread::scope(|scope| {
            for name in names {
                let server = &server;
                scope.spawn(move || {
                    for visit in 0..VISITS {
                        let mut member = Person::connect(server).greeted();
                        // The previous visit may have been noticed by nobody yet.
                        member.take_when_free(name);
                        if visit % 2 == 0 {
                            member.quit();
                        }
                    }
                });
            }
            let mut here = BTreeSet::new();
            let mut left = BTreeMap::new();
            while left.values().sum::<usize>() < names.len() * VISITS {
                let line = observer.hear();
                let words: Vec<_> = line.split(' ').collect();
                match words[..] {
                    ["*", who, "has", "joined"] => assert!(here.insert(who.to_owned()), "{backend}: {line}"),
                    ["*", who, "is", "now", name] => {
                        assert!(here.remove(who) && here.insert(name.to_owned()), "{backend}: {line}");
                    }
                    ["*", who, "has", "left", ..] => {
                        assert!(here.remove(who), "{backend}: {line}");
                        *left.entry(who.to_owned()).or_default() += 1;
                    }
                    _ => panic!("{backend}: {line}"),
                }
            }
            assert!(here.is_empty() && names.iter().all(|name| left[*name] == VISITS), "{backend}: {left:?}");
        });
        assert_eq!(observer.ask("/who"), "* in lobby: observer", "{backend}");
    }
}
