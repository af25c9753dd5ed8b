//! One event loop of the generator, with its share of the connections.

mod backlog;
mod connecting;
mod ending;
mod handshaking;
mod sending;
mod subscribing;

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use history::Recorder;
use rustix::time::{ClockId, clock_gettime};

use crate::engine::client::Client;
use crate::engine::composer::Composer;
use crate::engine::live::Live;
use crate::engine::poller::{Poller, Ready};
use crate::engine::queue::Queue;
use crate::engine::schedule::Schedule;
use crate::engine::tally::Tally;
use crate::engine::worker::backlog::Backlog;
use crate::engine::worker::connecting::Returning;
use crate::plan::{Pace, Plan, Shard};

/// One event loop of the generator, with its share of the connections.
pub(super) struct Worker<'a> {
    plan: &'a Plan,
    stop: &'a AtomicBool,
    live: &'a Live,
    /// Which of the threads it is, from 0.
    index: usize,
    /// Its part of the plan, among the threads of all shards.
    part: Shard,
    poller: Poller,
    /// The ready connections, reused between iterations.
    ready: Vec<Ready>,
    /// The measured connections, and then those of subscribers.
    clients: Vec<Option<Client>>,
    /// The number of the measured ones.
    senders: usize,
    /// How many connections this worker has begun.
    begun: u32,
    composer: Composer<'a>,
    /// Connections for which the server's backlog has had no room yet.
    backlog: Backlog,
    /// Connections that the server has ended and that have to be re-established.
    returning: Vec<Returning>,
    random: fastrand::Rng,
    /// The epoch of all times, which are in nanoseconds.
    epoch: Instant,
    /// Whether messages are sent: not while connecting, and not at the end, when replies may still come.
    loading: bool,
    /// Whether the connections are being closed, so that the end of one is no failure.
    leaving: bool,
    /// The measured time: start and end.
    window: (u64, u64),
    /// In an open loop: the schedule, and the messages that wait for a connection.
    schedule: Option<Schedule>,
    queue: Option<Queue>,
    input: Vec<u8>,
    /// What a transform has opened.
    plain: Vec<u8>,
    output: Vec<u8>,
    tally: Tally,
}

/// The maximal interval at which the loop checks the clock and `stop`.
const TICK: Duration = Duration::from_millis(50);

/// The initial capacity of the output buffer, in bytes.
const OUTPUT: usize = 1024 * 1024;

/// How much is read at once, in bytes.
const READ: usize = 64 * 1024;

impl<'a> Worker<'a> {
    /// A worker for its share of a plan. `salt` identifies the run in messages that carry their send time. The recorder
    /// records the messages and the replies.
    pub(super) fn new(
        plan: &'a Plan,
        stop: &'a AtomicBool,
        live: &'a Live,
        index: usize,
        salt: u64,
        recorder: Option<Recorder>,
    ) -> io::Result<Self> {
        let part = plan.shard.of_thread(index, plan.threads);
        let (senders, subscribers) = (part.share(plan.connections), part.share(plan.subscribers.count));
        let longest = plan.messages.longest();
        let mut random = fastrand::Rng::with_seed(plan.seed.wrapping_add(part.number_of(0) as u64));
        let composer = Composer::new(&plan.messages, plan.framing, &plan.expect, random.fork());
        let composer = composer.with_recorder(recorder);
        Ok(Self {
            plan,
            stop,
            live,
            index,
            part,
            poller: Poller::new()?,
            ready: Vec::new(),
            clients: (0..senders + subscribers).map(|_| None).collect(),
            senders,
            begun: 0,
            composer: if plan.subscribers.is_empty() {
                composer
            } else {
                composer.with_stamps(salt, plan.shard)
            },
            backlog: Backlog::default(),
            returning: Vec::new(),
            random,
            epoch: Instant::now(),
            loading: false,
            leaving: false,
            window: (u64::MAX, u64::MAX),
            schedule: None,
            queue: None,
            input: vec![0; READ],
            plain: Vec::new(),
            output: Vec::with_capacity((plan.depth.min(1024) * longest).min(OUTPUT)),
            tally: Tally::new(plan.pace == Pace::Closed),
        })
    }

    /// The core to which it is pinned.
    pub(super) fn cpu(&self) -> Option<usize> {
        self.plan.cpus.get(self.index % self.plan.cpus.len().max(1)).copied()
    }

    /// Why a connection could not be made, if there is one.
    pub(super) fn first_failure(&self) -> Option<&str> {
        self.tally.failures.examples.first().map(String::as_str)
    }

    /// Waits until this instant. The ends of connections are noticed.
    pub(in crate::engine) fn wait_until(&mut self, instant: Instant) -> io::Result<()> {
        loop {
            let left = instant.saturating_duration_since(Instant::now());
            if left.is_zero() || self.stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            self.turn(left.min(TICK))?;
            self.reconnect(self.now());
        }
    }

