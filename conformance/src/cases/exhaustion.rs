//! A server without resources of the system. It runs in a child process, and the clients in this one.

use std::io;
#[cfg(target_os = "linux")]
use std::process;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use common::{Address, Framing, Service};
use rustix::process::Resource;
use rustix::time::{ClockId, clock_gettime};
use serving::{Backend, Capabilities, Listener, Report, Stop, Workers};

use crate::child::{self, Child, Parent};
use crate::client::Client;
use crate::handlers::{IntoService, Scripted};
use crate::kernel;
use crate::subject::Subject;

/// The limit on descriptors of the server, and the number of clients.
const DESCRIPTORS: u64 = 64;
const CLIENTS: usize = 80;
/// How long the server is left without free descriptors.
const EXHAUSTED: Duration = Duration::from_millis(700);
/// The minimum pause of the server between two attempts to accept.
const PAUSE: Duration = Duration::from_millis(100);

pub(crate) fn out_of_descriptors(subject: &Subject) {
    if let Some(parent) = child::parent() {
        kernel::set_limit(Resource::Nofile, Some(DESCRIPTORS));
        return serve_and_respond(parent, subject, Scripted::new().service(), |_| {});
    }
    let start = Instant::now();
    let mut child = Child::start(subject);
    let connect = || connect(&mut child, subject);
    let mut clients: Vec<_> = connect_many(connect, CLIENTS);
    clients[0].expect_reply("hello");
    let before = cpu_time(&mut child);
    thread::sleep(EXHAUSTED);
    let spent = cpu_time(&mut child) - before;
    clients[0].send_message("still here");
    clients[0].expect_reply("1:still here");
    // Clients are accepted in order, so the last one shows whether the descriptors were exhausted.
    clients[CLIENTS - 1].expect_no_data();
    assert!(
        spent < EXHAUSTED / 4,
        "the server used {spent:?} of CPU time in {EXHAUSTED:?} without descriptors"
    );

    // When clients leave, waiting ones are served.
    for (index, mut client) in clients.into_iter().enumerate() {
        if index > 0 {
            client.expect_reply("hello");
        }
        client.send_message("exit");
    }
    let report = child.request("stop");
    let errors: u64 = report.parse().unwrap_or_else(|_| panic!("the server did not end well: {report}"));
    let max = start.elapsed().as_millis() / PAUSE.as_millis() + 1;
    assert!(errors > 0, "no accept error was counted");
    assert!(u128::from(errors) <= max, "{errors} errors in {:?}: it does not pause", start.elapsed());
}

pub(crate) fn connect(child: &mut Child, subject: &Subject) -> Client {
    let address: Address = child.request("address").parse().expect("an address");
    Client::connect(&address, Framing::Line, subject.timeout(), None).transformed(subject.transform())
}

fn connect_many(mut connect: impl FnMut() -> Client, count: usize) -> Vec<Client> {
    (0..count).map(|_| connect()).collect()
}

pub(crate) fn cpu_time(child: &mut Child) -> Duration {
    Duration::from_nanos(child.request("cpu time").parse().expect("nanoseconds"))
}

/// Runs a server, and responds to requests of the parent. Passes unknown requests to `other`.
pub(crate) fn serve_and_respond(parent: Parent, subject: &Subject, service: Service, other: impl Fn(&str)) {
    let server = subject.serve(service);
    let address = server.address().clone();
    let mut server = Some(server);
    parent.respond(|request| match request {
        "address" => address.to_string(),
        "cpu time" => {
            let time = clock_gettime(ClockId::ProcessCPUTime);
            format!("{}", time.tv_sec * 1_000_000_000 + time.tv_nsec)
        }
        "stop" => {
            let server = server.take().expect("a server that is stopped once");
            server.drain();
            match server.result() {
                Ok(report) if report.accepted == report.ended() => report.accept_errors.to_string(),
                Ok(report) => format!("{report:?}"),
                Err(error) => error.to_string(),
            }
        }
        request => {
            other(request);
            "done".into()
        }
    });
}

pub(crate) fn out_of_threads(subject: &Subject) {
    if let Some(parent) = child::parent() {
        let subject =
            Subject::new(Arc::new(Unprivileged(Arc::clone(subject.backend())))).over(subject.transport());
        return serve_and_respond(parent, &subject, Scripted::new().service(), |request| {
            kernel::set_limit(Resource::Nproc, (request == "exhaust threads").then_some(1));
        });
    }
    let mut child = Child::start(subject);
    assert_still_serves(&mut child, subject);
    for _ in 0..3 {
        child.request("exhaust threads");
        let mut client = connect(&mut child, subject);
        match client.receive().as_slice() {
            b"ERR busy" => {}
            b"hello" => {
                let own = subject.backend().capabilities().workers == Workers::PerConnection;
                assert!(!own, "a client got a thread though none can be created");
                client.send_message("exit");
            }
            other => panic!("a client received {:?}", String::from_utf8_lossy(other)),
        }
        client.expect_end();
        child.request("restore threads");
        assert_still_serves(&mut child, subject);
    }
    assert_eq!(child.request("stop"), "0", "a failure to spawn a thread must not count as an accept error");
}

pub(crate) fn assert_still_serves(child: &mut Child, subject: &Subject) {
    let mut client = connect(child, subject);
    client.expect_reply("hello");
    client.send_message("exit");
    client.expect_end();
}

/// Runs the server as a user without other processes, since the limit on threads applies to each user, and not to root.
struct Unprivileged(Arc<dyn Backend>);

impl Backend for Unprivileged {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }

    fn serve(&self, listener: Listener, service: Arc<Service>, stop: &Stop) -> io::Result<Report> {
        #[cfg(target_os = "linux")]
        if rustix::process::geteuid().is_root() {
            let user = rustix::process::Uid::from_raw(100_000 + process::id());
            // Changes the user of this thread, which the threads that it starts inherit.
            rustix::thread::set_thread_res_uid(user, user, user)?;
        }
        self.0.serve(listener, service, stop)
    }
}
