//! Clients that wait in the backlog of a listener, while the server accepts none.

use std::fs;
use std::net::{SocketAddr, TcpStream};

use rustix::process::Signal;

use crate::crowds::raise_limit;
use crate::process::BOUND;
use crate::server::{Client, Server, concurrent_backends};

/// How many clients wait at once: far more than the 16 that are accepted in a turn, and fewer than the backlog has room for.
const WAITING: usize = 1000;
/// How many wait where fewer of them may be served.
const SOME: usize = 300;
const SERVED: usize = 100;

pub(crate) fn burst(backend: &str) {
    raise_limit();
    all_are_served(backend);
    if concurrent_backends().any(|name| name == backend) {
        those_beyond_the_limit_are_refused(backend);
    }
}

fn all_are_served(backend: &str) {
    let server = Server::start(&format!("--backend {backend}"));
    for mut client in waiting(&server, WAITING, "hello\nexit\n") {
        assert_eq!(client.hear_all(), "連接成功!\n第1條信息:hello\n", "{backend}");
    }
    let ended = server.stop();
    let expected = (Some(0), &WAITING.into());
    assert_eq!((ended.code, &ended.receipt["finished"]), expected, "{backend}: {}", ended.receipt);
}

fn those_beyond_the_limit_are_refused(backend: &str) {
    let server = Server::start(&format!("--backend {backend} --max-connections {SERVED}"));
    let mut served = Vec::new();
    for mut client in waiting(&server, SOME, "hello\n") {
        match client.hear().as_str() {
            "連接成功!" => served.push(client),
            "ERR busy" => assert_eq!(client.hear_all(), "", "{backend}"),
            reply => panic!("{backend}: {reply}"),
        }
    }
    assert_eq!(served.len(), SERVED, "{backend}");
    for mut client in served {
        client.say("exit\n");
        assert_eq!(client.hear_all(), "第1條信息:hello\n", "{backend}");
    }
    let ended = server.stop();
    let (finished, refused) = (&ended.receipt["finished"], &ended.receipt["refused"]);
    let expected = (&SERVED.into(), &(SOME - SERVED).into());
    assert_eq!((finished, refused), expected, "{backend}: {}", ended.receipt);
}

/// Has this number of clients connect and say something while the server stands still, and then lets it go on.
fn waiting(server: &Server, count: usize, text: &str) -> Vec<Client> {
    server.process.pause();
    let clients: Vec<_> = (0..count)
        .map(|_| {
            let socket = TcpStream::connect_timeout(&server.address, BOUND);
            let mut client = Client::new(socket.expect("there is room in the backlog"));
            client.say(text);
            client
        })
        .collect();
    assert_eq!(backlog(server.address), count, "they wait in the backlog");
    server.process.signal(Signal::CONT);
    clients
}

/// How many connections wait to be accepted.
fn backlog(address: SocketAddr) -> usize {
    let sockets = fs::read_to_string("/proc/net/tcp").unwrap();
    let port = format!(":{:04X}", address.port());
    let listening = sockets.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let mut listening = listening.filter(|fields| fields[1].ends_with(&port) && fields[3] == LISTEN);
    let queues = listening.next().expect("it listens")[4];
    usize::from_str_radix(queues.split(':').nth(1).unwrap(), 16).unwrap()
}

/// The state of a socket that listens.
const LISTEN: &str = "0A";
