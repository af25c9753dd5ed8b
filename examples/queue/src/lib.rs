//! A queue of jobs: a [`Queue`] gives each job to one worker, and to another one if the first does not finish it.
//!
//! ```sh
//! cargo run --release -p anyloop-example-queue -- serve
//! cargo run --release -p anyloop-example-queue -- client 127.0.0.1:8888
//! ```
//!
//! | line | reply |
//! | --- | --- |
//! | `put TEXT` | the number of the new job |
//! | `take` | `NUMBER TEXT` of the oldest job, which is leased to this client; without a job, as soon as there is one, or `none` when the server stops |
//! | `done NUMBER` | `ok`; the job is removed |
//! | `size` | `waiting=COUNT taken=COUNT takers=COUNT` |
//!
//! Clients that wait for a job get one in the order in which they have asked. They wait for at most `--answer-timeout`. A job
//! that is not done within its lease returns to the front of the queue, and so do the jobs of a client that leaves, or says
//! nothing for `--idle-timeout`. So a job is given to a worker at least once, and may be given to several.
//!
//! Jobs are held in memory: they are lost when the server stops.

#![forbid(unsafe_code)]

mod jobs;
#[cfg(test)]
mod tests;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use anyloop::{Client, Handler, Replies, Session};

use jobs::Jobs;
use worker::Worker;

/// A queue of jobs.
///
/// ```
/// use std::sync::Arc;
///
/// use anyloop::testing::TestClient;
/// use anyloop::{Address, Client, Framing, Service};
/// use queue::{Bounds, Queue};
///
/// let service = Arc::new(Service::framed(Arc::new(Queue::new(Bounds::default())), Framing::Line));
/// let connect = || TestClient::connect_as(Client::new(Address::Unknown), Arc::clone(&service));
/// let (mut worker, mut user) = (connect(), connect());
/// worker.say("take\n");
/// assert_eq!(worker.heard(), "", "there is no job");
/// user.say("put sweep the floor\n");
/// assert_eq!(user.heard(), "1\n");
/// assert_eq!(worker.heard(), "1 sweep the floor\n");
/// worker.say("done 1\n");
/// assert_eq!(worker.heard(), "ok\n");
/// ```
#[derive(Debug)]
pub struct Queue(Arc<Jobs>);

/// The bounds of a queue.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// How long a worker has a job before it is given to another one. The worker loses it at most a quarter of a second later.
    pub lease: Duration,
    /// The maximum number of jobs, those that are taken included.
    pub max_jobs: usize,
    /// The maximum length of the text of a job, in bytes.
    pub max_text: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { lease: Duration::from_secs(30), max_jobs: 10_000, max_text: 1024 }
    }
}

impl Queue {
    /// An empty queue.
    pub fn new(bounds: Bounds) -> Self {
        Self(Arc::new(Jobs::new(bounds)))
    }
}

impl Handler for Queue {
    fn open(&self, client: &Client, _out: &mut Replies<'_>) -> Box<dyn Session> {
        Box::new(Worker::new(Arc::clone(&self.0), client))
    }
}
