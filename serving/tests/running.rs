//! Servers that are embedded in a program: started, stopped, awaited and dropped.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::num::NonZeroUsize;
use std::pin::pin;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};
use std::{env, fs};

use anyloop_serving::{
    Backend, BlockingHandlers, Buffers, Capabilities, Interrupt, Listener, Report, Running, Server,
    Statistics, Stop, Urgency, Workers, blocking, start,
};
use common::{Client, CloseReason, Flow, Framing, Handler, Outcome, Replies, Service, Session};

/// A test fails after this time.
const BOUND: Duration = Duration::from_secs(20);

/// Serves one client after the other.
struct OneByOne;

impl Backend for OneByOne {
    fn name(&self) -> &'static str {
        "one-by-one"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new("one client at a time", Workers::Caller, BlockingHandlers::OwnThread)
            .with_max_connections(1)
    }

    fn serve(&self, listener: Listener, service: Arc<Service>, stop: &Stop) -> io::Result<Report> {
        let (server, acceptor) = Server::open(self, &listener, service, stop)?;
        let interrupt = Interrupt::of_this_thread()?;
        let mut buffers = Buffers::new();
        server.close(acceptor.accept_all(listener, Listener::accept_blocking, |socket, conversation| {
            blocking::serve(socket, conversation, &interrupt, &mut buffers);
        }))
    }
}

/// Sends each message back. Panics in `closed`, if so configured.
#[derive(Clone, Copy)]
struct Echo {
    panics_in_closed: bool,
}

impl Handler for Echo {
    fn open(&self, _: &Client, _: &mut Replies<'_>) -> Box<dyn Session> {
        Box::new(*self)
    }
}

impl Session for Echo {
    fn message(&mut self, message: &[u8], out: &mut Replies<'_>) -> Flow {
        out.send(message);
        Flow::Continue
    }

    fn closed(&mut self, _: CloseReason) {
        assert!(!self.panics_in_closed, "on purpose");
    }
}

fn service() -> Service {
    Service::framed(Arc::new(Echo { panics_in_closed: false }), Framing::Line)
}

fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").expect("a port")
}

fn started(backend: impl Backend + 'static) -> Running {
    start(backend, listener(), service()).expect("a server")
}

/// A client that has received a reply.
fn served(running: &Running) -> TcpStream {
    let mut client = TcpStream::connect(running.address()).expect("a connection");
    client.set_read_timeout(Some(BOUND)).expect("a timeout");
    client.write_all(b"hello\n").expect("it is sent");
    let mut reply = [0; 6];
    client.read_exact(&mut reply).expect("a reply");
    assert_eq!(&reply, b"hello\n");
    client
}

fn expect_end(mut client: TcpStream) {
    assert_eq!(client.read(&mut [0]).expect("a clean end"), 0);
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + BOUND;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Runs a future on this thread, without a runtime.
fn run<F: Future>(future: F) -> F::Output {
    struct Unparks(Thread);

    impl Wake for Unparks {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unparks(thread::current())));
    let deadline = Instant::now() + BOUND;
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => {
                assert!(Instant::now() < deadline, "the future is never ready");
                thread::park_timeout(BOUND);
            }
        }
    }
}

#[test]
fn start_takes_a_backend_by_value_reference_box_or_arc() {
    static BORROWED: &dyn Backend = &OneByOne;
    let all = [
        started(OneByOne),
        started(BORROWED),
        started(Box::new(OneByOne) as Box<dyn Backend>),
        started(Arc::new(OneByOne) as Arc<dyn Backend>),
    ];
    for running in all {
        let client = served(&running);
        running.stop();
        expect_end(client);
        let report = running.wait().expect("a report");
        assert_eq!((report.accepted, report.messages, report.outcome(Outcome::Drained)), (1, 1, 1));
        assert_eq!((report.bytes_in, report.bytes_out), (6, 6));
        assert_eq!(running.statistics(), report);
        assert!(running.is_finished());
    }
}

#[test]
fn stop_and_wait_may_be_called_repeatedly_and_by_several_threads() {
    let running = started(OneByOne);
    thread::scope(|scope| {
        let waiting = [(); 3].map(|()| scope.spawn(|| running.wait().expect("a report")));
        drop(served(&running));
        running.stop();
        running.stop();
        let reports = waiting.map(|waits| waits.join().expect("no panic"));
        assert!(reports.iter().all(|report| *report == running.wait().expect("a report")));
    });
    running.stop();
    running.stop_now();
    assert_eq!(running.wait().expect("a report").accepted, 1);
    assert_eq!(run(running).expect("a report").accepted, 1);
}

