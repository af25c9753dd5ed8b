//! The jobs of a queue: which wait, which are taken and by whom, and who waits for one.
//!
//! The lock is not held while an answer is given, since that wakes its client, which may run foreign code. So a job is first
//! recorded as taken, and then given; if its taker has gone in between, it returns to the queue.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use anyloop::{Handle, Later};

use crate::Bounds;

/// The jobs of a queue.
#[derive(Debug)]
pub(crate) struct Jobs {
    pub(crate) bounds: Bounds,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The jobs that wait for a worker. The next one is in front.
    waiting: VecDeque<Job>,
    /// The jobs that are taken, by the number of the worker and of the job.
    taken: BTreeMap<(u64, u64), Lease>,
    /// Who waits for a job, in the order of their tickets.
    takers: BTreeMap<Ticket, Taker>,
    /// The number of jobs so far.
    put: u64,
    /// The number of workers so far.
    workers: u64,
    /// The number of tickets so far.
    tickets: u64,
}

/// A job.
#[derive(Debug)]
struct Job {
    number: u64,
    text: Box<[u8]>,
}

/// A job that is taken.
#[derive(Debug)]
struct Lease {
    text: Box<[u8]>,
    until: Instant,
}

/// Who waits for a job.
#[derive(Debug)]
struct Taker {
    worker: u64,
    client: Handle,
    answer: Later,
    /// Whether it was told that there are jobs to hand out.
    told: bool,
}

/// The place of a taker among those who wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(u64);

/// How many jobs and takers there are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) waiting: usize,
    pub(crate) taken: usize,
    pub(crate) takers: usize,
}

impl Jobs {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self { bounds, state: Mutex::default() }
    }

    /// The number of a new worker.
    pub(crate) fn add_worker(&self) -> u64 {
        let mut state = self.state();
        state.workers += 1;
        state.workers
    }

    /// Adds a job, and gives it to the first taker. Returns its number; `None` if there are as many jobs as there may be.
    pub(crate) fn put(&self, text: &[u8], now: Instant) -> Option<u64> {
        let mut state = self.state();
        if state.waiting.len() + state.taken.len() >= self.bounds.max_jobs {
            return None;
        }
        state.put += 1;
        let number = state.put;
        state.waiting.push_back(Job { number, text: text.into() });
        drop(state);
        self.hand_out(now);
        Some(number)
    }

    /// Takes a job, and returns the reply. `None` if there is no job, or others wait for one.
    pub(crate) fn take(&self, worker: u64, now: Instant) -> Option<Vec<u8>> {
        let mut state = self.state();
        if !state.takers.is_empty() {
            return None;
        }
        state.lease(worker, now + self.bounds.lease).map(|(_, reply)| reply)
    }

    /// Has a worker wait for a job, which is the answer.
    pub(crate) fn wait(&self, worker: u64, client: Handle, answer: Later, now: Instant) -> Ticket {
        let mut state = self.state();
        state.tickets += 1;
        let ticket = Ticket(state.tickets);
        state.takers.insert(ticket, Taker { worker, client, answer, told: false });
        drop(state);
        self.hand_out(now);
        ticket
    }

    /// Removes a taker, and returns its answer. `None` if it has one already.
    pub(crate) fn withdraw(&self, ticket: Ticket) -> Option<Later> {
        self.state().takers.remove(&ticket).map(|taker| taker.answer)
    }

    /// Gives jobs to takers, as long as there are both.
    pub(crate) fn hand_out(&self, now: Instant) {
        loop {
            let next = self.state().next(now + self.bounds.lease); // the lock is released here
            let Some((taker, number, reply)) = next else { return };
            if taker.answer.send(reply).is_err() {
                self.state().give_back(taker.worker, number); // to the next taker
            }
        }
    }

    /// Removes a job. Returns whether this worker has it.
    pub(crate) fn finish(&self, worker: u64, number: u64) -> bool {
        self.state().taken.remove(&(worker, number)).is_some()
    }

    /// Returns the jobs of a worker whose leases have ended. Returns the end of the next lease, and whether the worker waits.
    pub(crate) fn expire(
        &self,
        worker: u64,
        ticket: Option<Ticket>,
        now: Instant,
    ) -> (Option<Instant>, bool) {
        let mut state = self.state();
        let overdue: Vec<_> =
            state.of(worker).filter(|(_, lease)| lease.until <= now).map(|(number, _)| number).collect();
        overdue.into_iter().rev().for_each(|number| state.give_back(worker, number));
        let next = state.of(worker).map(|(_, lease)| lease.until).min();
        let waits = ticket.is_some_and(|ticket| state.takers.contains_key(&ticket));
        drop(state);
        self.hand_out(now);
        (next, waits)
    }

    /// Returns all jobs of a worker that has left. Nobody knows the time here, so a taker is told to hand them out.
    pub(crate) fn leave(&self, worker: u64, ticket: Option<Ticket>) {
        let mut state = self.state();
        let taker = ticket.and_then(|ticket| state.takers.remove(&ticket));
        let held: Vec<_> = state.of(worker).map(|(number, _)| number).collect();
        held.into_iter().rev().for_each(|number| state.give_back(worker, number));
        let told = if state.waiting.is_empty() { None } else { state.tell() };
        drop(state);
        drop(taker); // outside the lock, as its answer is dropped
        if let Some(client) = told {
            // If it has gone as well, it tells the next one when it leaves. If its mailbox is too small, its timer does it.
            let _ = client.send(*b"");
        }
    }

    pub(crate) fn size(&self) -> Size {
        let state = self.state();
        Size { waiting: state.waiting.len(), taken: state.taken.len(), takers: state.takers.len() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The first taker and its job.
    fn next(&mut self, until: Instant) -> Option<(Taker, u64, Vec<u8>)> {
        let worker = self.takers.first_key_value()?.1.worker;
        let (number, reply) = self.lease(worker, until)?;
        let (_, taker) = self.takers.pop_first()?;
        Some((taker, number, reply))
    }

    /// Leases the next job to a worker. Returns its number, and the reply.
    fn lease(&mut self, worker: u64, until: Instant) -> Option<(u64, Vec<u8>)> {
        let Job { number, text } = self.waiting.pop_front()?;
        let reply = [format!("{number} ").as_bytes(), &text].concat();
        self.taken.insert((worker, number), Lease { text, until });
        Some((number, reply))
    }

    /// Returns a job to the front of the queue, unless the worker does not have it any more.
    fn give_back(&mut self, worker: u64, number: u64) {
        if let Some(Lease { text, .. }) = self.taken.remove(&(worker, number)) {
            self.waiting.push_front(Job { number, text });
        }
    }

    /// The jobs of a worker, in the order of their numbers.
    fn of(&self, worker: u64) -> impl DoubleEndedIterator<Item = (u64, &Lease)> {
        let all = (worker, 0)..=(worker, u64::MAX);
        self.taken.range(all).map(|(&(_, number), lease)| (number, lease))
    }

    /// Returns the client of the first taker, unless it was told before. Then it gets a job before anything else does.
    fn tell(&mut self) -> Option<Handle> {
        let mut first = self.takers.first_entry()?;
        let taker = first.get_mut();
        (!std::mem::replace(&mut taker.told, true)).then(|| taker.client.clone())
    }
}
