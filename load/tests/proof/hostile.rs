//! Hostile clients: when they connect, and what is told of them.

use std::io::{BufRead, BufReader, Write};
use std::thread;

use anyloop_load::measurement::{HostileClients, HostileCounts};
use anyloop_load::plan::{Hostile, Plan};
use socket2::Socket;

use super::faulty::Faulty;
use super::transport::{Place, listen};
use super::{plan, run};

#[test]
fn hostile_clients_connect_beside_the_measured_ones() {
    let server = Faulty::good();
    let hostile = Hostile { idle: 3, slow_readers: 2, slow_writers: 2 };
    let m = run(&Plan { hostile, ..plan(&server) });
    assert_eq!((m.connections, m.verification.bad()), (2, 0));
    assert_eq!(server.connections(), 9);
    let counts = |clients| HostileCounts { clients, connections: clients, ended: 0 };
    let expected = HostileClients { idle: counts(3), slow_readers: counts(2), slow_writers: counts(2) };
    assert_eq!(m.hostile, Some(expected));
    assert_eq!(run(&plan(&server)).hostile, None);
}

/// A server that echoes the lines of the first clients, and refuses all that come later.
fn with_room_for(count: usize) -> Place {
    let (listener, place) = listen();
    thread::spawn(move || {
        for number in 0.. {
            let Ok((socket, _)) = listener.accept() else { return };
            if number < count {
                thread::spawn(move || echo(&socket));
            } else {
                let _ = (&socket).write_all(b"ERR busy\n"); // it may be gone
            }
        }
    });
    place
}

fn echo(socket: &Socket) {
    for line in BufReader::new(socket).split(b'\n').map_while(Result::ok) {
        let mut writer = socket;
        let _ = writer.write_all(&[&line[..], b"\n"].concat()); // it may be gone
    }
}

#[test]
fn a_server_that_gets_full_has_the_measured_clients_and_then_the_first_hostile_ones() {
    let hostile = Hostile { idle: 3, slow_readers: 3, slow_writers: 3 };
    for (room, admitted) in [(2, [0, 0, 0]), (6, [3, 1, 0]), (11, [3, 3, 3])] {
        let place = with_room_for(room);
        let m = run(&Plan { hostile, address: place.0.clone(), ..plan(&Faulty::good()) });
        assert_eq!((m.connections, m.failures.connections(), m.verification.bad()), (2, 0, 0), "{m:?}");
        let told = m.hostile.expect("there are some");
        for (counts, admitted) in [told.idle, told.slow_readers, told.slow_writers].iter().zip(admitted) {
            assert_eq!(counts.clients, 3);
            let refused = counts.clients - admitted;
            assert!(counts.connections >= 3 && counts.ended >= refused, "{admitted}: {told:?}");
            // The last connection of each that is refused may have been made just before the end.
            let open = counts.connections - counts.ended;
            assert!((admitted..=3).contains(&open), "{admitted}: {told:?}");
            assert!(admitted < 3 || counts.ended == 0, "{told:?}");
        }
    }
}