    /// The numbers within the shard of its open connections that are measured.
    pub(in crate::engine) fn standing(&self) -> impl Iterator<Item = usize> {
        let senders = self.clients[..self.senders].iter().enumerate();
        let standing = senders.filter(|(_, client)| client.is_some());
        standing.map(|(place, _)| place * self.plan.threads + self.index)
    }

    /// Produces load from `start` on, for the time of the plan, with its share of all open connections, which are
    /// numbered within the shard. Returns for how long it has measured. The connections stay open as long as the worker
    /// lives.
    pub(super) fn load(mut self, start: Instant, standing: &[usize]) -> io::Result<(Self, Duration)> {
        self.wait_until(start)?;
        self.shift_epoch(nanoseconds(start.saturating_duration_since(self.epoch)));
        self.epoch = start;
        let begin = nanoseconds(self.plan.warmup);
        self.window = (begin, begin.saturating_add(nanoseconds(self.plan.duration)));
        self.tally.start(self.window);
        self.loading = true;
        self.start_sending(standing);
        let mut at_begin = None;
        let mut now = self.now();
        while self.loading {
            let due = self.send_what_is_due(now);
            self.turn(Duration::from_nanos(due).min(TICK))?;
            now = self.now();
            if now >= begin {
                at_begin.get_or_insert_with(|| (Instant::now(), busy()));
            }
            self.reconnect(now);
            let is_alone = self.is_left_alone(now);
            if self.stop.load(Ordering::Relaxed) || self.live.are_left_alone(self.index, is_alone) {
                self.window.1 = now.clamp(self.window.0, self.window.1);
                self.tally.stop(now);
                break;
            }
            self.loading = now < self.window.1;
        }
        self.tally.busy = at_begin.map_or(0.0, |(begin, used)| share_of_core(begin, used));
        self.wait_for_replies()?;
        self.wait_for_pushes()?;
        let measured = self.window.1.saturating_sub(self.window.0);
        Ok((self, Duration::from_nanos(measured)))
    }

    /// Closes its connections, and returns its counters.
    pub(super) fn into_tally(self) -> Tally {
        self.tally
    }

    /// Runs one iteration of the event loop; waits at most `wait` for events.
    fn turn(&mut self, wait: Duration) -> io::Result<()> {
        let wait = if self.backlog.is_empty() { wait } else { wait.min(self.backlog.due_in(self.now())) };
        let mut ready = std::mem::take(&mut self.ready);
        self.poller.wait(&mut ready, wait)?;
        for &Ready { place, readable, writable } in &ready {
            if writable && !self.writable(place) {
                continue;
            }
            if readable {
                self.readable(place);
            }
        }
        self.ready = ready;
        self.find_room();
        self.live.publish(self.index, &mut self.tally, || nanoseconds(self.epoch.elapsed()));
        Ok(())
    }

    /// Reads from a connection, and sends the next messages.
    fn readable(&mut self, place: usize) {
        match self.take_in(place) {
            Ok(None) => {}
            Ok(Some(now)) => self.refill(place, now, usize::MAX),
            Err(error) => self.end(place, &error),
        }
    }

    /// Closes a connection on which writing failed. The bytes received before may contain the reason.
    fn broken(&mut self, place: usize, error: &io::Error) {
        let said = self.take_in(place).err();
        self.end(place, said.as_ref().unwrap_or(error));
    }

    /// Reads once, and processes the bytes. Returns the time of reading, if there were any.
    ///
    /// # Errors
    /// If the connection has ended, or has to be closed.
    #[inline]
    fn take_in(&mut self, place: usize) -> io::Result<Option<u64>> {
        let Some(client) = &mut self.clients[place] else { return Ok(None) };
        if client.channel.is_some() {
            return self.open(place);
        }
        let read = client.read(&mut self.input);
        let now = nanoseconds(self.epoch.elapsed());
        self.tally.turn_to(now);
        self.composer.record_time(now);
        let received = match read {
            Ok(None) => return Ok(None),
            Ok(Some(count)) => client.receive(&mut self.input[..count], &mut self.composer, &mut self.tally),
            // The remaining bytes are a reply only if the server closed the connection in order, not if it was reset.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                client.finish(&mut self.composer, &mut self.tally).and(Err(error))
            }
            Err(error) => Err(error),
        };
        received.map(|()| Some(now))
    }

    /// Nanoseconds since the epoch.
    fn now(&self) -> u64 {
        nanoseconds(self.epoch.elapsed())
    }
}

/// The CPU time that this thread has used.
fn busy() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

/// The share of a core that this thread has used since an instant at which it had used so much CPU time. The last turn of
/// the loop may end behind the measured time, so the share is one of the time that has passed.
fn share_of_core(begin: Instant, used: Duration) -> f64 {
    let (busy, passed) = (busy().saturating_sub(used).as_secs_f64(), begin.elapsed().as_secs_f64());
    if passed > 0.0 { (busy / passed).min(1.0) } else { 0.0 }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
