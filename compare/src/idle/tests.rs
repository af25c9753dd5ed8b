use std::cell::Cell;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;

use common::{Opened, Transform};

use super::*;

fn idle(address: SocketAddr, greets: bool) -> Idle {
    let message = b"hello\n".to_vec();
    Idle::new(address, &IdlePlan { counts: &[], framing: Framing::Line, greets, message, transform: None })
}

/// A server that greets, answers one line on each connection, and keeps it open. Returns the source addresses.
fn serve(greeting: &'static str, count: usize) -> (SocketAddr, thread::JoinHandle<Vec<SocketAddr>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let mut held = Vec::new();
        for _ in 0..count {
            let (mut stream, from) = listener.accept().unwrap();
            stream.write_all(greeting.as_bytes()).unwrap();
            BufReader::new(&stream).skip_until(b'\n').unwrap();
            stream.write_all(b"reply\n").unwrap();
            held.push((stream, from));
        }
        held.into_iter().map(|(_, from)| from).collect()
    });
    (address, server)
}

#[test]
fn each_connection_exchanges_a_message() {
    for (greeting, greets) in [("", false), ("Hello World!\n", true)] {
        let (address, server) = serve(greeting, 3);
        let mut idle = idle(address, greets);
        for _ in 0..3 {
            idle.add().unwrap();
        }
        assert_eq!(idle.connections.len(), 3);
        assert_eq!(server.join().unwrap().len(), 3);
    }
}

/// The samples at these counts, where the n-th reading of the memory is `bytes(n)`.
fn measured(idle: &mut Idle, counts: &[usize], bytes: &dyn Fn(u64) -> u64) -> Vec<MemorySample> {
    let (readings, mut measured) = (Cell::new(0), Vec::new());
    let read = || {
        readings.set(readings.get() + 1);
        Some(bytes(readings.get()))
    };
    memory(idle, &read, counts, &|| false, &mut measured).unwrap();
    measured
}

/// Inverts all bits.
struct Not;

impl Transform for Not {
    fn open(&mut self, input: &mut [u8], _: &mut Vec<u8>, _: &mut Vec<u8>) -> Opened {
        match input.len() {
            0 => Opened::More { used: 0 },
            used => {
                input.iter_mut().for_each(|byte| *byte = !*byte);
                Opened::InPlace { used, plain: 0..used, more: false }
            }
        }
    }

    fn seal(&mut self, plain: &[u8], sealed: &mut Vec<u8>) {
        sealed.extend(plain.iter().map(|byte| !byte));
    }

    fn close(&mut self, sealed: &mut Vec<u8>) {
        sealed.push(0);
    }
}

#[test]
fn each_connection_has_a_transform_and_announces_its_end() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut said = [0; 6];
        stream.read_exact(&mut said).unwrap();
        stream.write_all(&b"reply\n".map(|byte| !byte)).unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        (said, rest)
    });
    let transform = Some(TransformHook::new("not", || Ok(Box::new(Not))));
    let mut idle = Idle { transform, ..idle(address, false) };
    idle.add().unwrap();
    assert_eq!(idle.open(), 1);
    drop(idle);
    assert_eq!(server.join().unwrap(), (b"hello\n".map(|byte| !byte), vec![0]));
}

#[test]
fn memory_is_measured_at_each_count() {
    let (address, server) = serve("", 1002);
    let mut idle = idle(address, false);
    let measured = measured(&mut idle, &[0, 2, 1002], &|reading| 7_000_000 + reading);
    let readings: Vec<_> = measured.iter().map(|sample| (sample.connections, sample.bytes)).collect();
    assert_eq!(readings, [(0, 7_000_002), (2, 7_000_004), (1002, 7_000_006)], "it is read twice");
    // The server closes them when it has accepted all.
    assert_eq!(server.join().unwrap().len(), 1002);
}

#[test]
fn changing_memory_and_closed_connections_are_flagged() {
    let mut idle = idle("127.0.0.1:9".parse().unwrap(), false);
    let growing = measured(&mut idle, &[0], &|reading| reading << 20);
    assert_eq!(growing[0].flags, ["its memory still grew by 1024 KiB in 100 ms"]);
    let settling = measured(&mut idle, &[0], &|reading| if reading == 1 { 9 << 20 } else { 8 << 20 });
    assert_eq!((settling[0].bytes, settling[0].flags.len()), (8 << 20, 0));

    let (address, server) = serve("", 3);
    let mut idle = self::idle(address, false);
    (0..3).for_each(|_| idle.add().unwrap());
    server.join().unwrap();
    let left = measured(&mut idle, &[3], &|_| 1 << 20);
    assert_eq!(left[0].flags, ["the server had closed 3 of 3 idle connections"]);
}

#[cfg(target_os = "linux")]
#[test]
fn many_connections_use_several_source_addresses() {
    assert_eq!(source(PER_SOURCE - 1), None);
    assert_eq!(source(PER_SOURCE), Some([127, 0, 1, 1]));
    let (address, server) = serve("", 1);
    let mut connection = connect(address, PER_SOURCE).unwrap();
    connection.write_all(b"hello\n").unwrap();
    let from = server.join().unwrap();
    assert_eq!(from[0].ip(), std::net::IpAddr::from([127, 0, 1, 1]));
}

#[test]
fn a_server_that_closes_the_connection_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || drop(listener.accept()));
    assert!(idle(address, false).add().is_err());
    server.join().unwrap();
}

#[test]
fn it_stops_when_it_is_interrupted() {
    let mut idle = idle("127.0.0.1:9".parse().unwrap(), false);
    let mut measured = Vec::new();
    let error = memory(&mut idle, &|| None, &[5], &|| true, &mut measured).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    assert_eq!(measured, []);
}
