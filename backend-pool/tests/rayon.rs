//! Handlers that use rayon.

mod serving;

use std::cell::Cell;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use rayon::iter::{IntoParallelIterator, ParallelIterator};

use serving::{Server, TIMEOUT};

/// Blocks threads until it is opened.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    fn open(&self) {
        *self.0.0.lock().expect("no panic under the lock") = true;
        self.0.1.notify_all();
    }

    /// Waits until the gate is open, or for the timeout. Returns whether it is open.
    fn pass(&self) -> bool {
        let open =
            self.0.1.wait_timeout_while(self.0.0.lock().expect("no panic under the lock"), TIMEOUT, |open| {
                !*open
            });
        *open.expect("no panic under the lock").0
    }
}

/// A channel whose sender several threads may share.
fn shared_channel() -> (Mutex<Sender<String>>, Receiver<String>) {
    let (sender, receiver) = channel();
    (Mutex::new(sender), receiver)
}

#[test]
fn both_halves_of_a_join_run_at_once_on_an_idle_pool() {
    for workers in [2, 3] {
        let server = Server::start(workers, |_| {
            let (first, second) = (Gate::default(), Gate::default());
            let meet = |own: &Gate, other: &Gate| {
                own.open();
                other.pass()
            };
            format!("{:?}", rayon::join(|| meet(&first, &second), || meet(&second, &first)))
        });
        let mut client = server.connect();
        for _ in 0..20 {
            assert_eq!(client.request("both"), "(true, true)", "with {workers} workers");
        }
        server.stop().expect("a report");
    }
}

#[test]
fn a_join_completes_on_a_busy_pool() {
    let gate = Gate::default();
    let (begun, begins) = shared_channel();
    let held = gate.clone();
    let server = Server::start(2, move |message| {
        if message == "block" {
            begun.lock().expect("no panic under the lock").send(String::new()).expect("the test receives");
            held.pass();
        }
        format!("{:?}", rayon::join(|| 1, || (1..=10).into_par_iter().sum::<u32>()))
    });
    let mut holding = server.connect();
    holding.send_line("block");
    begins.recv_timeout(TIMEOUT).expect("a handler that blocks a worker");
    let mut others: Vec<_> = (0..4).map(|_| server.connect()).collect();
    for _ in 0..50 {
        others.iter_mut().for_each(|client| client.send_line("join"));
        others.iter_mut().for_each(|client| assert_eq!(client.receive(), "(1, 55)"));
    }
    gate.open();
    assert_eq!(holding.receive(), "(1, 55)");
    server.stop().expect("a report");
}

#[test]
fn a_spawned_job_runs_while_the_other_worker_is_blocked() {
    let (gates, (begun, begins), (done, is_done)) =
        ([Gate::default(), Gate::default()], shared_channel(), shared_channel());
    let (held, done) = (gates.clone(), Arc::new(done));
    let server = Server::start(2, move |message| {
        let send = |to: &Mutex<Sender<String>>| {
            to.lock().expect("no panic under the lock").send(String::new()).expect("the test receives");
        };
        match message {
            "spawn" => {
                let done = Arc::clone(&done);
                rayon::spawn(move || send(&done));
            }
            number => {
                send(&begun);
                held[number.parse::<usize>().expect("a number")].pass();
            }
        }
        message.to_owned()
    });
    // Both workers are blocked. Then the first is released, which is the leader.
    let mut holding = [server.connect(), server.connect()];
    for (number, client) in holding.iter_mut().enumerate() {
        client.send_line(&number.to_string());
        begins.recv_timeout(TIMEOUT).expect("a handler that blocks a worker");
    }
    gates[0].open();
    assert_eq!(holding[0].receive(), "0");
    assert_eq!(server.connect().request("spawn"), "spawn");
    is_done.recv_timeout(TIMEOUT / 2).expect("a job that runs while the other worker is blocked");
    gates[1].open();
    assert_eq!(holding[1].receive(), "1");
    server.stop().expect("a report");
}

/// The clients that send while a half of a join blocks, and how many messages each sends at least.
const SENDERS: usize = 4;
const MESSAGES: usize = 500;

