//! The generator: produces the load of a [`Plan`] with one event loop per thread, and measures.
//!
//! - Each connection has its own schedule, offset against the others, so the messages of a stalled connection wait for
//!   it. Latency is measured from the scheduled time.
//! - Messages that were due in the warm-up are not counted. The generator waits after the end for the replies to
//!   messages that were due in the measured time. A message without a reply even then, or whose connection ends, counts
//!   with the time it has waited, and is `unfinished`. Messages due on a connection that has ended are `dropped`, and
//!   are in no latency.
//! - Replies count for the rate from the first one to a message of the measured time, for the length of that time. So
//!   the rate is neither raised by a backlog of the warm-up nor lowered by messages in flight at the end. An overloaded
//!   server answers the backlog of the warm-up first, so messages that wait are sent until the end of that time, for at
//!   most a second and ten times the warm-up.
//! - Hostile clients connect behind the measured ones and the subscribers, so that these have their places in a server
//!   that gets full, and before the warm-up begins.
//! - The server's CPU clocks and the number of replies are read at the same two instants. The processes that descend from
//!   the server's are the server, too.
//! - Subscribers are connections of the same event loops, and have subscribed before the first message is sent. Messages
//!   carry their send time then, so that each push is verified and its delay is measured where it arrives. After the last
//!   reply the generator waits for the pushes of all messages whose reply was no error; a push that does not come is
//!   `missed`.
//! - If the generator was the bottleneck ([`checks::generator_limited`]), the measurement says nothing about the
//!   server.

mod client;
mod composer;
mod hostile;
mod in_flight;
mod live;
mod poller;
mod probe;
mod pushes;
mod queue;
mod schedule;
mod sources;
mod start;
mod subscription;
mod tally;
mod threads;
mod timeline;
mod verify;
mod worker;

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use history::Writer;
pub use live::Progress;
pub use probe::{Probe, expectation, probe, reachable};

use crate::checks;
use crate::engine::hostile::Crowd;
use crate::engine::live::{Live, observe};
use crate::engine::start::{LEAD, instant, reject_late, salt};
use crate::engine::tally::Tally;
use crate::engine::threads::threads;
use crate::engine::worker::Worker;
use crate::expect;
use crate::histogram::Distribution;
use crate::host::{Pinned, pin};
use crate::measurement::{Measurement, Verification, Window};
use crate::plan::{Pace, Plan};

/// How long a server may take to close the connections when no more messages come: one that waits for its client to
/// close first takes all of it. And how long if the run was interrupted.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
const INTERRUPTED_CLOSE_TIMEOUT: Duration = Duration::from_millis(200);

/// Produces the load of a plan, and measures. `stop` ends it early, with the results so far. `tell`, if given, is
/// called with the progress several times per second; only then are percentiles computed during the run.
///
/// # Errors
/// If the plan is invalid (`InvalidInput`), if no connection can be made, if `stop` was set before all were made
/// (`Interrupted`), if a function that writes messages or judges replies panics, or if the system has no threads or
/// descriptors left.
pub fn run(plan: &Plan, stop: &AtomicBool, tell: Option<&dyn Fn(Progress)>) -> io::Result<Measurement> {
    run_with(plan, stop, tell, None)
}

/// Like [`run`], and writes each message and each reply to a history, which begins when the connections are established.
/// The caller finishes it.
///
/// # Errors
/// As those of [`run`], and if the plan does not verify replies (`InvalidInput`).
pub fn record(
    plan: &Plan,
    stop: &AtomicBool,
    tell: Option<&dyn Fn(Progress)>,
    history: &Writer,
) -> io::Result<Measurement> {
    plan.check_recorded().map_err(|why| io::Error::new(io::ErrorKind::InvalidInput, why))?;
    if plan.has_unrecorded() {
        history.recorder().unrecorded();
    }
    run_with(plan, stop, tell, Some(history))
}

