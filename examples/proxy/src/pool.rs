//! The pool of connections: each is used by a thread of its own, and all threads share one bounded queue of messages.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyloop::Later;

use crate::Upstream;
use crate::connection::{Connection, Failure};

/// The pool.
#[derive(Debug)]
pub(crate) struct Pool {
    questions: SyncSender<Question>,
    waiting: usize,
}

/// A message, and its answer.
#[derive(Debug)]
struct Question {
    line: Box<[u8]>,
    answer: Later,
}

impl Pool {
    /// Starts the threads.
    pub(crate) fn start(upstream: Upstream) -> io::Result<Self> {
        let waiting = upstream.waiting.get();
        let (sender, receiver) = sync_channel(waiting);
        let shared = Arc::new((Mutex::new(receiver), upstream));
        for number in 1..=shared.1.connections.get() {
            let shared = Arc::clone(&shared);
            thread::Builder::new()
                .name(format!("upstream-{number}"))
                .spawn(move || answer_all(&shared.0, &shared.1))?;
        }
        Ok(Self { questions: sender, waiting })
    }

    /// Has a line answered by the upstream server, or with an error.
    pub(crate) fn ask(&self, line: &[u8], answer: Later) {
        match self.questions.try_send(Question { line: line.into(), answer }) {
            Ok(()) => {}
            Err(
                TrySendError::Full(Question { answer, .. })
                | TrySendError::Disconnected(Question { answer, .. }),
            ) => {
                let why = format!("upstream busy: max={}; send the message again later", self.waiting);
                let _ = answer.reject(why); // fails if the client has left
            }
        }
    }
}

/// Answers messages over one connection until the pool is dropped.
fn answer_all(questions: &Mutex<Receiver<Question>>, upstream: &Upstream) {
    let mut idle = None;
    loop {
        // The lock is held by the thread that waits for the next message, and released before that is answered.
        let next = questions.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Question { line, answer }) = next else { return };
        if answer.is_gone() {
            continue;
        }
        let _ = match ask(&mut idle, upstream, &line) {
            Ok(reply) => answer.send(reply),
            Err(failure) => answer.reject(format!("upstream {failure}")),
        }; // fails if the client has left
    }
}

/// Asks over the idle connection, or over a new one. After a failure the connection is dropped, since the reply may still
/// arrive, and would be taken for the next one.
fn ask(idle: &mut Option<Connection>, upstream: &Upstream, line: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut connection = match idle.take().filter(Connection::is_idle) {
        Some(connection) => connection,
        None => Connection::open(&upstream.address, upstream.timeout)?,
    };
    let reply = connection.ask(line)?;
    *idle = Some(connection);
    Ok(reply)
}
