//! The health checks of a server that serves, is full, is about to stop, drains and has ended.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use anyloop::handlers::Echo;
use anyloop::{
    Client, Flow, Framing, Handler, Limits, Listener, Overload, Replies, Running, Service, Session, Threads,
    admin,
};

/// A test fails after this time.
const BOUND: Duration = Duration::from_secs(20);

fn service() -> Service {
    Service::framed(Arc::new(Echo), Framing::Line)
}

/// Opens a session that answers one message, once it is released.
struct Gate(Mutex<Receiver<()>>);

impl Handler for Gate {
    fn open(&self, _: &Client, _: &mut Replies<'_>) -> Box<dyn Session> {
        Box::new(Gated(std::mem::replace(&mut *self.0.lock().expect("no panic"), channel().1)))
    }
}

struct Gated(Receiver<()>);

impl Session for Gated {
    fn message(&mut self, message: &[u8], out: &mut Replies<'_>) -> Flow {
        self.0.recv_timeout(BOUND).expect("it is released");
        out.send(message);
        Flow::Continue
    }
}

fn started(service: Service) -> (Running, Running) {
    let listener = || TcpListener::bind("127.0.0.1:0").expect("a port");
    let running = anyloop::start(Threads, listener(), service).expect("a server");
    let admin = admin::start(listener(), running.monitor()).expect("an admin server");
    (running, admin)
}

/// The status and the content of a response.
fn ask(mut socket: impl Read + Write, path: &str) -> io::Result<(u16, String)> {
    write!(socket, "GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")?;
    let mut said = String::new();
    socket.read_to_string(&mut said)?;
    let (head, content) = said.split_once("\r\n\r\n").expect("a response");
    Ok((head["HTTP/1.1 ".len()..][..3].parse().expect("a status"), content.to_owned()))
}

fn check(admin: &Running, path: &str) -> (u16, String) {
    ask(TcpStream::connect(admin.address()).expect("a connection"), path).expect("a response")
}

fn wait_for(admin: &Running, path: &str, expected: (u16, &str)) {
    let until = Instant::now() + BOUND;
    while check(admin, path) != (expected.0, expected.1.to_owned()) {
        assert!(Instant::now() < until, "{path} never is {expected:?}, but {:?}", check(admin, path));
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_server_is_not_ready_while_it_refuses_clients() {
    let limits = Limits::default().with_max_connections(1);
    for (overload, expected) in [
        (Overload::Refuse, (503, "the server is full: max_connections is 1, and it refuses more clients\n")),
        (Overload::Queue, (200, "ok\n")),
    ] {
        let (running, admin) = started(service().with_limits(limits.with_overload(overload)));
        wait_for(&admin, "/readyz", (200, "ok\n"));
        let client = TcpStream::connect(running.address()).expect("a connection");
        let until = Instant::now() + BOUND;
        while running.statistics().open() == 0 {
            assert!(Instant::now() < until, "the client is never counted");
            thread::sleep(Duration::from_millis(1));
        }
        wait_for(&admin, "/readyz", expected);
        drop(client);
        wait_for(&admin, "/readyz", (200, "ok\n"));
    }
}

#[test]
fn a_server_is_not_ready_without_what_it_depends_on() {
    let available = Arc::new(AtomicBool::new(false));
    let check_of = Arc::clone(&available);
    let (_running, admin) = started(service().with_ready_check(move || check_of.load(Ordering::SeqCst)));
    let expected = (503, "what the service depends on is not available\n".to_owned());
    assert_eq!(check(&admin, "/readyz"), expected);
    assert_eq!(check(&admin, "/healthz"), (200, "ok\n".to_owned()), "it serves, though not usefully");
    available.store(true, Ordering::SeqCst);
    assert_eq!(check(&admin, "/readyz"), (200, "ok\n".to_owned()));
}

#[test]
fn a_stop_is_announced_drained_and_over() {
    let (release, gate) = channel();
    let (running, admin) = started(Service::framed(Arc::new(Gate(Mutex::new(gate))), Framing::Line));
    running.announce_stop();
    assert_eq!(check(&admin, "/readyz"), (503, "the server is about to stop\n".to_owned()));
    let mut client = TcpStream::connect(running.address()).expect("it still accepts");
    client.write_all(b"hello\n").expect("it is sent");
    let until = Instant::now() + BOUND;
    while running.statistics().open() == 0 {
        assert!(Instant::now() < until, "the client is never counted");
        thread::sleep(Duration::from_millis(1));
    }
    running.stop();
    wait_for(&admin, "/readyz", (503, "the server is draining\n"));
    release.send(()).expect("the message is being answered");
    let mut said = String::new();
    client.read_to_string(&mut said).expect("an end");
    assert_eq!(said, "hello\n");
    drop(client);
    running.wait().expect("a report");
    assert_eq!(check(&admin, "/readyz"), (503, "the server has ended\n".to_owned()));
    assert_eq!(check(&admin, "/healthz"), (503, "the server has ended\n".to_owned()));
    let (status, metrics) = check(&admin, "/metrics");
    assert!(status == 200 && metrics.contains("\nanyloop_accepted_connections_total 1\n"), "{metrics}");
}

#[test]
fn connections_that_are_kept_leave_room_for_others() {
    let (_running, admin) = started(service());
    let mut kept: Vec<_> =
        (0..100).map(|_| TcpStream::connect(admin.address()).expect("a connection")).collect();
    for socket in &mut kept {
        socket.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").expect("it is sent");
    }
    for socket in &mut kept {
        socket.set_read_timeout(Some(BOUND)).expect("a timeout");
        let mut status = [0; 15];
        socket.read_exact(&mut status).expect("a response");
        assert_eq!(&status, b"HTTP/1.1 200 OK");
    }
}

#[test]
fn it_listens_on_a_unix_socket() {
    let (running, _) = started(service());
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("admin.sock");
    let admin = admin::start(Listener::bind_unix(&path, None).expect("a socket"), running.monitor());
    let admin = admin.expect("an admin server");
    let response = ask(UnixStream::connect(&path).expect("a connection"), "/healthz").expect("a response");
    assert_eq!(response, (200, "ok\n".to_owned()));
    admin.stop_now();
    admin.wait().expect("a report");
    assert!(!path.exists(), "the path is removed");
}
