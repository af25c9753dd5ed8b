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

/// The pool on one of its pollers.
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

/// The kit on the poller of other systems, where the backend itself uses another.
#[cfg(target_os = "linux")]
mod portable {
    use super::*;

    conformance::suite!(On::<crate::poller::Portable>(PhantomData));
}

/// How long is waited for what should come at once.
const PATIENCE: Duration = Duration::from_secs(20);

/// At `hold` it says that it has begun, and is held until it is let go. Other messages are answered at once.
struct Holds {
    begun: Sender<()>,
    let_go: Mutex<Receiver<()>>,
}

struct Holding(Arc<Holds>);

impl Handler for Holding {
    fn open(&self, _: &common::Client, _: &mut Replies<'_>) -> Box<dyn Session> {
        Box::new(Self(Arc::clone(&self.0)))
    }
}

impl Session for Holding {
    fn message(&mut self, message: &[u8], out: &mut Replies<'_>) -> Flow {
        if message == b"hold" {
            let let_go = self.0.let_go.lock().expect("one at a time is held");
            self.0.begun.send(()).expect("the test goes on");
            let_go.recv_timeout(PATIENCE).expect("it is let go");
        }
        out.send(message);
        Flow::Continue
    }
}

struct Client(BufReader<TcpStream>);

impl Client {
    fn connect(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).expect("a connection");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        Self(BufReader::new(socket))
    }

    fn says(&mut self, message: &str) {
        self.0.get_mut().write_all(format!("{message}\n").as_bytes()).expect("it is taken");
    }

    fn hears(&mut self, message: &str) {
        let mut reply = String::new();
        self.0.read_line(&mut reply).expect("a reply");
        assert_eq!(reply.trim_end(), message);
    }
}

/// One handler after the other is held, and each time another client is answered, whatever the leader and the monitor
/// were about to do: nothing else happens that could wake them.
fn others_are_answered_while_one_is_held<P: Poller>(workers: usize) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    let ((begun, begins), (go, let_go)) = (channel(), channel());
    let handler = Holding(Arc::new(Holds { begun, let_go: Mutex::new(let_go) }));
    let service = Service::framed(Arc::new(handler), Framing::Line);
    let service = service.with_workers(NonZeroUsize::new(workers));
    let stop = Stop::new();
    let told = stop.clone();
    let server = thread::spawn(move || On::<P>(PhantomData).serve(listener.into(), Arc::new(service), &told));
    let mut held = Client::connect(address);
    let mut others = [Client::connect(address), Client::connect(address)];
    for round in 0..300_u64 {
        // What is said first may find the monitor anywhere: at its patience, on its way, or asleep.
        let before = (round % 7) as usize;
        (0..before).for_each(|_| others.iter_mut().for_each(|other| other.says("before")));
        if round % 2 == 0 {
            (0..before).for_each(|_| others.iter_mut().for_each(|other| other.hears("before")));
        }
        held.says("hold");
        // At the same time, or a while later.
        let early = round % 3 == 0;
        if early {
            others.iter_mut().for_each(|other| other.says("meanwhile"));
        }
        begins.recv_timeout(PATIENCE).expect("it is held");
        thread::sleep(Duration::from_micros(round * 37 % 2500));
        for other in &mut others {
            if round % 2 == 1 {
                (0..before).for_each(|_| other.hears("before"));
            }
            if !early {
                other.says("meanwhile");
            }
            other.hears("meanwhile");
        }
        go.send(()).expect("a handler that is held");
        held.hears("hold");
    }
    stop.now();
    server.join().expect("no panic in serve").expect("a report");
}

#[test]
fn others_are_answered_while_one_is_held_on_the_systems_poller() {
    [2, 3].into_iter().for_each(others_are_answered_while_one_is_held::<System>);
}

#[test]
#[cfg(target_os = "linux")]
fn others_are_answered_while_one_is_held_on_the_portable_poller() {
    [2, 3].into_iter().for_each(others_are_answered_while_one_is_held::<crate::poller::Portable>);
}
