//! The threads on which a server calls handlers that may block.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::STACK_SIZE;
use common::guarded;

/// The threads on which a server calls handlers that may block: as many as are needed at once, up to a limit. What
/// comes beyond it waits, in the order in which it came.
pub(crate) struct BlockingThreads {
    most: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Job>,
    threads: usize,
    /// How many of them wait for a job.
    idle: usize,
    closed: bool,
}

type Job = Box<dyn FnOnce() + Send>;

/// A thread that has had nothing to do for so long ends.
const KEPT_IDLE: Duration = Duration::from_secs(10);

impl BlockingThreads {
    pub(crate) fn new(most: usize) -> Arc<Self> {
        let (state, changed) = Default::default();
        Arc::new(Self { most, state, changed })
    }

    /// Runs a job on one of the threads; where the system has none at all, here.
    pub(crate) fn run(self: &Arc<Self>, job: impl FnOnce() + Send + 'static) {
        let mut state = self.state();
        state.queue.push_back(Box::new(job));
        if state.queue.len() <= state.idle {
            self.changed.notify_one();
        } else if state.threads < self.most {
            state.threads += 1;
            drop(state);
            if self.spawn().is_err() {
                self.go_without();
            }
        }
    }

    /// Lets the threads end as soon as nothing is left to do.
    pub(crate) fn close(&self) {
        self.state().closed = true;
        self.changed.notify_all();
    }

    fn spawn(self: &Arc<Self>) -> io::Result<()> {
        let threads = Arc::clone(self);
        let thread = thread::Builder::new().name("blocking".into()).stack_size(STACK_SIZE);
        thread.spawn(move || threads.work()).map(drop)
    }

    /// A thread was refused: what waits is left to the others, or if there are none, is done here.
    fn go_without(&self) {
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

    /// A thread's work. It is counted off under the lock under which it has seen that nothing is left.
    fn work(&self) {
        let mut state = self.state();
        loop {
            if let Some(job) = state.queue.pop_front() {
                drop(state);
                let _ = guarded(job); // what it had is dropped, and others wait
                state = self.state();
                continue;
            }
            if state.closed {
                break;
            }
            state.idle += 1;
            let waited = self.changed.wait_timeout(state, KEPT_IDLE).unwrap_or_else(PoisonError::into_inner);
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

    /// Jobs that say when they begin, and end when they are told to.
    struct Jobs {
        threads: Arc<BlockingThreads>,
        begun: (Sender<usize>, Receiver<usize>),
        end: Vec<Sender<()>>,
    }

    impl Jobs {
        fn new(most: usize) -> Self {
            Self { threads: BlockingThreads::new(most), begun: channel(), end: Vec::new() }
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
    fn as_many_run_as_there_may_be_threads_and_the_others_wait_in_order() {
        for most in [1, 3] {
            let mut jobs = Jobs::new(most);
            (0..most + 2).for_each(|_| jobs.add());
            let mut begun: Vec<_> = (0..most).map(|_| jobs.next_begun()).collect();
            begun.sort_unstable();
            assert_eq!(begun, (0..most).collect::<Vec<_>>());
            assert_eq!(jobs.threads.state().threads, most);
            assert_eq!(jobs.threads.state().queue.len(), 2);
            for number in 0..2 {
                jobs.end[number].send(()).unwrap();
                assert_eq!(jobs.next_begun(), most + number);
            }
        }
    }

    #[test]
    fn a_job_that_panics_harms_no_other() {
        let threads = BlockingThreads::new(1);
        let (sender, done) = channel();
        threads.run(|| std::panic::panic_any("on purpose"));
        threads.run(move || sender.send(()).unwrap());
        assert_eq!(done.recv_timeout(Duration::from_secs(10)), Ok(()));
    }

    #[test]
    fn what_waits_is_done_after_the_end() {
        let mut jobs = Jobs::new(1);
        (0..3).for_each(|_| jobs.add());
        jobs.threads.close();
        for number in 0..3 {
            assert_eq!(jobs.next_begun(), number);
            jobs.end[number].send(()).unwrap();
        }
    }

    #[test]
    fn without_any_thread_a_job_is_done_by_whoever_brings_it() {
        let threads = BlockingThreads::new(1);
        let (sender, done) = channel();
        let mut state = threads.state();
        state.threads = 1;
        state.queue.push_back(Box::new(move || sender.send(thread::current().id()).unwrap()));
        drop(state);
        threads.go_without();
        assert_eq!(done.try_recv(), Ok(thread::current().id()));
    }
}