#[test]
fn stop_now_cuts_clients() {
    let running = started(OneByOne);
    let mut client = served(&running);
    client.write_all(b"part").expect("it is sent");
    running.stop_now();
    let report = running.wait().expect("a report");
    assert_eq!(report.reason(CloseReason::Cut), 1);
}

#[test]
fn running_is_a_future_that_needs_no_runtime() {
    let mut running = started(OneByOne);
    let client = served(&running);
    let mut cx = Context::from_waker(Waker::noop());
    assert!(pin!(&mut running).poll(&mut cx).is_pending());
    let stop = running.stop_handle();
    let stopping = thread::spawn(move || stop.drain());
    let report = run(&mut running).expect("a report");
    stopping.join().expect("no panic");
    expect_end(client);
    assert_eq!(report.messages, 1);
    assert!(pin!(&mut running).poll(&mut cx).is_ready(), "the result stays");
}

#[test]
fn a_stop_request_is_awaited() {
    let stop = Stop::new();
    let mut requested = pin!(stop.requested());
    assert!(requested.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let requesting = thread::spawn({
        let stop = stop.clone();
        move || stop.now()
    });
    run(requested.as_mut()); // with another waker than before
    requesting.join().expect("no panic");
    run(stop.requested()); // a request is never withdrawn
    let running = started(OneByOne);
    let handle = running.stop_handle();
    running.stop();
    run(handle.requested());
    assert_eq!(handle.urgency(), Urgency::Drain);
}

#[test]
fn dropping_a_server_drains_it() {
    let running = started(OneByOne);
    let client = served(&running);
    let handle = running.stop_handle();
    drop(running);
    assert_eq!(handle.urgency(), Urgency::Drain);
    expect_end(client);
}

#[test]
fn a_panic_in_closed_does_not_change_the_outcome() {
    let service = Service::framed(Arc::new(Echo { panics_in_closed: true }), Framing::Line);
    let running = start(OneByOne, listener(), service).expect("a server");
    let client = served(&running);
    running.stop();
    expect_end(client);
    assert_eq!(running.wait().expect("a report").outcome(Outcome::Drained), 1);
}

/// Fails or panics before or after it has opened a server.
struct Fails {
    opens: bool,
    how: fn() -> io::Error,
}

impl Backend for Fails {
    fn name(&self) -> &'static str {
        "fails"
    }

    fn capabilities(&self) -> Capabilities {
        OneByOne.capabilities()
    }

    fn serve(&self, listener: Listener, service: Arc<Service>, stop: &Stop) -> io::Result<Report> {
        let opened = self.opens.then(|| Server::open(self, &listener, service, stop).expect("a server"));
        let served = Err((self.how)());
        match opened {
            Some((server, _acceptor)) => server.close(served),
            None => served.map(|()| Report::default()),
        }
    }
}

