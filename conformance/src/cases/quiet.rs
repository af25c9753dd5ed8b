//! While nothing happens, nothing runs.

use std::thread;
use std::time::Duration;

use common::{Overload, Service};

use crate::cases::starved::{connect, processor_time, serve_for};
use crate::child::{self, Child};
use crate::client::Client;
use crate::gate::Gate;
use crate::handlers::{Scripted, limited};
use crate::subject::Subject;

/// How long nothing happens, and how much of it a server may be at work: it looks for deadlines now and then.
const NOTHING: Duration = Duration::from_millis(400);
const MOST: Duration = Duration::from_millis(40);

/// How many clients there may be, and how many come at a time.
const PLACES: usize = 30;
const CLIENTS: usize = 20;

pub(crate) fn nothing_runs_while_nothing_happens(subject: &Subject) {
    if let Some(parent) = child::parent() {
        let gate = Gate::default();
        return serve_for(parent, subject, service(&gate), |question| {
            if question == "open" {
                gate.open();
            }
        });
    }
    let one_at_a_time = subject.backend().capabilities().max_connections == Some(1);
    let count = if one_at_a_time { 1 } else { CLIENTS };
    let mut child = Child::start(subject);
    let greeted = |child: &mut Child, count| -> Vec<Client> {
        (0..count).map(|_| connect_greeted(child, subject)).collect()
    };
    is_quiet(&mut child, "without a client");

    let idle = greeted(&mut child, count);
    is_quiet(&mut child, "with silent clients");
    drop(idle);

    let mut owed = greeted(&mut child, 1);
    owed[0].send("big 1000000\n".repeat(20));
    is_quiet(&mut child, "with a client that doesn't read");
    drop(owed);

    // They have been let go, and neither read nor close.
    let mut ended = greeted(&mut child, count);
    ended.iter_mut().for_each(|client| client.say("exit"));
    is_quiet(&mut child, "with clients that linger");

    // Others are here when those close.
    let others = greeted(&mut child, count);
    ended.iter_mut().for_each(Client::hears_end);
    drop(ended);
    is_quiet(&mut child, "after others have closed");
    drop(others);

    let full = greeted(&mut child, if one_at_a_time { 1 } else { PLACES });
    let beyond: Vec<_> = (0..CLIENTS).map(|_| connect(&mut child, subject)).collect();
    is_quiet(&mut child, "with clients that are refused, or wait");
    drop((full, beyond));

    let mut held = greeted(&mut child, 1);
    held[0].say("wait");
    held[0].ends_input();
    is_quiet(&mut child, "with a client that has ended its input, in a handler");
    child.ask("open");
    held[0].hears_last("1:wait");
}

fn service(gate: &Gate) -> Service {
    limited(Scripted::new().waiting_at(gate).service(), |limits| {
        (limits.max_connections, limits.overload) = (PLACES, Overload::Refuse);
        limits.max_reply = 2_000_000;
    })
}

/// A client that was let in, as soon as those who have left are gone.
pub(crate) fn connect_greeted(child: &mut Child, subject: &Subject) -> Client {
    loop {
        let mut client = connect(child, subject);
        match client.hear().as_slice() {
            b"ERR busy" => client.hears_end(),
            b"hello" => return client,
            other => panic!("a client heard {:?}", String::from_utf8_lossy(other)),
        }
    }
}

fn is_quiet(child: &mut Child, when: &str) {
    // What has just happened has its consequences.
    thread::sleep(NOTHING / 4);
    let before = processor_time(child);
    thread::sleep(NOTHING);
    let spent = processor_time(child) - before;
    assert!(spent < MOST, "the server was at work for {spent:?} of {NOTHING:?} {when}");
}
