//! The serving layer without a backend: conversations that the tests drive, and workers that fail.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use anyloop_serving::{
    Accepting, Acceptor, Admission, Backend, BlockingHandlers, Buffers, Capabilities, Conversation,
    Interrupt, Listener, Report, Server, Socket, Stop, Transport, Wait, WorkerContext, WorkerGroup, Workers,
    blocking, start,
};
use common::{Clock, CloseReason, Framing, Limits, Outcome, Service};
use handlers::Echo;
use rustix::time::{ClockId, clock_gettime};

/// Provides only the capabilities. The tests do the serving.
struct Backendless;

impl Backend for Backendless {
    fn name(&self) -> &'static str {
        "none"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new("none", Workers::Chosen, BlockingHandlers::Offloaded)
    }

    fn serve(&self, _: Listener, _: Arc<Service>, _: &Stop) -> io::Result<Report> {
        Err(ErrorKind::Unsupported.into())
    }
}

fn open() -> (Listener, Server, Acceptor, Stop) {
    open_with_clock(Clock::new(Instant::now))
}

fn open_with_clock(clock: Clock) -> (Listener, Server, Acceptor, Stop) {
    let listener = Listener::from(TcpListener::bind("127.0.0.1:0").expect("a port"));
    let service = Arc::new(Service::framed(Arc::new(Echo), Framing::Line));
    let stop = Stop::new();
    let opened = Server::open_with_clock(&Backendless, &listener, service, &stop, clock);
    let (server, acceptor) = opened.expect("a server");
    (listener, server, acceptor, stop)
}

/// A client, its socket and its conversation.
fn admit(listener: &Listener, acceptor: &mut Acceptor) -> (TcpStream, Socket, Conversation) {
    let client = TcpStream::connect(listener.address().expect("an address")).expect("a connection");
    loop {
        match acceptor.admit(listener.accept()) {
            Admission::Client(socket, conversation) => return (client, socket, conversation),
            Admission::None | Admission::WouldBlock => thread::yield_now(),
        }
    }
}

/// A socket whose writes always fail with `WouldBlock`.
struct Refusing {
    socket: Socket,
    writes: usize,
}

impl Transport for Refusing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Transport::read(&mut &self.socket, buffer)
    }

    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        self.writes += 1;
        Err(ErrorKind::WouldBlock.into())
    }

    fn arrived(&self) -> usize {
        (&self.socket).arrived()
    }

    fn queued(&self) -> u64 {
        (&self.socket).queued()
    }
}

#[test]
fn a_client_that_was_accepted_when_the_listener_was_handed_over_is_served() {
    let (listener, server, mut acceptor, stop) = open();
    let connect = || TcpStream::connect(listener.address().expect("an address")).expect("a connection");
    let mut client = connect();
    client.write_all(b"hello\n").expect("it is sent");
    let accepted = loop {
        match listener.accept() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::yield_now(),
            accepted => break accepted,
        }
    };
    let _waiting = connect();
    stop.hand_over();
    while acceptor.what_now() != Accepting::Stopped {
        thread::yield_now();
    }
    let Admission::Client(socket, conversation) = acceptor.admit(accepted) else { panic!("it is refused") };
    drop(acceptor);
    blocking::serve(
        socket,
        conversation,
        &Interrupt::of_this_thread().expect("signals"),
        &mut Buffers::new(),
    );
    let mut said = String::new();
    client.read_to_string(&mut said).expect("a clean end");
    assert_eq!(said, "hello\n");
    let report = server.close(Ok(())).expect("a report");
    assert_eq!((report.accepted, report.outcome(Outcome::Drained)), (1, 1));
    assert!(listener.accept().is_ok(), "the other client is left to the successor");
}

#[test]
fn a_server_that_fails_at_its_start_accepts_nobody() {
    let service = Service::framed(Arc::new(Echo), Framing::Line);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let running = start(Backendless, listener, service).expect("a server");
    let error = running.wait_until_accepting().expect_err("it has failed");
    assert_eq!((error.kind(), running.sweeps()), (ErrorKind::Unsupported, 0));
}

#[test]
fn repeated_would_block_pauses_writes() {
    let (listener, server, mut acceptor, stop) = open();
    let (mut client, socket, mut conversation) = admit(&listener, &mut acceptor);
    client.write_all(b"hello\n").expect("it is sent");
    rustix::io::ioctl_fionbio(&socket, false).expect("a socket that blocks");
    let mut refusing = Refusing { socket, writes: 0 };
    let mut buffers = Buffers::new();
    for round in 0..2 {
        if round == 0 {
            assert_eq!(conversation.advance(&mut refusing, &mut buffers), Wait::Turn); // its session was opened
        }
        assert_eq!(conversation.advance(&mut refusing, &mut buffers), Wait::Writable);
        assert_eq!(conversation.advance(&mut refusing, &mut buffers), Wait::Writable, "it is not writable");
        conversation.ready(false);
        assert_eq!(conversation.advance(&mut refusing, &mut buffers), Wait::Writable);
        conversation.ready(false);
        assert_eq!(conversation.advance(&mut refusing, &mut buffers), Wait::Wakeup);
        assert_eq!(refusing.writes, 3 * (round + 1));
        // The maintenance thread ends the pause.
        let deadline = Instant::now() + Duration::from_secs(10);
        while !conversation.is_marked() {
            assert!(Instant::now() < deadline, "the pause does not end");
            thread::yield_now();
        }
    }
    drop(conversation);
    stop.now();
    acceptor
        .accept_all(listener, Listener::accept, |_, _| unreachable!("no client connects"))
        .expect("an end");
    assert_eq!(server.close(Ok(())).expect("a report").ended(), 1);
}

