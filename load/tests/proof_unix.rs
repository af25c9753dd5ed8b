//! The proof once more, over Unix sockets; and what is so of these alone.

#[path = "proof/main.rs"]
mod proof;

use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Duration;

use anyloop_load::engine;
use anyloop_load::plan::{Expect, Hostile, Plan};
use common::Address;
use socket2::{Domain, SockAddr, Socket, Type};

use proof::transport::{Place, listen_at, unused_path};

/// A listener whose backlog has no room for so many clients as come.
fn narrow() -> (Socket, Place) {
    let place = unused_path();
    (listen_at(&place.0, 1).expect("the path is free"), place)
}

/// Clients that fill the backlog of a listener.
fn fill(address: &Address) -> Vec<Socket> {
    let address = SockAddr::unix(address.path().expect("it is one")).expect("it is short");
    let client = || -> io::Result<Socket> {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.connect(&address).map(|()| socket)
    };
    let mut clients = Vec::new();
    loop {
        match client() {
            Ok(client) => clients.push(client),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return clients,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Lets a client in now and then, and echoes its lines.
fn serve_slowly(listener: Socket) {
    thread::spawn(move || {
        while let Ok((socket, _)) = listener.accept() {
            thread::spawn(move || {
                for line in BufReader::new(&socket).split(b'\n').map_while(Result::ok) {
                    let _ = (&socket).write_all(&[&line[..], b"\n"].concat()); // it may be gone
                }
            });
            thread::sleep(Duration::from_millis(2));
        }
    });
}

fn plan(address: &Address) -> Plan {
    let (duration, warmup) = (Duration::from_millis(300), Duration::ZERO);
    Plan { connections: 50, duration, warmup, ..Plan::new(address.clone()) }
}

#[test]
fn who_finds_the_backlog_full_gets_in_once_there_is_room() {
    let (listener, place) = narrow();
    let early = fill(&place.0);
    assert!(early.len() < 10, "{}", early.len());
    serve_slowly(listener);
    for (messages_per_connection, reconnect) in [(None, false), (Some(3), false), (Some(3), true)] {
        let hostile = Hostile { idle: 5, ..Hostile::default() };
        let m = engine::run(
            &Plan { messages_per_connection, reconnect, hostile, ..plan(&place.0) },
            &AtomicBool::new(false),
            None,
        )
        .expect("the load is made");
        assert_eq!((m.connections, m.failures.connections(), m.verification.bad()), (50, 0, 0), "{m:?}");
        assert!(m.verification.replies >= 50, "{m:?}");
    }
}

#[test]
fn a_server_whose_backlog_is_full_is_asked_once_there_is_room() {
    let (listener, place) = narrow();
    let _early = fill(&place.0);
    serve_slowly(listener);
    let expect = engine::expectation(&Plan::new(place.0.clone()), &AtomicBool::new(false));
    assert_eq!(expect.expect("it echoes"), Expect::Echo);
}

#[test]
fn who_waits_for_room_is_not_waited_for_once_it_is_told_to_stop() {
    let (_listener, place) = narrow();
    let _early = fill(&place.0);
    let stop = AtomicBool::new(true);
    let kinds = [
        engine::expectation(&Plan::new(place.0.clone()), &stop).map(drop).map_err(|error| error.kind()),
        engine::run(&plan(&place.0), &stop, None).map(drop).map_err(|error| error.kind()),
    ];
    assert_eq!(kinds, [Err(ErrorKind::Interrupted); 2]);
}

#[test]
fn who_finds_no_room_for_too_long_has_failed() {
    let (_listener, place) = narrow();
    let _early = fill(&place.0);
    let error = engine::run(&plan(&place.0), &AtomicBool::new(false), None).expect_err("nobody accepts");
    let expected = format!("can't connect to {}: ", place.0);
    assert!(error.to_string().starts_with(&expected), "{error}");
    assert!(error.to_string().contains("the server did not accept it within 10 s"), "{error}");
}

#[test]
fn a_path_at_which_there_is_nothing_is_told() {
    let place = unused_path();
    let error = engine::run(&plan(&place.0), &AtomicBool::new(false), None).expect_err("nothing is there");
    assert!(error.to_string().contains("No such file or directory"), "{error}");
}

#[test]
fn what_is_no_address_can_not_be_loaded() {
    for address in [Address::Unknown, Address::Unix(None)] {
        let error = engine::run(&Plan::new(address), &AtomicBool::new(false), None).expect_err("it is none");
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains("is not an address to connect to; write HOST:PORT or unix:PATH"));
    }
}
