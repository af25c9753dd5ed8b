//! The pool on each of its pollers.

use std::io::{self, BufRead, BufReader, Write};
use std::marker::PhantomData;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use common::{Flow, Framing, Handler, Replies, Service, Session};
use serving::{Backend, Capabilities, Listener, Report, Stop};

use crate::poller::{Poller, System};
use crate::{Pool, serve};

/// The pool on a poller of this type.
struct On<P>(PhantomData<P>);

impl<P: Poller> Backend for On<P> {
    fn name(&self) -> &'static str {
        "pool"
    }

    fn capabilities(&self) -> Capabilities {
        Pool.capabilities()
    }

    fn serve(&self, listener: Listener, service: Arc<Service>, stop: &Stop) -> io::Result<Report> {
        serve::<P>(self, listener, service, stop)
    }
}

/// The conformance kit on the portable poller, which the backend doesn't use on Linux.
#[cfg(target_os = "linux")]
mod portable {
    use super::*;

    conformance::tcp_suite!(On::<crate::poller::Portable>(PhantomData));
}

/// A test fails after this time.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Sends each message back. At `block`, first reports that it has begun, and blocks until it is released.
struct Blocking {
    begun: Sender<()>,
    released: Mutex<Receiver<()>>,
}

struct Shared(Arc<Blocking>);

impl Handler for Shared {
    fn open(&self, _: &common::Client, _: &mut Replies<'_>) -> Box<dyn Session> {
        Box::new(Self(Arc::clone(&self.0)))
    }
}

impl Session for Shared {
    fn message(&mut self, message: &[u8], out: &mut Replies<'_>) -> Flow {
        if message == b"block" {
            let released = self.0.released.lock().expect("one handler blocks at a time");
            self.0.begun.send(()).expect("the test receives");
            released.recv_timeout(TIMEOUT).expect("the handler is released");
        }
        out.send(message);
        Flow::Continue
    }
}

struct Client(BufReader<TcpStream>);

impl Client {
    fn connect(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).expect("a connection");
        socket.set_read_timeout(Some(TIMEOUT)).expect("a timeout");
        Self(BufReader::new(socket))
    }

    fn send(&mut self, message: &str) {
        self.0.get_mut().write_all(format!("{message}\n").as_bytes()).expect("it is sent");
    }

    fn expect(&mut self, message: &str) {
        let mut reply = String::new();
        self.0.read_line(&mut reply).expect("a reply");
        assert_eq!(reply.trim_end(), message);
    }
}

/// Blocks one handler after the other, and checks each time that other clients are answered, whatever state the leader and the
/// monitor were in. No other event could wake them.
fn clients_are_answered_while_a_handler_blocks<P: Poller>(workers: usize) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    let ((begun, has_begun), (release, released)) = (channel(), channel());
    let handler = Shared(Arc::new(Blocking { begun, released: Mutex::new(released) }));
    let service = Service::framed(Arc::new(handler), Framing::Line);
    let service = service.with_workers(NonZeroUsize::new(workers));
    let stop = Stop::new();
    let server = thread::spawn({
        let stop = stop.clone();
        move || On::<P>(PhantomData).serve(listener.into(), Arc::new(service), &stop)
    });
    let mut blocked = Client::connect(address);
    let mut others = [Client::connect(address), Client::connect(address)];
    for round in 0..300_u64 {
        // These messages find the monitor in different states.
        let before = (round % 7) as usize;
        (0..before).for_each(|_| others.iter_mut().for_each(|other| other.send("before")));
        if round % 2 == 0 {
            (0..before).for_each(|_| others.iter_mut().for_each(|other| other.expect("before")));
        }
        blocked.send("block");
        // The others send at the same time, or later.
        let early = round % 3 == 0;
        if early {
            others.iter_mut().for_each(|other| other.send("meanwhile"));
        }
        has_begun.recv_timeout(TIMEOUT).expect("a handler that blocks");
        thread::sleep(Duration::from_micros(round * 37 % 2500));
        for other in &mut others {
            if round % 2 == 1 {
                (0..before).for_each(|_| other.expect("before"));
            }
            if !early {
                other.send("meanwhile");
            }
            other.expect("meanwhile");
        }
        release.send(()).expect("a handler that blocks");
        blocked.expect("block");
    }
    stop.now();
    server.join().expect("no panic in serve").expect("a report");
}

#[test]
fn clients_are_answered_while_a_handler_blocks_on_the_systems_poller() {
    [2, 3].into_iter().for_each(clients_are_answered_while_a_handler_blocks::<System>);
}

#[test]
#[cfg(target_os = "linux")]
fn clients_are_answered_while_a_handler_blocks_on_the_portable_poller() {
    [2, 3].into_iter().for_each(clients_are_answered_while_a_handler_blocks::<crate::poller::Portable>);
}
