//! The threads on which a server runs handlers that may block.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use crate::STACK_SIZE;
use common::guarded;
use common::sync::{Condvar, Mutex, MutexGuard, thread};

/// The threads on which a server runs handlers that may block. They are spawned on demand, up to a limit. Further jobs
/// wait in a queue.
pub(crate) struct BlockingThreads {
    max_threads: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Job>,
    threads: usize,
    /// How many of the threads wait for a job.
    idle: usize,
    closed: bool,
}

type Job = Box<dyn FnOnce() + Send>;

/// A thread that has been idle for this time ends.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

impl BlockingThreads {
    pub(crate) fn new(max_threads: usize) -> Arc<Self> {
        let (state, changed) = Default::default();
        Arc::new(Self { max_threads, state, changed })
    }

    /// Runs a job on one of the threads, or on this thread if the system can't start a single one.
    pub(crate) fn run(self: &Arc<Self>, job: impl FnOnce() + Send + 'static) {
        let mut state = self.state();
        state.queue.push_back(Box::new(job));
        if state.queue.len() <= state.idle {
            self.changed.notify_one();
        } else if state.threads < self.max_threads {
            state.threads += 1;
            drop(state);
            if self.spawn().is_err() {
                self.spawn_failed();
            }
        }
    }

    /// Ends the threads once the queue is empty.
    pub(crate) fn close(&self) {
        self.state().closed = true;
        self.changed.notify_all();
    }

    fn spawn(self: &Arc<Self>) -> io::Result<()> {
        let threads = Arc::clone(self);
        let thread = thread::Builder::new().name("blocking".into()).stack_size(STACK_SIZE);
        thread.spawn(move || threads.work()).map(drop)
    }

    /// Leaves the queue to the other threads, or if there are none, runs the jobs on this one.
    fn spawn_failed(&self) {
        let mut state = self.state();
        state.threads -= 1;
        while state.threads == 0
            && let Some(job) = state.queue.pop_front()
        {
            drop(state);
            let _ = guarded(job);
            state = self.state();
        }
    }

    /// The loop of a thread. The lock is held from the check that the queue is empty until the thread is subtracted, so that
    /// no job is left to a thread that ends.
    fn work(&self) {
        let mut state = self.state();
        loop {
            if let Some(job) = state.queue.pop_front() {
                drop(state);
                let _ = guarded(job); // a panic drops the job, and the thread continues
                state = self.state();
                continue;
            }
            if state.closed {
                break;
            }
            state.idle += 1;
            let waited = self.changed.wait_timeout(state, KEEP_ALIVE).unwrap_or_else(PoisonError::into_inner);
            state = waited.0;
            state.idle -= 1;
            if waited.1.timed_out() && state.queue.is_empty() {
                break;
            }
        }
        state.threads -= 1;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// Jobs that report when they begin, and end on request.
    struct Jobs {
        threads: Arc<BlockingThreads>,
        begun: (Sender<usize>, Receiver<usize>),
        end: Vec<Sender<()>>,
    }

    impl Jobs {
        fn new(max_threads: usize) -> Self {
            Self { threads: BlockingThreads::new(max_threads), begun: channel(), end: Vec::new() }
        }

        fn add(&mut self) {
            let (end, ended) = channel::<()>();
            let (number, begun) = (self.end.len(), self.begun.0.clone());
            self.end.push(end);
            self.threads.run(move || {
                begun.send(number).unwrap();
                let _ = ended.recv();
            });
        }

        fn next_begun(&self) -> usize {
            self.begun.1.recv_timeout(Duration::from_secs(10)).expect("a job begins")
        }
    }

    #[test]
    fn jobs_beyond_the_limit_of_threads_wait_in_order() {
        for max_threads in [1, 3] {
            let mut jobs = Jobs::new(max_threads);
            (0..max_threads + 2).for_each(|_| jobs.add());
            let mut begun: Vec<_> = (0..max_threads).map(|_| jobs.next_begun()).collect();
            begun.sort_unstable();
            assert_eq!(begun, (0..max_threads).collect::<Vec<_>>());
            assert_eq!(jobs.threads.state().threads, max_threads);
            assert_eq!(jobs.threads.state().queue.len(), 2);
            for number in 0..2 {
                jobs.end[number].send(()).unwrap();
                assert_eq!(jobs.next_begun(), max_threads + number);
            }
        }
    }

    #[test]
    fn a_thread_continues_after_a_job_that_panics() {
        let threads = BlockingThreads::new(1);
        let (sender, done) = channel();
        threads.run(|| std::panic::panic_any("on purpose"));
        threads.run(move || sender.send(()).unwrap());
        assert_eq!(done.recv_timeout(Duration::from_secs(10)), Ok(()));
    }

    #[test]
    fn queued_jobs_run_after_close() {
        let mut jobs = Jobs::new(1);
        (0..3).for_each(|_| jobs.add());
        jobs.threads.close();
        for number in 0..3 {
            assert_eq!(jobs.next_begun(), number);
            jobs.end[number].send(()).unwrap();
        }
    }

    #[test]
    fn without_any_thread_a_job_runs_on_its_caller() {
        let threads = BlockingThreads::new(1);
        let (sender, done) = channel();
        let mut state = threads.state();
        state.threads = 1;
        state.queue.push_back(Box::new(move || sender.send(thread::current().id()).unwrap()));
        drop(state);
        threads.spawn_failed();
        assert_eq!(done.try_recv(), Ok(thread::current().id()));
    }
}