fn run_with(
    plan: &Plan,
    stop: &AtomicBool,
    tell: Option<&dyn Fn(Progress)>,
    history: Option<&Writer>,
) -> io::Result<Measurement> {
    plan.check()
        .and_then(|()| plan.check_expect())
        .map_err(|why| io::Error::new(io::ErrorKind::InvalidInput, why))?;
    let plan = &Plan { threads: threads(plan), ..plan.clone() };
    // This thread observes; the threads it starts produce the load.
    let _pinned = Pinned::to(&plan.cpus)?;
    let live = Live::new(plan.threads, tell.is_some());
    let planned = plan.start_at.map(instant).transpose()?;
    let workers = connect(plan, stop, &live, planned, history)?;
    standing(plan, stop, &workers)?; // if there are none, no hostile client connects
    let (crowd, over) = (Crowd::gather(plan, stop)?, AtomicBool::new(false));
    if let Some(history) = history {
        history.begin();
    }
    thread::scope(|scope| {
        let crowd = crowd.map(|crowd| scope.spawn(|| crowd.make_trouble(&over)));
        let ends = Ends(&over);
        let measured = measure(plan, stop, &live, tell, planned, workers);
        drop(ends);
        let hostile = crowd.map(join).transpose()?;
        Ok(Measurement { hostile, ..measured? })
    })
}

/// Stops the hostile clients, even if the measurement panics: the scope waits for their thread.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn measure(
    plan: &Plan,
    stop: &AtomicBool,
    live: &Live,
    tell: Option<&dyn Fn(Progress)>,
    planned: Option<Instant>,
    workers: Vec<Worker<'_>>,
) -> io::Result<Measurement> {
    let workers = match planned {
        Some(start) => wait(workers, start)?,
        None => workers,
    };
    let standing = standing(plan, stop, &workers)?;
    let start = planned.unwrap_or_else(Instant::now);
    let window = Window::of(plan, start);
    let (standing, connections) = (&*standing, standing.len());
    let ((mut tally, measured), observed) = thread::scope(|scope| {
        let workers = workers.into_iter().map(|worker| {
            scope.spawn(move || {
                pin(worker.cpu())?;
                worker.load(start, standing)
            })
        });
        let workers: Vec<_> = workers.collect();
        let at_work = || workers.iter().any(|worker| !worker.is_finished());
        let observed = observe(plan, start, &at_work, live, tell);
        // Until here the connections were open: what the server's threads did is lost when they end with their
        // client.
        let workers = workers.into_iter().map(join).collect::<io::Result<Vec<_>>>()?;
        Ok::<_, io::Error>((leave(workers, stop)?, observed))
    })?;
    let interrupted = stop.load(Ordering::Relaxed);
    let connections = connections.saturating_sub(tally.refused);
    let seconds = measured.as_secs_f64();
    let rate = |count: u64| if seconds > 0.0 { count as f64 / seconds } else { 0.0 };
    let mut measurement = Measurement {
        load: plan.to_string(),
        seconds,
        interrupted,
        stopped_early: (!interrupted && measured < plan.duration)
            .then(|| tally.stopped.take().unwrap_or_else(|| "no connection was left".to_owned())),
        connections,
        // If connections are re-established all the time, fewer messages are in flight.
        in_flight_limit: plan.messages_per_connection.map_or(connections * plan.depth, |_| 0),
        offered_rate: (plan.pace != Pace::Closed).then(|| rate(tally.offered)),
        achieved_rate: rate(tally.achieved),
        latency: Distribution::of(tally.latency()),
        service: Distribution::of(tally.service()),
        send_lag: Distribution::of(&tally.send_lag),
        connect: Distribution::of(&tally.connect),
        timeline: tally.timeline(measured),
        dropped: tally.dropped,
        unfinished: tally.unfinished,
        waited: Distribution::of(&tally.waited),
        verification: Verification { verified: plan.expect.verifies(), ..tally.verification },
        pushes: (plan.shard.share(plan.subscribers.count) > 0).then(|| tally.pushes.pushes(rate)),
        tls: tally.handshakes.some(),
        hostile: None, // not known before they are stopped
        failures: tally.failures,
        reconnected: tally.reconnected,
        resent: tally.resent,
        generator_busy: tally.busy,
        generator_limited: false,
        server_ended: plan.server.is_some() && observed.usage.is_none(),
        server: observed.usage,
        steal: observed.steal,
        plan: plan.settings(),
        shard: plan.shard,
        window: Some(window.measured(measured)),
        generators: Vec::new(),
    };
    measurement.generator_limited = checks::generator_limited(&measurement);
    Ok(measurement)
}

