//! The state of a server: clients that are admitted, are served and end, while the server stops or is full.

use std::io;
use std::task::Waker;
use std::time::Instant;

use common::{Address, Clock, CloseReason, Framing, Marks, Service};

use super::*;
use crate::Conversation;
use crate::state::{Phase, State};

/// The state of a server that holds this number of clients, and sends messages back.
fn server(max_connections: usize) -> Arc<State> {
    let service = Service::framed(Arc::new(handlers::Echo), Framing::Line);
    let clock = Clock::new(Instant::now);
    State::new(Arc::new(service), max_connections, None, clock, Waker::noop().clone())
}

fn connect(state: &Arc<State>) -> Result<Conversation, CloseReason> {
    state.open_connection(Address::Unknown, Address::Unknown, 1)
}

/// A client that connects while the server stops is refused, or told to stop.
#[test]
fn a_new_client_is_refused_or_told_of_the_stop() {
    explore(|| {
        let state = server(10);
        let other = Arc::clone(&state);
        let stopping = thread::spawn(move || other.enter(Phase::Draining));
        let opened = connect(&state);
        stopping.join().unwrap();
        match opened {
            Ok(conversation) => {
                let marks = conversation.connection.record().cell.take_marks();
                assert!(marks.contains(Marks::STOPPING), "{marks:?}");
            }
            Err(reason) => assert_eq!(reason, CloseReason::TooLate),
        }
    });
}

/// An acceptor that waits because the server is full learns of each place that becomes free.
#[test]
fn an_acceptor_that_waits_finds_the_free_place() {
    explore(|| {
        let state = server(2);
        for conversation in [connect(&state), connect(&state)] {
            let conversation = conversation.unwrap();
            thread::spawn(move || drop(conversation)); // which ends it
        }
        state.acceptor.cell.register(&waker_of_this_thread());
        loop {
            state.acceptor.cell.take_marks();
            if !state.is_full() {
                break;
            }
            while !state.acceptor.cell.is_marked() {
                thread::park();
            }
        }
        connect(&state).unwrap();
    });
}

/// A server that ends waits until its last conversation has ended, and its statistics count all of them.
#[test]
fn the_end_of_the_last_conversation_is_seen() {
    explore(|| {
        let state = server(10);
        for conversation in [connect(&state), connect(&state)] {
            let conversation = conversation.unwrap();
            thread::spawn(move || drop(conversation)); // which ends it
        }
        let accepting = Arc::clone(&state);
        thread::spawn(move || accepting.ending.accepting_ended(Ok(())));
        state.ending.wait();
        assert_eq!(state.wait_until_empty(Duration::ZERO), 0); // no timeout passes in a model
        let statistics = state.close();
        assert_eq!((statistics.accepted, statistics.ended()), (2, 2));
        state.ending.cause(Duration::ZERO).unwrap();
    });
}

/// A server that is cut ends, whatever was reported before: accepting ends, and a failure is the cause.
#[test]
fn a_cut_races_a_failure_and_the_end_of_accepting() {
    explore(|| {
        let state = server(10);
        let others = [(); 3].map(|()| Arc::clone(&state));
        let [cutting, failing, accepting] = others;
        thread::spawn(move || cutting.enter(Phase::Cut));
        thread::spawn(move || {
            failing.ending.fail(io::Error::other("a worker"));
            failing.fail();
        });
        thread::spawn(move || accepting.ending.accepting_ended(Err(io::Error::other("the acceptor"))));
        state.ending.wait();
        let cause = state.ending.cause(Duration::ZERO).unwrap_err();
        assert_eq!(cause.to_string(), "a worker");
    });
}

/// A conversation whose handler runs on another thread is returned to its task.
#[test]
fn an_offloaded_conversation_returns() {
    explore(|| {
        let state = server(10);
        let tasks = [(); 2].map(|()| {
            let conversation = connect(&state).unwrap();
            thread::spawn(move || drop(block_on(conversation.offloaded())))
        });
        tasks.into_iter().for_each(|task| task.join().unwrap());
        state.finish();
    });
}
