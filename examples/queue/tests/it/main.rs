//! Tests of the queue's binary, with several clients on every backend.

#[path = "../../../testing/person.rs"]
mod person;
#[path = "../../../testing/server.rs"]
mod server;
#[path = "../../../testing/signal.rs"]
mod signal;
#[path = "../../../testing/usage.rs"]
mod usage;

use std::collections::BTreeSet;
use std::thread;

use self::person::{Person, backends};
use self::server::Server;
use self::signal::signal;
use self::usage::{assert_rejects, assert_says};

const PROGRAM: &str = env!("CARGO_BIN_EXE_queue");

#[test]
fn it_says_its_own_name_and_its_flags() {
    let says = [
        ("--version", concat!("queue ", env!("CARGO_PKG_VERSION"))),
        ("--help", "A queue of jobs with leases"),
        ("serve --help", "[env: QUEUE_SERVE_LEASE=]"),
        ("handlers", "gives each job to a worker until it is done"),
    ];
    assert_says(PROGRAM, &says);
    let rejected = [
        ("--lease 0s", "`0s` is too short; write a time above 0"),
        ("--max-jobs 0", "`0` is not a count from 1 to 10000000"),
    ];
    assert_rejects(PROGRAM, &rejected);
}

#[test]
fn one_client_is_served_on_every_backend() {
    for backend in anyloop_cli::BACKENDS {
        let server = Server::start(PROGRAM, &format!("--backend {} --max-jobs 1", backend.name()));
        let mut client = Person::connect(&server);
        for (line, reply) in [
            ("put sweep the floor", "1"),
            ("put another", "ERR queue-full: max=1; put it again when a job is done"),
            ("take", "1 sweep the floor"),
            ("size", "waiting=0 taken=1 takers=0"),
            ("done 1", "ok"),
        ] {
            assert_eq!(client.ask(line), reply, "{}", backend.name());
        }
        client.say("put again\ntake\nsize");
        let replies = [(); 3].map(|()| client.hear());
        assert_eq!(replies, ["2", "2 again", "waiting=0 taken=1 takers=0"], "{}", backend.name());
    }
}

#[test]
fn a_lease_that_ends_gives_the_job_to_who_waits() {
    for backend in backends() {
        let server = Server::start(PROGRAM, &format!("--backend {backend} --lease 100ms"));
        let [mut slow, mut other] = [(); 2].map(|()| Person::connect(&server));
        assert_eq!(slow.ask("put a"), "1");
        assert_eq!(slow.ask("take"), "1 a", "{backend}");
        assert_eq!(other.ask("take"), "1 a", "{backend}");
        assert!(slow.ask("done 1").starts_with("ERR not-taken: "), "{backend}");
    }
}

#[test]
fn who_waits_gets_the_jobs_of_who_leaves() {
    for backend in backends() {
        let server = Server::start(PROGRAM, &format!("--backend {backend} --lease 1h"));
        let [mut user, mut leaver, mut one, mut two] = [(); 4].map(|()| Person::connect(&server));
        assert_eq!((user.ask("put a"), user.ask("put b")), ("1".into(), "2".into()));
        assert_eq!((leaver.ask("take"), leaver.ask("take")), ("1 a".into(), "2 b".into()));
        one.say("take");
        while user.ask("size") != "waiting=0 taken=2 takers=1" {}
        two.say("take");
        while user.ask("size") != "waiting=0 taken=2 takers=2" {}
        drop(leaver);
        assert_eq!((one.hear(), two.hear()), ("1 a".into(), "2 b".into()), "{backend}");
    }
}

#[test]
fn a_stop_waits_for_nobody_who_waits_for_a_job() {
    for backend in anyloop_cli::BACKENDS {
        let flags = format!("--backend {} --drain-timeout 1h --answer-timeout 1h", backend.name());
        let mut server = Server::start(PROGRAM, &flags);
        let mut worker = Person::connect(&server);
        // The line that ends with the request is sent, so the request has arrived, too.
        assert_eq!(worker.ask("size\ntake"), "waiting=0 taken=0 takers=0", "{}", backend.name());
        signal(&server.child, "TERM");
        assert_eq!(worker.listen().as_deref(), Some("none"), "{}", backend.name());
        assert_eq!(worker.listen(), None, "{}", backend.name());
        drop(worker); // otherwise its socket lingers
        assert!(server.child.wait().expect("it ends").success(), "{}", backend.name());
    }
}

#[test]
fn each_job_is_done_once_while_workers_come_and_go() {
    const WORKERS: usize = 4;
    const JOBS: usize = 400;
    for backend in backends() {
        let server = Server::start(PROGRAM, &format!("--backend {backend} --lease 1h"));
        let done = thread::scope(|scope| {
            let workers: Vec<_> =
                (0..WORKERS).map(|_| scope.spawn(|| work(&server, JOBS / WORKERS))).collect();
            let mut user = Person::connect(&server);
            for number in 1..=JOBS {
                assert_eq!(user.ask(&format!("put job {number}")), number.to_string(), "{backend}");
            }
            workers.into_iter().flat_map(|worker| worker.join().expect("it ends")).collect::<Vec<_>>()
        });
        let different: BTreeSet<_> = done.iter().copied().collect();
        assert_eq!((different.len(), done.len()), (JOBS, JOBS), "{backend}");
        assert_eq!(different.last(), Some(&JOBS), "{backend}");
        assert_eq!(Person::connect(&server).ask("size"), "waiting=0 taken=0 takers=0", "{backend}");
    }
}

/// Does some jobs, and after every third leaves with another one that is not done. Returns the numbers of those done.
fn work(server: &Server, jobs: usize) -> Vec<usize> {
    let mut done = Vec::new();
    let mut worker = Person::connect(server);
    let take = |worker: &mut Person| {
        let reply = worker.ask("take");
        let (number, text) = reply.split_once(' ').expect("a number");
        assert_eq!(text, format!("job {number}"));
        number.parse::<usize>().expect("a number")
    };
    while done.len() < jobs {
        let number = take(&mut worker);
        assert_eq!(worker.ask(&format!("done {number}")), "ok");
        done.push(number);
        if done.len() % 3 == 0 && done.len() < jobs {
            take(&mut worker);
            worker = Person::connect(server);
        }
    }
    done
}
