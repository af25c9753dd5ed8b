//! Handlers that use rayon.

mod serving;

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use rayon::iter::{IntoParallelIterator, ParallelIterator};

use serving::{PATIENCE, Server};

/// What is waited for.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    fn open(&self) {
        *self.0.0.lock().expect("no panic under the lock") = true;
        self.0.1.notify_all();
    }

    /// Waits until it is open, and tells whether it is.
    fn pass(&self) -> bool {
        let open = self.0.1.wait_timeout_while(
            self.0.0.lock().expect("no panic under the lock"),
            PATIENCE,
            |open| !*open,
        );
        *open.expect("no panic under the lock").0
    }
}

/// A channel whose sender is shared by the handlers of several threads.
fn shared_channel() -> (Mutex<Sender<String>>, Receiver<String>) {
    let (sender, receiver) = channel();
    (Mutex::new(sender), receiver)
}

#[test]
fn halves_of_a_join_run_at_once_on_a_pool_that_is_idle() {
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
            assert_eq!(client.asks("both"), "(true, true)", "with {workers} workers");
        }
        server.stop().expect("a report");
    }
}

#[test]
fn a_join_gets_by_on_a_pool_that_is_busy() {
    let gate = Gate::default();
    let (begun, begins) = shared_channel();
    let held = gate.clone();
    let server = Server::start(2, move |message| {
        if message == "hold" {
            begun.lock().expect("no panic under the lock").send(String::new()).expect("the test goes on");
            held.pass();
        }
        format!("{:?}", rayon::join(|| 1, || (1..=10).into_par_iter().sum::<u32>()))
    });
    let mut holding = server.connect();
    holding.say("hold");
    begins.recv_timeout(PATIENCE).expect("a handler that holds a worker");
    let mut others: Vec<_> = (0..4).map(|_| server.connect()).collect();
    for _ in 0..50 {
        others.iter_mut().for_each(|client| client.say("join"));
        others.iter_mut().for_each(|client| assert_eq!(client.hear(), "(1, 55)"));
    }
    gate.open();
    assert_eq!(holding.hear(), "(1, 55)");
    server.stop().expect("a report");
}

#[test]
fn what_a_handler_has_spawned_is_done_though_the_other_worker_is_held() {
    let (gates, (begun, begins), (done, is_done)) =
        ([Gate::default(), Gate::default()], shared_channel(), shared_channel());
    let (held, done) = (gates.clone(), Arc::new(done));
    let server = Server::start(2, move |message| {
        let send = |to: &Mutex<Sender<String>>| {
            to.lock().expect("no panic under the lock").send(String::new()).expect("the test goes on");
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
    // Both workers are held, and then the one that was held first is free: it is the one that waits at the poller.
    let mut holding = [server.connect(), server.connect()];
    for (number, client) in holding.iter_mut().enumerate() {
        client.say(&number.to_string());
        begins.recv_timeout(PATIENCE).expect("a handler that holds a worker");
    }
    gates[0].open();
    assert_eq!(holding[0].hear(), "0");
    assert_eq!(server.connect().asks("spawn"), "spawn");
    is_done.recv_timeout(PATIENCE / 2).expect("a job that is done while the other worker is held");
    gates[1].open();
    assert_eq!(holding[1].hear(), "1");
    server.stop().expect("a report");
}

/// So many clients talk while a half is held, and are answered so often.
const TALKERS: usize = 4;
const OFTEN: usize = 500;

#[test]
fn a_join_whose_half_was_stolen_waits_for_no_loop() {
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
                .expect("the test goes on");
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
    joining.say("join");
    begins.recv_timeout(PATIENCE).expect("a half that was stolen");
    // Now one worker has the half, another waits for it, and the third serves others, who talk without end: as a helper,
    // by one job after the other, any of which the worker that waits may find.
    let heard = AtomicBool::new(false);
    let (often, heard_often) = channel();
    thread::scope(|scope| {
        for _ in 0..TALKERS {
            let often = often.clone();
            let (server, heard) = (&server, &heard);
            scope.spawn(move || {
                let mut other = server.connect();
                for number in 0.. {
                    if heard.load(Ordering::SeqCst) {
                        break;
                    }
                    assert_eq!(other.asks("meanwhile"), "meanwhile");
                    if number == OFTEN {
                        often.send(()).expect("the test goes on");
                    }
                }
            });
        }
        let answered = (0..TALKERS).all(|_| heard_often.recv_timeout(PATIENCE).is_ok());
        gate.open();
        let both = joining.hear();
        heard.store(true, Ordering::SeqCst);
        assert!(answered, "others are answered while a half is held");
        assert_eq!(both, "(true, true)");
    });
    server.stop().expect("a report");
}

#[test]
fn parallel_iterators_of_many_clients_end() {
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
                        assert_eq!(client.0.asks(&number.to_string()), expected, "with {workers} workers");
                    }
                });
            }
        });
        server.stop().expect("a report");
    }
}

#[test]
fn what_a_handler_spawns_is_run_and_may_panic() {
    for workers in [1, 2] {
        let (done, ran) = shared_channel();
        let done = Arc::new(done);
        let server = Server::start(workers, move |message| {
            let (done, said) = (Arc::clone(&done), message.to_owned());
            rayon::spawn(move || {
                done.lock().expect("no panic under the lock").send(said).expect("the test goes on");
            });
            rayon::spawn(|| std::panic::resume_unwind(Box::new("on purpose")));
            message.to_owned()
        });
        let mut client = server.connect();
        for number in 0..20 {
            let message = number.to_string();
            assert_eq!(client.asks(&message), message);
            assert_eq!(ran.recv_timeout(PATIENCE), Ok(message), "with {workers} workers");
        }
        server.stop().expect("a report");
    }
}
