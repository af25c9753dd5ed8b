//! Servers in programs that use tokio, on the program's runtime or on their own.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyloop_backend_tokio::Tokio;
use common::{Client, Flow, Framing, Handler, Outcome, Replies, Service, Session};
use handlers::Echo;
use serving::{Backend, Requested, Running, Stop, start};
use tokio::runtime::{Builder, Runtime};

fn started(backend: impl Backend + 'static) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    start(backend, listener, Service::framed(Arc::new(Echo), Framing::Line)).expect("a server")
}

/// Starts a client on another thread, since a thread of the runtime may have to serve it. The future completes when the client
/// has received a reply; the thread ends when the server closes the connection.
fn client(running: &Running) -> (Requested, JoinHandle<()>) {
    let address = running.address().clone();
    let replied = Stop::new();
    let has_reply = replied.requested();
    let client = thread::spawn(move || {
        let mut client = TcpStream::connect(address).expect("a connection");
        client.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
        client.write_all(b"hello\n").expect("it is sent");
        let mut reply = [0; 6];
        client.read_exact(&mut reply).expect("a reply");
        assert_eq!(&reply, b"hello\n");
        replied.drain();
        assert_eq!(client.read(&mut [0]).expect("a clean end"), 0);
    });
    (has_reply, client)
}

fn runtimes() -> [Runtime; 2] {
    [Builder::new_multi_thread(), Builder::new_current_thread()]
        .map(|mut builder| builder.enable_io().build().expect("a runtime"))
}

#[test]
fn a_server_is_awaited_on_the_programs_runtime_or_beside_it() {
    for runtime in runtimes() {
        for on_it in [true, false] {
            let report = runtime.block_on(async {
                let mut running = if on_it { started(Tokio::current()) } else { started(Tokio) };
                let (has_reply, client) = client(&running);
                let stop = running.stop_handle();
                let stopping = tokio::spawn(async move {
                    has_reply.await;
                    stop.drain();
                });
                running.stop_handle().requested().await;
                let report = (&mut running).await.expect("a report");
                stopping.await.expect("no panic");
                client.join().expect("no panic");
                assert_eq!(running.statistics(), report);
                report
            });
            assert_eq!((report.messages, report.outcome(Outcome::Drained)), (1, 1));
        }
    }
}

#[test]
fn dropping_a_server_in_a_task_drains_it() {
    for runtime in runtimes() {
        let client = runtime.block_on(async {
            let running = started(Tokio::current());
            let (has_reply, client) = client(&running);
            let stop = running.stop_handle();
            has_reply.await;
            drop(running);
            stop.requested().await;
            tokio::spawn(async {}).await.expect("no panic"); // the runtime is not blocked
            // Not on this thread, which may have to serve the client.
            tokio::task::spawn_blocking(|| client.join().expect("no panic")).await
        });
        client.expect("a clean end");
    }
}

#[test]
fn shutting_down_the_runtime_ends_the_server_with_an_error() {
    for runtime in runtimes() {
        let running = started(Tokio::on(runtime.handle().clone()));
        let client = TcpStream::connect(running.address()).expect("a connection");
        drop(runtime);
        assert!(running.wait().is_err());
        let last = running.statistics();
        assert_eq!(last.open(), 0, "{last}");
        drop(client);
    }
}

#[test]
fn a_runtime_without_io_is_an_error() {
    let runtime = Builder::new_multi_thread().build().expect("a runtime");
    let error = started(Tokio::on(runtime.handle().clone())).wait().expect_err("no I/O driver");
    assert!(error.to_string().contains("enable_io"), "{error}");
}

#[test]
fn clients_are_served_on_the_threads_of_the_runtime() {
    /// Reports the name of the thread that serves a client.
    struct ThreadName(Mutex<Sender<Option<String>>>);

    impl Handler for ThreadName {
        fn open(&self, _: &Client, _: &mut Replies<'_>) -> Box<dyn Session> {
            let name = thread::current().name().map(str::to_owned);
            self.0.lock().expect("no panic").send(name).expect("the test receives");
            Box::new(Echo)
        }
    }

    let runtime =
        Builder::new_multi_thread().worker_threads(1).thread_name("the program's").enable_io().build();
    let runtime = runtime.expect("a runtime");
    let (sender, served_on) = channel();
    let service = Service::framed(Arc::new(ThreadName(Mutex::new(sender))), Framing::Line);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let running = start(Tokio::on(runtime.handle().clone()), listener, service).expect("a server");
    let client = TcpStream::connect(running.address()).expect("a connection");
    let name = served_on.recv_timeout(Duration::from_secs(20)).expect("a client");
    assert_eq!(name.as_deref(), Some("the program's"));
    drop(client);
    running.stop();
    running.wait().expect("a report");
}

/// Answers each message in a task of the runtime.
struct Awaits;

impl Handler for Awaits {
    fn open(&self, _: &Client, _: &mut Replies<'_>) -> Box<dyn Session> {
        Box::new(Self)
    }
}

impl Session for Awaits {
    fn message(&mut self, message: &[u8], out: &mut Replies<'_>) -> Flow {
        let (message, later) = (message.to_vec(), out.later());
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            later.send(message).expect("a client");
        });
        Flow::Continue
    }
}

#[test]
fn a_session_spawns_a_future_that_answers() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let running = start(Tokio, listener, Service::framed(Arc::new(Awaits), Framing::Line)).expect("a server");
    let mut client = TcpStream::connect(running.address()).expect("a connection");
    client.write_all(b"one\ntwo\n").expect("it is sent");
    let mut replies = [0; 8];
    client.read_exact(&mut replies).expect("two replies");
    assert_eq!(&replies, b"one\ntwo\n");
}
