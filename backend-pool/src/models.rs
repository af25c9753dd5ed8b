//! A model of the scheduler: `RUSTFLAGS="--cfg shuttle" cargo test -p anyloop-backend-pool --lib models`.
//!
//! Leader, monitor and helpers are threads of the model, which serve real sockets by the real poller. Whoever waits in the
//! poller looks into it again and again, so that the other threads of the model go on.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use common::sync::atomic::{AtomicUsize, Ordering};
use common::sync::{Mutex, MutexGuard};
use common::{Address, Clock, Flow, Framing, Handle, Handler, Replies, Service, Session};
use rayon::Yield;
use serving::{Acceptor, Admission, ManualServer, Notifier, Socket, Stop};
use shuttle::scheduler::RandomScheduler;
use shuttle::{Config, Runner, thread};

use crate::poller::{Event, Poller, System};
use crate::scheduler::{Scheduler, State};

/// Tries this number of interleavings.
const ITERATIONS: usize = 1_000;

/// The threads of a pool: each job has one, since there are never more jobs than workers.
pub(crate) struct ThreadPool {
    workers: usize,
    jobs: Arc<AtomicUsize>,
}

impl ThreadPool {
    pub(crate) fn new(workers: usize) -> Self {
        Self { workers, jobs: Arc::default() }
    }

    pub(crate) fn current_num_threads(&self) -> usize {
        self.workers
    }

    pub(crate) fn yield_local(&self) -> Option<Yield> {
        Some(Yield::Idle)
    }