#[test]
fn a_backend_that_fails_or_panics_is_an_error() {
    type Way = (fn() -> io::Error, &'static str);
    let ways: [Way; 4] = [
        (|| io::Error::new(ErrorKind::Unsupported, "no ring"), "no ring"),
        (|| io::Error::from_raw_os_error(24), "os error 24"),
        (|| panic!("a {}", "String"), "the backend panicked: a String"),
        (|| panic!("a str"), "the backend panicked: a str"),
    ];
    for (how, expected) in ways {
        for opens in [false, true] {
            let running = started(Fails { opens, how });
            let errors = [running.wait(), running.wait()].map(|ended| ended.expect_err("an error"));
            assert!(errors.iter().all(|error| error.to_string().contains(expected)), "{errors:?}");
            assert_eq!(errors[0].kind(), errors[1].kind());
            assert_eq!(errors[0].raw_os_error(), errors[1].raw_os_error());
            assert_eq!(running.statistics(), Statistics::default());
            assert!(run(running).is_err());
        }
    }
}

#[test]
fn a_service_that_the_backend_does_not_support_is_an_error() {
    let service = service().with_workers(NonZeroUsize::MIN);
    let running = start(OneByOne, listener(), service).expect("a thread");
    let error = running.wait().expect_err("workers are not supported");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

/// Panics while it holds the server and a conversation.
struct Breaks(Mutex<Sender<()>>);

impl Backend for Breaks {
    fn name(&self) -> &'static str {
        "breaks"
    }

    fn capabilities(&self) -> Capabilities {
        OneByOne.capabilities()
    }

    fn serve(&self, listener: Listener, service: Arc<Service>, stop: &Stop) -> io::Result<Report> {
        let mut held = Vec::new();
        let (_server, acceptor) = Server::open(self, &listener, service, stop)?;
        acceptor.accept_all(listener, Listener::accept_blocking, |_, conversation| {
            held.push(conversation);
            self.0.lock().unwrap_or_else(PoisonError::into_inner).send(()).expect("the test receives");
            panic!("on purpose");
        })?;
        unreachable!()
    }
}

#[test]
fn a_backend_that_panics_has_counted_its_clients() {
    let (sender, broken): (_, Receiver<()>) = channel();
    let running = started(Breaks(Mutex::new(sender)));
    let client = TcpStream::connect(running.address()).expect("a connection");
    broken.recv_timeout(BOUND).expect("an accepted client");
    assert!(running.wait().is_err());
    let last = running.statistics();
    assert_eq!((last.accepted, last.open(), last.reason(CloseReason::Cut)), (1, 0, 1));
    drop(client);
}

#[test]
fn statistics_are_current_while_the_server_serves() {
    let running = started(OneByOne);
    let mut client = served(&running);
    wait_until("a client and a message are counted", || {
        let now = running.statistics();
        (now.open(), now.accepted, now.messages, now.bytes_in, now.bytes_out) == (1, 1, 1, 6, 6)
    });
    client.write_all(b"to\nand fro").expect("it is sent");
    wait_until("a message and a part of one are counted", || {
        let now = running.statistics();
        (now.messages, now.bytes_in, now.bytes_out) == (2, 16, 9)
    });
    client.read_exact(&mut [0; 3]).expect("a reply"); // otherwise closing the socket would reset the connection
    drop(client);
    wait_until("the end is counted", || running.statistics().open() == 0);
    assert_eq!(running.statistics().reason(CloseReason::Incomplete), 1);
}

/// Set in the child process of a test.
const PROGRAM: &str = "ANYLOOP_TEST_PROGRAM";

/// A program that serves a client, and returns without a stop.
fn program(way: &str) {
    let running = started(OneByOne);
    let client = served(&running);
    if way == "forgets" {
        std::mem::forget(running);
    }
    std::mem::forget(client); // so that the client stays connected
}

#[test]
fn a_program_that_returns_without_a_stop_ends() {
    if let Ok(way) = env::var(PROGRAM) {
        return program(&way);
    }
    for way in ["drops", "forgets"] {
        let mut test = Command::new(env::current_exe().expect("a program"));
        test.args(["--exact", "a_program_that_returns_without_a_stop_ends"]).env(PROGRAM, way);
        let mut child = test.stdout(Stdio::null()).spawn().expect("a process");
        wait_until("the program ends", || child.try_wait().expect("a process").is_some());
        assert!(child.wait().expect("an exit status").success(), "{way}");
    }
}

#[test]
fn too_few_descriptors_are_an_error() {
    if env::var(PROGRAM).is_err() {
        let mut test = Command::new(env::current_exe().expect("a program"));
        test.args(["--exact", "too_few_descriptors_are_an_error"]).env(PROGRAM, "few");
        return assert!(test.stdout(Stdio::null()).status().expect("a process").success());
    }
    let listener = listener();
    let open = fs::read_dir("/proc/self/fd").expect("a folder").count() as u64;
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let few = rustix::process::Rlimit { current: Some(open + 1), ..limit };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, few).expect("a limit");
    let running = start(OneByOne, listener, service()).expect("a thread");
    let error = running.wait().expect_err("too few descriptors").to_string();
    assert!(error.contains("descriptors") || error.contains("open files"), "{error}");
}

#[test]
fn a_server_is_ready_while_it_accepts_and_its_check_passes() {
    let available = Arc::new(AtomicBool::new(true));
    let check = Arc::clone(&available);
    let service = service().with_ready_check(move || check.load(Ordering::SeqCst));
    let running = start(OneByOne, listener(), service).expect("a server");
    for is_available in [true, false, true] {
        available.store(is_available, Ordering::SeqCst);
        assert_eq!(running.ready(), is_available);
    }
    running.stop();
    assert!(!running.ready());
    running.wait().expect("a report");
}
