//! A server in a program that uses smol.

use std::net::TcpListener;
use std::sync::Arc;

use anyloop_backend_smol::Smol;
use common::{Framing, Outcome, Service};
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
