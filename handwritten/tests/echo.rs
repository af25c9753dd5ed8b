//! Every server answers lines that arrive in pieces, many lines at once, and many clients. `tls.rs` has the one over TLS.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use anyloop_handwritten::{Kind, SERVERS, Serve, Server, find};

/// An upper bound for every wait, however busy the machine is.
const BOUND: Duration = Duration::from_secs(60);

/// The servers over TCP that this system supports.
fn supported() -> impl Iterator<Item = &'static Server> {
    SERVERS.iter().filter(|server| server.is_supported() && !server.speaks_tls())
}

/// These servers, each serving on two workers until the test process ends.
fn servers() -> impl Iterator<Item = (&'static Server, SocketAddr)> {
    supported().map(|server| {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let address = listener.local_addr().expect("it has an address");
        serve(server, listener);
        (server, address)
    })
}

fn serve(server: &'static Server, listener: TcpListener) {
    let Serve::Tcp(serve) = server.serve else { panic!("{} speaks TLS", server.name) };
    thread::spawn(move || panic!("{} ended: {:?}", server.name, serve(listener, 2)));
}

fn connect(address: SocketAddr) -> BufReader<TcpStream> {
    let socket = TcpStream::connect(address).expect("it listens");
    socket.set_read_timeout(Some(BOUND)).expect("it is open");
    socket.set_nodelay(true).expect("it is open");
    BufReader::new(socket)
}

fn expect_line(client: &mut BufReader<TcpStream>, expected: &str, name: &str) {
    let mut line = String::new();
    client.read_line(&mut line).unwrap_or_else(|error| panic!("{name}: {error} after {line:?}"));
    assert_eq!(line, expected, "{name}");
}

#[test]
fn lines_that_come_in_pieces_are_answered_whole() {
    for (server, address) in servers() {
        let mut client = connect(address);
        for (piece, reply) in [("a\nhel", "a\n"), ("lo\nx", "hello\n"), ("\n", "x\n")] {
            client.get_mut().write_all(piece.as_bytes()).unwrap();
            match server.is_raw() {
                true => {
                    let mut bytes = vec![0; piece.len()];
                    client.read_exact(&mut bytes).unwrap();
                    assert_eq!(bytes, piece.as_bytes(), "{}", server.name);
                }
                false => expect_line(&mut client, reply, server.name),
            }
        }
    }
}

#[test]
fn a_thousand_lines_at_once_are_answered_in_order() {
    for (server, address) in servers() {
        let mut client = connect(address);
        let line = |number: u32| format!("{number:031}\n");
        client.get_mut().write_all((0..1000).map(line).collect::<String>().as_bytes()).unwrap();
        (0..1000).for_each(|number| expect_line(&mut client, &line(number), server.name));
    }
}

#[test]
fn fifty_clients_are_served_at_once() {
    for (server, address) in servers() {
        let count = server.max_connections.unwrap_or(50).min(50);
        let mut clients: Vec<_> = (0..count).map(|_| connect(address)).collect();
        for turn in 0..3 {
            let line = |number: usize| format!("client {number}, turn {turn}\n");
            for (number, client) in clients.iter_mut().enumerate() {
                client.get_mut().write_all(line(number).as_bytes()).unwrap();
            }
            for (number, client) in clients.iter_mut().enumerate() {
                expect_line(client, &line(number), server.name);
            }
        }
    }
}

/// The line and the end of input are one event, since both have arrived when the client is accepted.
#[test]
fn an_end_of_input_together_with_the_last_line_is_noticed() {
    for server in supported() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let mut client = connect(listener.local_addr().expect("it has an address"));
        client.get_mut().write_all(b"the last\n").unwrap();
        client.get_ref().shutdown(Shutdown::Write).unwrap();
        serve(server, listener);
        let mut said = String::new();
        let read = client.read_to_string(&mut said);
        assert!(read.is_ok() && said == "the last\n", "{}: {read:?} after {said:?}", server.name);
    }
}

#[test]
fn clients_that_disconnect_do_not_disturb_others() {
    for (server, address) in servers() {
        for _ in 0..20 {
            let mut client = connect(address);
            client.get_mut().write_all("x\n".repeat(50).as_bytes()).unwrap();
            // Closing with unread replies resets the connection.
        }
        let mut client = connect(address);
        client.get_mut().write_all(b"still there?\n").unwrap();
        expect_line(&mut client, "still there?\n", server.name);
    }
}

#[test]
fn they_are_found_by_their_names() {
    for server in SERVERS {
        assert_eq!(find(server.name).map(|found| found.name), Some(server.name));
        let is_for_all = server.kind == Kind::Raw || server.speaks_tls();
        assert_eq!(server.backend.is_none(), is_for_all, "{}", server.name);
    }
    assert!(find("nobody").is_none());
}

trait Raw {
    /// Whether it sends back bytes instead of lines.
    fn is_raw(&self) -> bool;
}

impl Raw for Server {
    fn is_raw(&self) -> bool {
        matches!(self.name, "poll-raw" | "uring-raw")
    }
}