#[test]
fn blocking_serve_polls_a_non_blocking_socket() {
    let (listener, server, mut acceptor, stop) = open();
    let (mut client, socket, conversation) = admit(&listener, &mut acceptor);
    let served = thread::spawn(move || {
        let interrupt = Interrupt::of_this_thread().expect("an interrupt");
        blocking::serve(socket, conversation, &interrupt, &mut Buffers::new());
        clock_gettime(ClockId::ThreadCPUTime)
    });
    thread::sleep(Duration::from_millis(300)); // a busy loop would use this time
    client.write_all(b"hello\n").expect("it is sent");
    let mut reply = [0; 6];
    client.read_exact(&mut reply).expect("a reply");
    assert_eq!(&reply, b"hello\n");
    drop(client);
    let spent = served.join().expect("no panic");
    assert!(spent.tv_sec == 0 && spent.tv_nsec < 60_000_000, "it used {spent:?} of CPU time");
    stop.now();
    acceptor
        .accept_all(listener, Listener::accept, |_, _| unreachable!("no client connects"))
        .expect("an end");
    assert_eq!(server.close(Ok(())).expect("a report").messages, 1);
}

#[test]
fn a_worker_that_fails_or_panics_ends_the_server_with_an_error() {
    type Work = fn(WorkerContext) -> io::Result<()>;
    let works: [(Work, &str); 4] = [
        (
            |context| if context.accept_loop.is_some() { Err(io::Error::other("no ring")) } else { Ok(()) },
            "no ring",
        ),
        (|context| if context.accept_loop.is_some() { panic!("on purpose") } else { Ok(()) }, "panicked"),
        // The first worker accepts until the server stops.
        (
            |context| match context.accept_loop {
                Some(mut accept_loop) => loop {
                    let none = |_: &Listener| Err(ErrorKind::WouldBlock.into());
                    let accepting = accept_loop.turn(none, |_, _| unreachable!());
                    if accepting == Accepting::Stopped {
                        return Ok(());
                    }
                    thread::sleep(Duration::from_millis(1));
                },
                None => Err(io::Error::other("no memory")),
            },
            "no memory",
        ),
        (|_| Ok(()), "no stop was requested"),
    ];
    for (work, expected) in works {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let service = Service::framed(Arc::new(Echo), Framing::Line).with_workers(NonZeroUsize::new(2));
        let ended =
            WorkerGroup::serve(&Backendless, listener.into(), Arc::new(service), &Stop::new(), Ok, work);
        let error = ended.expect_err("the server ends with an error").to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn closing_with_an_error_does_not_wait_for_the_acceptor() {
    let (_listener, server, acceptor, _stop) = open();
    let (sender, closed) = std::sync::mpsc::channel();
    thread::spawn(move || drop(sender.send(server.close(Err(io::Error::other("no runtime"))))));
    // Less than the drain timeout, after which the server would end anyway.
    let error = closed.recv_timeout(Duration::from_secs(8)).expect("an end").expect_err("an error");
    assert_eq!(error.to_string(), "no runtime");
    drop(acceptor);
}

#[test]
fn dropping_a_server_cuts_its_clients() {
    let (listener, server, mut acceptor, _stop) = open();
    let (mut client, socket, mut conversation) = admit(&listener, &mut acceptor);
    drop(acceptor);
    drop(server);
    assert_eq!(conversation.advance(&socket, &mut Buffers::new()), Wait::Over);
    conversation.end(socket);
    assert_eq!(client.read(&mut [0]).expect("an end"), 0);
}

#[test]
fn deadlines_follow_the_clock_of_the_server() {
    let now = Arc::new(Mutex::new(Instant::now()));
    let shared = Arc::clone(&now);
    let (listener, server, mut acceptor, stop) = open_with_clock(Clock::new(move || *shared.lock().unwrap()));
    let (client, socket, mut conversation) = admit(&listener, &mut acceptor);
    let mut buffers = Buffers::new();
    while conversation.advance(&socket, &mut buffers) != Wait::Readable {}
    let idle_timeout = Limits::default().idle_timeout.expect("a timeout");
    *now.lock().unwrap() += idle_timeout - Duration::from_nanos(1);
    thread::sleep(Duration::from_millis(600)); // more than two sweeps take
    assert!(!conversation.is_marked(), "the deadline is early");
    *now.lock().unwrap() += Duration::from_secs(1); // a deadline is late by one sweep at most
    let deadline = Instant::now() + Duration::from_secs(10);
    while !conversation.is_marked() {
        assert!(Instant::now() < deadline, "the deadline doesn't pass");
        thread::yield_now();
    }
    while conversation.advance(&socket, &mut buffers) != Wait::Over {}
    conversation.end(socket);
    let mut received = String::new();
    (&client).read_to_string(&mut received).expect("the end");
    assert_eq!(received, "ERR timeout idle\n");
    drop(client);
    stop.now();
    acceptor
        .accept_all(listener, Listener::accept, |_, _| unreachable!("no client connects"))
        .expect("an end");
    assert_eq!(server.close(Ok(())).expect("a report").reason(CloseReason::IdleTimeout), 1);
}
