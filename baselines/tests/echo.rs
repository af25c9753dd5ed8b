//! Each of the servers answers: lines that come in pieces, lines that come at once, many clients.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use baselines::{BASELINES, Baseline, Kind, find};

/// Nothing here takes so long, however busy the machine is.
const BOUND: Duration = Duration::from_secs(60);

/// What this system can run, each serving on two workers until the test process ends.
fn servers() -> impl Iterator<Item = (&'static Baseline, SocketAddr)> {
    BASELINES.iter().filter(|baseline| baseline.is_supported()).map(|baseline| {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let address = listener.local_addr().expect("it has an address");
        thread::spawn(move || panic!("{} ended: {:?}", baseline.name, (baseline.serve)(listener, 2)));
        (baseline, address)
    })
}

fn connect(address: SocketAddr) -> BufReader<TcpStream> {
    let socket = TcpStream::connect(address).expect("it listens");
    socket.set_read_timeout(Some(BOUND)).expect("it is open");
    socket.set_nodelay(true).expect("it is open");
    BufReader::new(socket)
}

fn hear(client: &mut BufReader<TcpStream>, expected: &str, name: &str) {
    let mut line = String::new();
    client.read_line(&mut line).unwrap_or_else(|error| panic!("{name}: {error} after {line:?}"));
    assert_eq!(line, expected, "{name}");
}

#[test]
fn lines_that_come_in_pieces_are_answered_whole() {
    for (baseline, address) in servers() {
        let mut client = connect(address);
        for (piece, reply) in [("a\nhel", "a\n"), ("lo\nx", "hello\n"), ("\n", "x\n")] {
            client.get_mut().write_all(piece.as_bytes()).unwrap();
            match baseline.is_raw() {
                true => {
                    let mut bytes = vec![0; piece.len()];
                    std::io::Read::read_exact(&mut client, &mut bytes).unwrap();
                    assert_eq!(bytes, piece.as_bytes(), "{}", baseline.name);
                }
                false => hear(&mut client, reply, baseline.name),
            }
        }
    }
}

#[test]
fn a_thousand_lines_at_once_are_answered_in_order() {
    for (baseline, address) in servers() {
        let mut client = connect(address);
        let line = |number: u32| format!("{number:031}\n");
        client.get_mut().write_all((0..1000).map(line).collect::<String>().as_bytes()).unwrap();
        (0..1000).for_each(|number| hear(&mut client, &line(number), baseline.name));
    }
}

#[test]
fn fifty_clients_are_served_at_once() {
    for (baseline, address) in servers() {
        let count = baseline.max_connections.unwrap_or(50).min(50);
        let mut clients: Vec<_> = (0..count).map(|_| connect(address)).collect();
        for turn in 0..3 {
            let line = |number: usize| format!("client {number}, turn {turn}\n");
            for (number, client) in clients.iter_mut().enumerate() {
                client.get_mut().write_all(line(number).as_bytes()).unwrap();
            }
            for (number, client) in clients.iter_mut().enumerate() {
                hear(client, &line(number), baseline.name);
            }
        }
    }
}

#[test]
fn who_is_gone_at_once_harms_nobody() {
    for (baseline, address) in servers() {
        for _ in 0..20 {
            let mut client = connect(address);
            client.get_mut().write_all("x\n".repeat(50).as_bytes()).unwrap();
            // Closed with replies unread, it resets the connection.
        }
        let mut client = connect(address);
        client.get_mut().write_all(b"still there?\n").unwrap();
        hear(&mut client, "still there?\n", baseline.name);
    }
}

#[test]
fn they_are_found_by_their_names() {
    for baseline in BASELINES {
        assert_eq!(find(baseline.name).map(|found| found.name), Some(baseline.name));
        assert_eq!(baseline.backend.is_none(), baseline.kind == Kind::Floor, "{}", baseline.name);
    }
    assert!(find("nobody").is_none());
}

trait Raw {
    /// Whether it sends back bytes, and not lines.
    fn is_raw(&self) -> bool;
}

impl Raw for Baseline {
    fn is_raw(&self) -> bool {
        matches!(self.name, "floor" | "uring-raw")
    }
}
