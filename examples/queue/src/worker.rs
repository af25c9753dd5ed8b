//! A worker: the session of a client, which may put jobs as well.

use std::sync::Arc;

use anyloop::{Client, CloseReason, Flow, Handle, Replies, Session};

use crate::jobs::{Jobs, Size, Ticket};

/// A client of the queue.
pub(crate) struct Worker {
    jobs: Arc<Jobs>,
    client: Handle,
    number: u64,
    /// The place of this worker among those who wait, or have waited, for a job.
    ticket: Option<Ticket>,
    /// Whether the timer is set. It is set for a lease at most, and jobs that come later have a later end.
    timed: bool,
    /// Whether messages have no line ends.
    framed: bool,
    is_stopping: bool,
}

/// The reply to a client that waits for a job when the server stops.
const NONE: &[u8] = b"none";

impl Worker {
    pub(crate) fn new(jobs: Arc<Jobs>, client: &Client) -> Self {
        let number = jobs.add_worker();
        let (ticket, timed, is_stopping) = Default::default();
        Self { jobs, client: client.handle(), number, ticket, timed, framed: client.framed, is_stopping }
    }

    fn put(&self, text: &[u8], out: &mut Replies<'_>) {
        let max = self.jobs.bounds.max_text;
        match text.len() {
            0 => return out.reject("empty-job: write put TEXT"),
            length if length > max => {
                return out.reject(format!("job-too-long: its text has {length} bytes, and may have {max}"));
            }
            _ => {}
        }
        match self.jobs.put(text, out.now()) {
            Some(number) => out.write(format_args!("{number}")),
            None => {
                let max = self.jobs.bounds.max_jobs;
                out.reject(format!("queue-full: max={max}; put it again when a job is done"));
            }
        }
    }

    fn take(&mut self, out: &mut Replies<'_>) {
        let now = out.now();
        match self.jobs.take(self.number, now) {
            Some(reply) => out.send(&reply),
            None if self.is_stopping => return out.send(NONE),
            None => {
                let answer = out.later();
                self.ticket = Some(self.jobs.wait(self.number, self.client.clone(), answer, now));
            }
        }
        if !self.timed {
            self.timed = true;
            out.set_timer(self.jobs.bounds.lease);
        }
    }

    fn finish(&self, number: &[u8], out: &mut Replies<'_>) {
        let Some(number) = std::str::from_utf8(number).ok().and_then(|text| text.parse().ok()) else {
            return out.reject("bad-number: write done NUMBER, with the number that take has returned");
        };
        if self.jobs.finish(self.number, number) {
            out.send(b"ok");
        } else {
            out.reject(format!("not-taken: you do not have job {number}; its lease may have ended"));
        }
    }
}

impl Session for Worker {
    fn message(&mut self, message: &[u8], out: &mut Replies<'_>) -> Flow {
        let line = if self.framed { message } else { message.trim_ascii_end() };
        let end = line.iter().position(|&byte| byte == b' ').unwrap_or(line.len());
        let (word, rest) = (&line[..end], line[end..].trim_ascii());
        match (word, rest) {
            (b"put", text) => self.put(text, out),
            (b"take", b"") => self.take(out),
            (b"done", number) => self.finish(number, out),
            (b"size", b"") => {
                let Size { waiting, taken, takers } = self.jobs.size();
                out.write(format_args!("waiting={waiting} taken={taken} takers={takers}"));
            }
            _ => out.reject("unknown-command: write put TEXT, take, done NUMBER or size"),
        }
        Flow::Continue
    }

    /// Somebody has left, and its jobs are to be given to others.
    fn notified(&mut self, _message: &[u8], out: &mut Replies<'_>) -> Flow {
        self.jobs.hand_out(out.now());
        Flow::Continue
    }

    fn timer(&mut self, out: &mut Replies<'_>) -> Flow {
        let now = out.now();
        let (next, waits) = self.jobs.expire(self.number, self.ticket, now);
        let after = match next {
            Some(until) => Some(until.saturating_duration_since(now)),
            None => waits.then_some(self.jobs.bounds.lease),
        };
        self.timed = after.is_some();
        out.set_timer(after);
        Flow::Continue
    }

    fn stopping(&mut self, _out: &mut Replies<'_>) -> Flow {
        self.is_stopping = true;
        if let Some(answer) = self.ticket.and_then(|ticket| self.jobs.withdraw(ticket)) {
            let _ = answer.send(NONE); // fails if it has waited for too long
        }
        Flow::Continue
    }

    fn closed(&mut self, _why: CloseReason) {
        self.jobs.leave(self.number, self.ticket);
    }
}
