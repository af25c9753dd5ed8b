//! What a server needs to begin with, and what it leaves when it can't begin or go on.

use std::fs;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use rustix::process::Resource;
use serving::Stop;
use socket2::{Domain, Socket, Type};

use crate::cases::quiet::connect_greeted;
use crate::cases::starved::{connect, serve_for};
use crate::child::{self, Child, Parent};
use crate::handlers::Scripted;
use crate::kernel::set_limit;
use crate::subject::Subject;

pub(crate) fn a_handler_may_use_a_mebibyte_of_stack(subject: &Subject) {
    // In a process of its own, since there is no way back from a stack that is too small.
    if let Some(parent) = child::parent() {
        return serve_for(parent, subject, Scripted::new().service(), |_| {});
    }
    let mut child = Child::start(subject);
    let mut client = connect(&mut child, subject);
    client.hears("hello");
    client.say("deep");
    client.hears("1:63");
    client.say("exit");
    client.hears_end();
    assert_eq!(child.ask("stop"), "0");
}

/// A socket that nobody can be accepted from.
fn no_listener() -> TcpListener {
    Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket").into()
}

pub(crate) fn a_broken_listener_is_an_error(subject: &Subject) {
    let server = subject.serve_on(no_listener(), Scripted::new().service());
    let error = server.result().expect_err("nobody can be accepted");
    assert!(!error.to_string().is_empty());
}

pub(crate) fn a_failed_server_leaves_nothing(subject: &Subject) {
    if let Some(parent) = child::parent() {
        return fail_for(parent, subject);
    }
    let mut child = Child::start(subject);
    // The first may start what is the process's own: a reactor, or a pool.
    child.ask("fail");
    child.ask("fail");
    let before = counted(&mut child);
    for _ in 0..10 {
        child.ask("fail");
    }
    // Threads that nobody waits for end by themselves.
    let deadline = Instant::now() + subject.patience();
    loop {
        let after = counted(&mut child);
        if after[0] <= before[0] && after[1] <= before[1] {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "[threads, descriptors]: {before:?} before ten servers have failed, and {after:?} after"
        );
        thread::sleep(subject.patience() / 500);
    }
}

/// How many threads and descriptors the child has.
fn counted(child: &mut Child) -> [usize; 2] {
    ["threads", "descriptors"].map(|what| child.ask(what).parse().expect("a number"))
}

/// Has servers fail, and counts what the process has.
fn fail_for(parent: Parent, subject: &Subject) {
    parent.answer(|question| match question {
        "fail" => {
            let service = Arc::new(Scripted::new().service());
            let failed = subject.backend().serve(no_listener().into(), service, &Stop::new());
            if failed.is_err() { "failed".into() } else { "went well".into() }
        }
        what => {
            let folder = if what == "threads" { "/proc/self/task" } else { "/proc/self/fd" };
            fs::read_dir(folder).map_or(0, Iterator::count).to_string()
        }
    });
}

pub(crate) fn too_few_descriptors_to_begin_with(subject: &Subject) {
    if let Some(parent) = child::parent() {
        // As few as are open already: with those of standard streams and of the parent there is none left.
        let open = fs::read_dir("/proc/self/fd").map_or(0, Iterator::count) as u64;
        return parent.answer(|question| {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a port on the loopback device");
            let more: u64 = question.parse().unwrap_or(0);
            set_limit(Resource::Nofile, Some(open + 1 + more));
            let service = Scripted::new().service();
            let ended = subject.backend().serve(listener.into(), Arc::new(service), &Stop::new());
            set_limit(Resource::Nofile, None);
            ended.map_or_else(|error| error.to_string(), |_| "it went well".into())
        });
    }
    let mut child = Child::start(subject);
    for more in ["0", "1", "3", "5"] {
        let error = child.ask(more);
        assert!(error.contains("open files"), "{error}");
    }
}

pub(crate) fn few_descriptors_refuse_with_a_word(subject: &Subject) {
    const DESCRIPTORS: u64 = 200;
    const PLACES: usize = 100;
    if let Some(parent) = child::parent() {
        set_limit(Resource::Nofile, Some(DESCRIPTORS));
        let service = Scripted::new().limited(|limits| limits.max_connections = PLACES);
        return serve_for(parent, subject, service, |_| {});
    }
    let mut child = Child::start(subject);
    let mut served: Vec<_> = (0..PLACES).map(|_| connect(&mut child, subject)).collect();
    served.iter_mut().for_each(|client| client.hears("hello"));
    // Those who are refused stay, so that they are lingered over.
    let mut refused: Vec<_> = (0..2 * PLACES).map(|_| connect(&mut child, subject)).collect();
    refused.iter_mut().for_each(|client| client.hears_last("ERR busy"));
    drop((served, refused));
    let mut client = connect_greeted(&mut child, subject);
    client.say("exit");
    client.hears_end();
}
