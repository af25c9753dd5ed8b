//! Tests of the proxy's binary, with several clients and an upstream server, on every backend.

#[path = "../../../testing/person.rs"]
mod person;
#[path = "../../../testing/server.rs"]
mod server;
#[path = "../../../testing/usage.rs"]
mod usage;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyloop::{Client, CloseReason, Flow, Framing, Handler, Replies, Running, Service, Session};

use self::person::{Person, backends};
use self::server::Server;
use self::usage::{assert_rejects, assert_says};

const PROGRAM: &str = env!("CARGO_BIN_EXE_proxy");

/// An upstream server that sends each line back in upper case, and counts its connections.
#[derive(Clone, Default)]
struct Shout(Arc<Connections>);

#[derive(Default)]
struct Connections {
    open: AtomicUsize,
    most: AtomicUsize,
}

impl Handler for Shout {
    fn open(&self, _client: &Client, _out: &mut Replies<'_>) -> Box<dyn Session> {
        let open = self.0.open.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.most.fetch_max(open, Ordering::SeqCst);
        Box::new(self.clone())
    }
}

impl Session for Shout {
    fn message(&mut self, message: &[u8], out: &mut Replies<'_>) -> Flow {
        match message {
            b"hang up" => return Flow::Close,
            b"no" => out.reject("not-shouted"),
            _ => out.send(&message.to_ascii_uppercase()),
        }
        Flow::Continue
    }

    fn closed(&mut self, _why: CloseReason) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

fn listen(address: &str) -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind(address).expect("the address is free");
    let address = listener.local_addr().expect("it listens");
    (listener, address)
}

fn shout(listener: TcpListener, shout: &Shout) -> Running {
    let service = Service::framed(Arc::new(shout.clone()), Framing::Line);
    anyloop::start(anyloop::Threads, listener, service).expect("it starts")
}

fn proxy(backend: &str, upstream: SocketAddr, flags: &str) -> Server {
    Server::start(PROGRAM, &format!("--backend {backend} --upstream {upstream} {flags}"))
}

#[test]
fn it_says_its_own_name_and_its_flags() {
    let says = [
        ("--version", concat!("proxy ", env!("CARGO_PKG_VERSION"))),
        ("--help", "A proxy that passes lines to another server"),
        ("serve --help", "[env: PROXY_SERVE_UPSTREAM=]"),
        ("handlers", "has each line answered by another server"),
    ];
    assert_says(PROGRAM, &says);
    let rejected = [
        ("", "--upstream"),
        ("--upstream localhost", "`localhost` is no address; write HOST:PORT, such as 127.0.0.1:9999"),
        ("--upstream :1", "`:1` is no address"),
        ("--upstream a:0", "`a:0` is no address"),
        ("--upstream a:70000", "`a:70000` is no address"),
        ("--upstream a:1 --upstream-connections 0", "`0` is not a count from 1 to 1000"),
        ("--upstream a:1 --upstream-waiting 0", "`0` is not a count from 1 to 100000"),
        ("--upstream a:1 --upstream-timeout 0", "`0` is too short; write a time above 0"),
    ];
    assert_rejects(PROGRAM, &rejected);
}

#[test]
fn one_client_is_served_on_every_backend() {
    for backend in anyloop_cli::BACKENDS {
        let (listener, address) = listen("127.0.0.1:0");
        let _upstream = shout(listener, &Shout::default());
        let server = proxy(backend.name(), address, "");
        let mut client = Person::connect(&server);
        client.say("one\nno\n\nhang up\nlast");
        let replies = [(); 5].map(|()| client.hear());
        let lost = "ERR upstream lost: the connection has ended; the message may have been received";
        assert_eq!(replies, ["ONE", "ERR not-shouted", "", lost, "LAST"], "{}", backend.name());
    }
}

#[test]
fn each_client_hears_the_replies_to_its_own_lines_in_order_over_few_connections() {
    const CLIENTS: usize = 8;
    const LINES: usize = 200;
    for backend in backends() {
        let (listener, address) = listen("127.0.0.1:0");
        let handler = Shout::default();
        let _upstream = shout(listener, &handler);
        let server = proxy(backend, address, "--upstream-connections 3");
        thread::scope(|scope| {
            for number in 0..CLIENTS {
                let server = &server;
                scope.spawn(move || {
                    let mut client = Person::connect(server);
                    let lines: Vec<_> =
                        (0..LINES).map(|line| format!("client {number} line {line}")).collect();
                    client.say(&lines.join("\n"));
                    for line in lines {
                        assert_eq!(client.hear(), line.to_uppercase(), "{backend}");
                    }
                });
            }
        });
        assert!((1..=3).contains(&handler.0.most.load(Ordering::SeqCst)), "{backend}");
    }
}

#[test]
fn an_upstream_server_that_is_down_is_reported_and_found_again() {
    for backend in backends() {
        let (listener, address) = listen("127.0.0.1:0");
        let upstream = shout(listener, &Shout::default());
        let server = proxy(backend, address, "--upstream-connections 1");
        let mut client = Person::connect(&server);
        assert_eq!(client.ask("one"), "ONE", "{backend}");
        upstream.stop_now();
        upstream.wait().expect("it ends");
        let mut down = client.ask("two");
        // It may come before the proxy has noticed the end of its connection, and while another test starts a program, which has
        // a duplicate of the listener until it runs.
        while down.starts_with("ERR upstream lost: ") {
            down = client.ask("two");
        }
        let expected = format!("ERR upstream down: {address} can't be connected to: ");
        assert!(down.starts_with(&expected), "{backend}: {down}");
        let _upstream = shout(listen(&address.to_string()).0, &Shout::default());
        assert_eq!(client.ask("three"), "THREE", "{backend}");
    }
}

#[test]
fn an_upstream_server_that_does_not_reply_in_time_is_reported() {
    for backend in backends() {
        // It never accepts: the kernel does, and nobody reads.
        let (_listener, address) = listen("127.0.0.1:0");
        let server = proxy(backend, address, "--upstream-connections 2 --upstream-timeout 50ms");
        let late = "ERR upstream timeout: no reply within 50ms; the message may have been received";
        let mut clients = [(); 4].map(|()| Person::connect(&server));
        clients.iter_mut().for_each(|client| client.say("one\ntwo"));
        for client in &mut clients {
            assert_eq!((client.hear().as_str(), client.hear().as_str()), (late, late), "{backend}");
        }
    }
}
