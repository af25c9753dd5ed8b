//! The resources that a server needs to start, and that it frees when it ends.

use std::fs;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use rustix::process::Resource;
use serving::Stop;
use socket2::{Domain, Socket, Type};

use crate::cases::exhaustion::{connect, serve_and_respond};
use crate::cases::idle::connect_greeted;
use crate::child::{self, Child, Parent};
use crate::handlers::{IntoService, Scripted};
use crate::kernel::set_limit;
use crate::subject::Subject;

pub(crate) fn a_handler_may_use_a_mebibyte_of_stack(subject: &Subject) {
    // In a child process, since a stack overflow ends the process.
    if let Some(parent) = child::parent() {
        return serve_and_respond(parent, subject, Scripted::new().service(), |_| {});
    }
    let mut child = Child::start(subject);
    let mut client = connect(&mut child, subject);
    client.expect_reply("hello");
    client.send_message("stack");
    client.expect_reply("1:63");
    client.send_message("exit");
    client.expect_end();
    assert_eq!(child.request("stop"), "0");
}

/// A socket that can't accept connections.
fn broken_listener() -> TcpListener {
    Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket").into()
}

pub(crate) fn a_broken_listener_is_an_error(subject: &Subject) {
    let server = subject.serve_on(broken_listener(), Scripted::new().service());
    let error = server.result().expect_err("accepting fails");
    assert!(!error.to_string().is_empty());
}

pub(crate) fn ended_server_leaks_nothing(subject: &Subject) {
    if let Some(parent) = child::parent() {
        return end_and_count(parent, subject);
    }
    let mut child = Child::start(subject);
    for end in ["fail", "stop"] {
        // The first server may start threads of the whole process, such as a reactor or a pool.
        child.request(end);
        child.request(end);
        let before = counted(&mut child);
        for _ in 0..10 {
            assert_eq!(child.request(end), "done", "{end}");
        }
        // Detached threads end some time later.
        let deadline = Instant::now() + subject.timeout();
        loop {
            let after = counted(&mut child);
            if after[0] <= before[0] && after[1] <= before[1] {
                break;
            }
            assert!(
                Instant::now() < deadline,
                "[threads, descriptors]: {before:?} before ten servers ended by `{end}`, {after:?} after"
            );
            thread::sleep(subject.timeout() / 500);
        }
    }
}

/// The number of threads and descriptors of the child.
fn counted(child: &mut Child) -> [usize; 2] {
    ["threads", "descriptors"].map(|what| child.request(what).parse().expect("a number"))
}

/// Runs servers that fail or are stopped, and counts threads and descriptors of the process.
fn end_and_count(parent: Parent, subject: &Subject) {
    parent.respond(|request| match request {
        "fail" => {
            let service = Arc::new(Scripted::new().service());
            let failed = subject.backend().serve(broken_listener().into(), service, &Stop::new());
            if failed.is_err() { "done".into() } else { "it did not fail".into() }
        }
        "stop" => {
            let server = subject.serve(Scripted::new().service());
            let mut client = server.connect_greeted();
            server.drain();
            client.expect_end();
            drop(client);
            server.result().map_or_else(|error| error.to_string(), |_| "done".into())
        }
        what => {
            let folder = if what == "threads" { "/proc/self/task" } else { "/proc/self/fd" };
            fs::read_dir(folder).map_or(0, Iterator::count).to_string()
        }
    });
}

pub(crate) fn start_fails_with_too_few_descriptors(subject: &Subject) {
    if let Some(parent) = child::parent() {
        // The limit is the number of open descriptors, so that none is left.
        let open = fs::read_dir("/proc/self/fd").map_or(0, Iterator::count) as u64;
        return parent.respond(|request| {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a port on the loopback device");
            let more: u64 = request.parse().unwrap_or(0);
            set_limit(Resource::Nofile, Some(open + 1 + more));
            let service = Scripted::new().service();
            let ended = subject.backend().serve(listener.into(), Arc::new(service), &Stop::new());
            set_limit(Resource::Nofile, None);
            ended.map_or_else(|error| error.to_string(), |_| "it did not fail".into())
        });
    }
    let mut child = Child::start(subject);
    for more in ["0", "1", "3", "5"] {
        let error = child.request(more);
        assert!(error.contains("open files"), "{error}");
    }
}

pub(crate) fn few_descriptors_suffice_for_error_replies(subject: &Subject) {
    const DESCRIPTORS: u64 = 200;
    const MAX_CONNECTIONS: usize = 100;
    if let Some(parent) = child::parent() {
        set_limit(Resource::Nofile, Some(DESCRIPTORS));
        let service = Scripted::new().limited(|limits| limits.max_connections = MAX_CONNECTIONS);
        return serve_and_respond(parent, subject, service, |_| {});
    }
    let mut child = Child::start(subject);
    let mut served: Vec<_> = (0..MAX_CONNECTIONS).map(|_| connect(&mut child, subject)).collect();
    served.iter_mut().for_each(|client| client.expect_reply("hello"));
    // Refused clients stay connected, so that the server lingers.
    let mut refused: Vec<_> = (0..2 * MAX_CONNECTIONS).map(|_| connect(&mut child, subject)).collect();
    refused.iter_mut().for_each(|client| client.expect_last("ERR busy"));
    drop((served, refused));
    let mut client = connect_greeted(&mut child, subject);
    client.send_message("exit");
    client.expect_end();
}