#[test]
fn a_join_whose_half_was_stolen_does_not_wait_for_a_loop() {
    let gate = Gate::default();
    let (begun, begins) = shared_channel();
    let held = gate.clone();
    thread_local!(static IN_HANDLER: Cell<bool> = const { Cell::new(false) });
    let server = Server::start(3, move |message| {
        assert!(!IN_HANDLER.get(), "a handler is called within another, on top of its stack");
        if message != "join" {
            return message.to_owned();
        }
        IN_HANDLER.set(true);
        let stolen = || {
            begun
                .lock()
                .expect("no panic under the lock")
                .send(thread::current().name().unwrap_or_default().to_owned())
                .expect("the test receives");
            held.pass()
        };
        let own = Gate::default();
        let both = rayon::join(
            || own.pass(),
            || {
                own.open();
                stolen()
            },
        );
        IN_HANDLER.set(false);
        format!("{both:?}")
    });
    let mut joining = server.connect();
    joining.send_line("join");
    begins.recv_timeout(TIMEOUT).expect("a half that was stolen");
    // One worker runs the half, another waits for it, and the third serves the senders. It does so as a helper, by one job
    // after the other, any of which the waiting worker may take.
    let done = AtomicBool::new(false);
    let (sent, has_sent) = channel();
    thread::scope(|scope| {
        for _ in 0..SENDERS {
            let sent = sent.clone();
            let (server, done) = (&server, &done);
            scope.spawn(move || {
                let mut other = server.connect();
                for number in 0.. {
                    if done.load(Ordering::SeqCst) {
                        break;
                    }
                    assert_eq!(other.request("meanwhile"), "meanwhile");
                    if number == MESSAGES {
                        sent.send(()).expect("the test receives");
                    }
                }
            });
        }
        let answered = (0..SENDERS).all(|_| has_sent.recv_timeout(TIMEOUT).is_ok());
        gate.open();
        let both = joining.receive();
        done.store(true, Ordering::SeqCst);
        assert!(answered, "the senders are not answered while a half blocks");
        assert_eq!(both, "(true, true)");
    });
    server.stop().expect("a report");
}

#[test]
fn parallel_iterators_of_many_clients_complete() {
    for workers in [1, 2, 4] {
        let server = Server::start(workers, |message| {
            let number: u64 = message.parse().expect("a number");
            let (sum, count) = rayon::join(
                || (0..=number).into_par_iter().sum::<u64>(),
                || (0..number).into_par_iter().filter(|number| number % 2 == 0).count(),
            );
            format!("{sum} {count}")
        });
        thread::scope(|scope| {
            for client in 0..16_u64 {
                let server = &server;
                scope.spawn(move || {
                    let mut client = (server.connect(), client);
                    for number in (client.1 * 100)..(client.1 * 100 + 100) {
                        let expected = format!("{} {}", number * (number + 1) / 2, number.div_ceil(2));
                        assert_eq!(client.0.request(&number.to_string()), expected, "with {workers} workers");
                    }
                });
            }
        });
        server.stop().expect("a report");
    }
}

/// The payload of a panic, whose destructor panics as well.
struct PanicsWhenDropped;

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        resume_unwind(Box::new("on purpose"));
    }
}

#[test]
fn spawned_jobs_run_and_may_panic() {
    for workers in [1, 2] {
        let (done, ran) = shared_channel();
        let done = Arc::new(done);
        let server = Server::start(workers, move |message| {
            let (done, text) = (Arc::clone(&done), message.to_owned());
            rayon::spawn(move || {
                done.lock().expect("no panic under the lock").send(text).expect("the test receives");
            });
            rayon::spawn(|| resume_unwind(Box::new("on purpose")));
            rayon::spawn(|| resume_unwind(Box::new(PanicsWhenDropped)));
            message.to_owned()
        });
        let mut client = server.connect();
        for number in 0..20 {
            let message = number.to_string();
            assert_eq!(client.request(&message), message);
            assert_eq!(ran.recv_timeout(TIMEOUT), Ok(message), "with {workers} workers");
        }
        server.stop().expect("a report");
    }
}
