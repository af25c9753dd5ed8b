//! A server in a program that uses smol.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use anyloop_backend_smol::Smol;
use common::{Blocking, Client, Flow, Framing, Handler, Outcome, Replies, Service, Session};
use handlers::Echo;
use serving::start;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::net::TcpStream;

#[test]
fn a_program_on_smol_starts_stops_and_awaits_a_server() {
    let report = smol::block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let service = Service::framed(Arc::new(Echo), Framing::Line);
        let running = start(Smol, listener, service).expect("a server");
        let stopped = smol::spawn(running.stop_handle().requested());
        let mut client = TcpStream::connect(running.address().ip().expect("an address of TCP"))
            .await
            .expect("a connection");
        client.write_all(b"hello\n").await.expect("it is sent");
        let mut reply = [0; 6];
        client.read_exact(&mut reply).await.expect("a reply");
        assert_eq!(&reply, b"hello\n");
        running.stop();
        assert_eq!(client.read(&mut reply).await.expect("a clean end"), 0);
        drop(client);
        stopped.await;
        running.await.expect("a report")
    });
    assert_eq!((report.messages, report.outcome(Outcome::Drained)), (1, 1));
}

/// Answers each message in a task.
struct Awaits(Blocking);

impl Handler for Awaits {
    fn open(&self, _: &Client, _: &mut Replies<'_>) -> Box<dyn Session> {
        Box::new(Self(self.0))
    }

    fn blocking(&self) -> Blocking {
        self.0
    }
}

impl Session for Awaits {
    fn message(&mut self, message: &[u8], out: &mut Replies<'_>) -> Flow {
        let (message, later) = (message.to_vec(), out.later());
        Smol::spawn(async move {
            smol::Timer::after(Duration::from_millis(1)).await;
            later.send(message).expect("a client");
        })
        .detach();
        Flow::Continue
    }
}

#[test]
fn a_session_spawns_a_future_that_answers() {
    for blocking in [Blocking::Never, Blocking::MayBlock] {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let service = Service::framed(Arc::new(Awaits(blocking)), Framing::Line);
        let running = start(Smol, listener, service).expect("a server");
        smol::block_on(async {
            let address = running.address().ip().expect("an address of TCP");
            let mut client = TcpStream::connect(address).await.expect("a connection");
            client.write_all(b"one\ntwo\n").await.expect("it is sent");
            let mut replies = [0; 8];
            client.read_exact(&mut replies).await.expect("two replies");
            assert_eq!(&replies, b"one\ntwo\n");
        });
    }
}