/// Establishes the connections.
fn connect<'a>(
    plan: &'a Plan,
    stop: &'a AtomicBool,
    live: &'a Live,
    start: Option<Instant>,
    history: Option<&Writer>,
) -> io::Result<Vec<Worker<'a>>> {
    let salt = salt(plan);
    thread::scope(|scope| {
        let connecting = (0..plan.threads).map(|index| {
            scope.spawn(move || {
                let recorder = history.map(Writer::recorder);
                let mut worker = Worker::new(plan, stop, live, index, salt, recorder)?;
                pin(worker.cpu())?;
                worker.connect()?;
                start.map_or(Ok(()), reject_late)?;
                Ok::<_, io::Error>(worker)
            })
        });
        let connecting: Vec<_> = connecting.collect();
        connecting.into_iter().map(join).collect()
    })
}

/// Waits until shortly before the load begins.
fn wait(workers: Vec<Worker<'_>>, start: Instant) -> io::Result<Vec<Worker<'_>>> {
    thread::scope(|scope| {
        let waiting = workers.into_iter().map(|mut worker| {
            scope.spawn(move || {
                pin(worker.cpu())?;
                reject_late(start)?;
                worker.wait_until(start.checked_sub(LEAD).unwrap_or(start))?;
                Ok::<_, io::Error>(worker)
            })
        });
        let waiting: Vec<_> = waiting.collect();
        waiting.into_iter().map(join).collect()
    })
}

/// The numbers of the open connections within the shard, in ascending order.
///
/// # Errors
/// If there are none, or no subscribers although the plan has some. `Interrupted` if `stop` was set.
fn standing(plan: &Plan, stop: &AtomicBool, workers: &[Worker<'_>]) -> io::Result<Vec<usize>> {
    let mut standing: Vec<_> = workers.iter().flat_map(Worker::standing).collect();
    standing.sort_unstable();
    let subscribed: usize = workers.iter().map(Worker::subscribed).sum();
    if stop.load(Ordering::Relaxed) {
        return Err(interrupted());
    }
    let can_not = match (standing.len(), subscribed) {
        (0, _) => "connect",
        (_, 0) if plan.shard.share(plan.subscribers.count) > 0 => "subscribe",
        _ => return Ok(standing),
    };
    let why = workers.iter().find_map(Worker::first_failure).unwrap_or("the time was up");
    Err(io::Error::other(format!("can't {can_not} to {}: {why}", plan.address)))
}

/// Ends the connections of all workers. Tells what they have counted, and for how long they have measured.
fn leave(mut workers: Vec<(Worker<'_>, Duration)>, stop: &AtomicBool) -> io::Result<(Tally, Duration)> {
    workers.iter_mut().for_each(|(worker, _)| worker.begin_to_leave());
    let is_interrupted = stop.load(Ordering::Relaxed);
    let timeout = if is_interrupted { INTERRUPTED_CLOSE_TIMEOUT } else { CLOSE_TIMEOUT };
    let end = Instant::now() + timeout;
    let (mut all, mut measured): (Option<Tally>, _) = (None, Duration::ZERO);
    for (mut worker, its_time) in workers {
        worker.leave_until(end)?;
        if !is_interrupted {
            worker.count_missed();
        }
        let tally = worker.into_tally();
        match &mut all {
            Some(all) => all.add(tally),
            None => all = Some(tally),
        }
        measured = measured.max(its_time);
    }
    Ok((all.ok_or_else(|| io::Error::other("there is no thread to make the load"))?, measured))
}

/// The error of a run that was interrupted before it measured anything.
fn interrupted() -> io::Error {
    io::Error::new(io::ErrorKind::Interrupted, "interrupted before anything was measured")
}

fn join<T>(thread: ScopedJoinHandle<'_, io::Result<T>>) -> io::Result<T> {
    thread.join().unwrap_or_else(|panic| match expect::reason(&*panic) {
        Some(why) => Err(io::Error::other(why.to_owned())),
        None => std::panic::resume_unwind(panic),
    })
}