    pub(crate) fn spawn(&self, job: impl FnOnce() + Send + 'static) {
        let (jobs, workers) = (Arc::clone(&self.jobs), self.workers);
        thread::spawn(move || {
            // A worker begins a job after the one before has returned, which may be after its helper was subtracted.
            while jobs.fetch_add(1, Ordering::SeqCst) >= workers {
                jobs.fetch_sub(1, Ordering::SeqCst);
                thread::yield_now();
            }
            job();
            jobs.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

impl<P: Poller> Scheduler<P> {
    /// A wait with a timeout ends after any number of steps of the other threads.
    pub(crate) fn wait_timeout<'a>(
        &'a self,
        state: MutexGuard<'a, State>,
        _: Duration,
    ) -> MutexGuard<'a, State> {
        drop(state);
        thread::yield_now();
        self.state()
    }
}

/// The system's poller, which blocks no thread of the model.
struct Polls(System);

impl Poller for Polls {
    type Events = <System as Poller>::Events;

    fn new(notifier: &Notifier) -> io::Result<Self> {
        <System as Poller>::new(notifier).map(Self)
    }

    fn events() -> Self::Events {
        <System as Poller>::events()
    }

    fn add(&self, socket: &Socket, key: usize) -> io::Result<()> {
        Poller::add(&self.0, socket, key)
    }

    fn remove(&self, socket: &Socket) {
        Poller::remove(&self.0, socket);
    }

    fn wait(
        &self,
        events: &mut Self::Events,
        timeout: Option<Duration>,
    ) -> io::Result<impl Iterator<Item = Event>> {
        loop {
            let reported: Vec<_> = Poller::wait(&self.0, events, Some(Duration::ZERO))?.collect();
            if !reported.is_empty() || timeout.is_some() {
                return Ok(reported.into_iter());
            }
            thread::yield_now();
        }
    }
}

/// Sends each message back. At `block` it waits until another client has sent `release`, or was pushed something.
#[derive(Clone, Default)]
struct Blocking {
    released: Arc<AtomicUsize>,
    /// A handle to each client.
    handles: Arc<Mutex<Vec<Handle>>>,
}

impl Handler for Blocking {
    fn open(&self, client: &common::Client, _: &mut Replies<'_>) -> Box<dyn Session> {
        self.handles.lock().unwrap().push(client.handle());
        Box::new(self.clone())
    }
}

impl Session for Blocking {
    fn message(&mut self, message: &[u8], out: &mut Replies<'_>) -> Flow {
        match message {
            b"block" => {
                while self.released.load(Ordering::SeqCst) == 0 {
                    thread::yield_now();
                }
            }
            _ => drop(self.released.fetch_add(1, Ordering::SeqCst)),
        }
        out.send(message);
        Flow::Continue
    }

    fn notified(&mut self, message: &[u8], out: &mut Replies<'_>) -> Flow {
        self.message(message, out)
    }
}

/// A server with a scheduler, and its clients.
struct Server {
    server: ManualServer,
    acceptor: Acceptor,
    scheduler: Arc<Scheduler<Polls>>,
    handles: Arc<Mutex<Vec<Handle>>>,
}

impl Server {
    fn new(workers: usize) -> Self {
        let handler = Blocking::default();
        let handles = Arc::clone(&handler.handles);
        let service = Service::framed(Arc::new(handler), Framing::Line);
        let (clock, waker) = (Clock::new(Instant::now), Waker::noop().clone());
        let (server, acceptor) =
            ManualServer::new(Arc::new(service), &Stop::new(), clock, Address::Unknown, waker);
        let scheduler = Scheduler::start(workers, server.failure()).unwrap();
        Self { server, acceptor, scheduler, handles }
    }

    /// Connects a client. Returns its socket.
    fn connect(&mut self) -> UnixStream {
        let (own, socket) = UnixStream::pair().unwrap();
        own.set_nonblocking(true).unwrap();
        socket.set_nonblocking(true).unwrap();
        let accepted = Ok((Socket::from(socket), Address::Unknown));
        let Admission::Client(socket, conversation) = self.acceptor.admit(accepted) else {
            panic!("the client is refused");
        };
        self.scheduler.add(socket, conversation);
        own
    }

    /// Stops the workers and the monitor, and waits until each has ended: then nobody else has the scheduler.
    fn end(self) {
        self.scheduler.stop();
        while Arc::strong_count(&self.scheduler) > 1 {
            thread::yield_now();
        }
        drop((self.acceptor, self.server));
    }
}

/// Reads a reply. If the server has forgotten the client, this never ends, which shuttle reports.
fn expect(mut socket: &UnixStream, reply: &[u8]) {
    let mut received = Vec::new();
    while received.len() < reply.len() {
        let mut buffer = [0; 64];
        match socket.read(&mut buffer) {
            Ok(count) => received.extend_from_slice(&buffer[..count]),
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
        }
        thread::yield_now();
    }
    assert_eq!(received, reply);
}

fn explore(model: impl Fn() + Send + Sync + 'static) {
    let mut config = Config::new();
    config.stack_size = 512 * 1024; // a read has a buffer on the stack
    Runner::new(RandomScheduler::new(ITERATIONS), config).run(model);
}

/// While a handler blocks, a helper serves the other client, without which the handler would block for ever.
#[test]
fn a_client_is_served_while_a_handler_blocks() {
    explore(|| {
        let mut server = Server::new(2);
        let [mut blocks, mut releases] = [server.connect(), server.connect()];
        let sending = thread::spawn(move || {
            releases.write_all(b"release\n").unwrap();
            expect(&releases, b"release\n");
            releases
        });
        blocks.write_all(b"block\n").unwrap();
        expect(&blocks, b"block\n");
        drop(sending.join().unwrap());
        server.end();
    });
}

/// While a handler blocks, a helper serves a client that was pushed something.
#[test]
fn a_client_is_woken_while_a_handler_blocks() {
    explore(|| {
        let mut server = Server::new(2);
        let idle = server.connect();
        while server.handles.lock().unwrap().is_empty() {
            thread::yield_now();
        }
        let mut blocks = server.connect();
        let idle_one = server.handles.lock().unwrap()[0].clone();
        let pushing = thread::spawn(move || idle_one.send(*b"push").unwrap());
        blocks.write_all(b"block\n").unwrap();
        expect(&idle, b"push\n");
        expect(&blocks, b"block\n");
        pushing.join().unwrap();
        server.end();
    });
}

/// What a client sends and what it is pushed while it is served is not forgotten when it is parked.
#[test]
fn what_arrives_while_a_client_is_served_is_served_next() {
    explore(|| {
        let mut server = Server::new(2);
        let client = server.connect();
        while server.handles.lock().unwrap().is_empty() {
            thread::yield_now();
        }
        let handle = server.handles.lock().unwrap()[0].clone();
        let pushing = thread::spawn(move || (0..3).for_each(|_| handle.send(*b"1").unwrap()));
        let mut sender = client.try_clone().unwrap();
        let sending = thread::spawn(move || {
            for _ in 0..3 {
                sender.write_all(b"1\n").unwrap();
                thread::yield_now();
            }
        });
        expect(&client, &b"1\n".repeat(6));
        pushing.join().unwrap();
        sending.join().unwrap();
        server.end();
    });
}

/// A pool of one worker has no helpers. It serves each client, and a push that finds it waiting or busy.
#[test]
fn one_worker_serves_all() {
    explore(|| {
        let mut server = Server::new(1);
        let mut clients = [(); 2].map(|()| server.connect());
        for client in &mut clients {
            client.write_all(b"hello\n").unwrap();
        }
        clients.iter().for_each(|client| expect(client, b"hello\n"));
        let handles = server.handles.lock().unwrap().clone();
        let pushing = thread::spawn(move || handles.iter().for_each(|handle| handle.send(*b"push").unwrap()));
        clients.iter().for_each(|client| expect(client, b"push\n"));
        pushing.join().unwrap();
        server.end();
    });
}
