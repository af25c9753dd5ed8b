//! Wakes a thread that is blocked in `recv`, by a signal.
//!
//! To `poll` the socket and a wake-up descriptor would be simpler, but costs one more system call for each
//! message: 5 to 16 % of the CPU time (measured on Linux 6.18, 64 and 500 connections). A signal costs
//! nothing until it is sent. `SIGURG` is ignored by default, so a spurious one is harmless. Go's runtime uses it too.
#![expect(
    unsafe_code,
    reason = "no library sends a signal to a thread, or installs a handler without SA_RESTART"
)]

use std::fmt;
use std::io::{self, ErrorKind};
use std::marker::PhantomData;
use std::sync::{Arc, PoisonError};
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};
use std::{mem, ptr};

use common::sync::atomic::{AtomicU8, Ordering};
use common::sync::{Mutex, MutexGuard, thread};

#[cfg(all(test, shuttle))]
use crate::models::interrupt::send_signal;

/// Allows other threads to wake the thread that created it from a blocking [`call`](Self::call), which then fails with
/// `EINTR`.
///
/// The thread is woken by `SIGURG`, only during such a call, so that no system call of a session is interrupted. For this
/// the interrupt changes how the process and the thread treat the signal:
///
/// - If the signal has the default action or is ignored, it gets a handler that does nothing. If the program has a handler
///   of its own, its flag `SA_RESTART` is cleared, since the flag would restart the call.
/// - The thread unblocks the signal until the interrupt is dropped. A session must not block it.
pub struct Interrupt {
    thread: Arc<Thread>,
    /// The signals that this thread blocked before.
    blocked_before: libc::sigset_t,
    /// An interrupt belongs to one thread.
    not_send: PhantomData<*const ()>,
}

#[derive(Debug)]
struct Thread {
    /// One of the constants below.
    state: AtomicU8,
    target: Mutex<Target>,
}

#[derive(Debug)]
struct Target {
    /// The thread to signal, until its interrupt is dropped.
    handle: Option<libc::pthread_t>,
    /// The list to which the thread is added when it was signalled, until its interrupt is dropped.
    signalled: Option<Arc<Signalled>>,
}

/// The thread is outside of a call.
const RUNNING: u8 = 0;
/// The thread is within a call, or about to enter it.
const WAITING: u8 = 1;
/// The thread is within a call, and a signal is being sent to it.
const SIGNALLING: u8 = 2;
/// The thread is within a call, and a signal was sent to it.
const SIGNALLED: u8 = 3;

impl Interrupt {
    /// Creates an interrupt for the current thread.
    ///
    /// # Errors
    /// If the system rejects the signal handler.
    pub fn of_this_thread() -> io::Result<Self> {
        handle_signal()?;
        let blocked_before = unblock_signal()?;
        // SAFETY: the call has no preconditions.
        let this = unsafe { libc::pthread_self() };
        let target = Mutex::new(Target { handle: Some(this), signalled: None });
        let thread = Thread { state: AtomicU8::new(RUNNING), target };
        Ok(Self { thread: Arc::new(thread), blocked_before, not_send: PhantomData })
    }

    /// A waker that wakes the thread.
    pub fn waker(&self) -> Waker {
        Waker::from(Arc::clone(&self.thread))
    }

    /// Adds the thread to this list when it is signalled, so that it is signalled again until it wakes.
    pub(crate) fn signal_again_by(&self, signalled: &Arc<Signalled>) {
        self.thread.target().signalled = Some(Arc::clone(signalled));
    }

    /// Makes a call that may block. A wake-up during the call interrupts it. `is_woken` tells whether the thread was woken
    /// before; if so, the call is not made.
    ///
    /// # Errors
    /// Those of the call, and `Interrupted` at a wake-up.
    pub fn call<T>(
        &self,
        is_woken: impl FnOnce() -> bool,
        call: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T> {
        let state = &self.thread.state;
        // In this order, so that a thread that wakes this one after `is_woken` finds it waiting.
        state.store(WAITING, Ordering::SeqCst);
        let result = if is_woken() { Err(ErrorKind::Interrupted.into()) } else { call() };
        if state.compare_exchange(WAITING, RUNNING, Ordering::SeqCst, Ordering::SeqCst).is_err() {
            // The thread that sends the signal may have been preempted by this one, which the signal has woken. So this one yields:
            // if it spun, it would do so for a time slice.
            while state.compare_exchange(SIGNALLED, RUNNING, Ordering::SeqCst, Ordering::SeqCst).is_err() {
                thread::yield_now();
            }
            // This call delivers a pending signal, which would otherwise interrupt a system call of the session.
            thread::yield_now();
        }
        result
    }
}

impl fmt::Debug for Interrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interrupt").field("thread", &self.thread).finish_non_exhaustive()
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        let mut target = self.thread.target();
        target.handle = None;
        // The list may still have this thread, and would keep itself alive by it.
        let signalled = target.signalled.take();
        drop((target, signalled));
        // SAFETY: the set was filled by the system.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.blocked_before, ptr::null_mut()) };
    }
}

impl Thread {
    /// Signals the thread if it is within a call. Returns whether this is the first signal for that call.
    ///
    /// A signal that arrives just before the system call begins is lost. So the thread is signalled again until it wakes.
    fn signal(&self, target: &Target) -> bool {
        let Some(thread) = target.handle else { return false };
        let signalling = |state| matches!(state, WAITING | SIGNALLED).then_some(SIGNALLING);
        let Ok(before) = self.state.fetch_update(Ordering::SeqCst, Ordering::SeqCst, signalling) else {
            return false;
        };
        // SAFETY: the thread is alive: it removes its handle before it ends, under the lock that the caller holds.
        unsafe { send_signal(thread) };
        self.state.store(SIGNALLED, Ordering::SeqCst);
        before == WAITING
    }

    fn has_woken(&self) -> bool {
        matches!(self.state.load(Ordering::SeqCst), RUNNING | WAITING)
    }

    fn target(&self) -> MutexGuard<'_, Target> {
        self.target.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Thread {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let target = self.target();
        if self.signal(&target)
            && let Some(signalled) = &target.signalled
        {
            signalled.add(self);
        }
    }
}

/// The threads that were signalled and may not have woken.
#[derive(Debug)]
pub(crate) struct Signalled {
    state: Mutex<SignalledState>,
    /// Wakes the maintenance thread, which signals them again.
    maintenance: Waker,
}

#[derive(Debug, Default)]
struct SignalledState {
    threads: Vec<Arc<Thread>>,
    /// When to signal them again.
    at: Option<Instant>,
}

/// The time after which a signal is sent again.
const SIGNAL_INTERVAL: Duration = Duration::from_millis(1);

impl Signalled {
    pub(crate) fn new(maintenance: Waker) -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), maintenance })
    }

    fn add(&self, thread: &Arc<Thread>) {
        let mut state = self.state();
        state.threads.push(Arc::clone(thread));
        let is_first = state.threads.len() == 1;
        drop(state);
        if is_first {
            self.maintenance.wake_by_ref();
        }
    }

    /// If it is time to, signals the threads that have not woken. Returns when to call it again, unless all have woken.
    pub(crate) fn signal_again(&self, now: Instant) -> Option<Instant> {
        let mut state = self.state();
        if state.at.is_some_and(|at| now >= at) {
            state.threads.retain(|thread| !thread.has_woken());
            let threads = state.threads.clone();
            drop(state); // a waker adds a thread to this list while it holds the lock of that thread
            for thread in threads {
                thread.signal(&thread.target());
            }
            state = self.state();
            state.at = None;
        }
        if state.at.is_none() && !state.threads.is_empty() {
            state.at = Some(now + SIGNAL_INTERVAL);
        }
        state.at
    }

    fn state(&self) -> MutexGuard<'_, SignalledState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends the signal to a thread. In a model, it is the model's.
///
/// # Safety
/// The thread must be alive.
#[cfg(not(all(test, shuttle)))]
unsafe fn send_signal(thread: libc::pthread_t) {
    let _ = handle_signal(); // it succeeded before
    // SAFETY: the caller ensures that the thread is alive.
    unsafe { libc::pthread_kill(thread, libc::SIGURG) };
}

/// Ensures that `SIGURG` interrupts system calls, and keeps a handler of the program.
fn handle_signal() -> io::Result<()> {
    extern "C" fn nothing(_signal: libc::c_int) {}
    // SAFETY: all-zero bits are a valid `sigaction`, and the structures are valid for the calls. The handler does
    // nothing, or is the one that was installed already.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        checked(libc::sigaction(libc::SIGURG, ptr::null(), &raw mut action))?;
        if matches!(action.sa_sigaction, libc::SIG_DFL | libc::SIG_IGN) {
            action = mem::zeroed();
            action.sa_sigaction = nothing as extern "C" fn(libc::c_int) as libc::sighandler_t;
        } else if action.sa_flags & libc::SA_RESTART == 0 {
            return Ok(());
        }
        action.sa_flags &= !libc::SA_RESTART;
        checked(libc::sigaction(libc::SIGURG, &raw const action, ptr::null_mut()))
    }
}

/// Unblocks `SIGURG` on this thread, and returns the signals that were blocked before.
fn unblock_signal() -> io::Result<libc::sigset_t> {
    // SAFETY: all-zero bits are a valid set, and the sets are valid for the calls.
    unsafe {
        let (mut signal, mut before): (libc::sigset_t, libc::sigset_t) = (mem::zeroed(), mem::zeroed());
        libc::sigemptyset(&raw mut signal);
        libc::sigaddset(&raw mut signal, libc::SIGURG);
        match libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const signal, &raw mut before) {
            0 => Ok(before),
            error => Err(io::Error::from_raw_os_error(error)),
        }
    }
}

fn checked(status: libc::c_int) -> io::Result<()> {
    if status == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::net::UnixStream;

    use super::*;
    use crate::Notifier;

    #[test]
    fn a_thread_that_is_being_signalled_has_not_woken() {
        let signalled = Signalled::new(Waker::noop().clone());
        let interrupt = Interrupt::of_this_thread().unwrap();
        interrupt.signal_again_by(&signalled);
        let is_woken = || {
            interrupt.waker().wake();
            let at = signalled.signal_again(Instant::now()).unwrap();
            interrupt.thread.state.store(SIGNALLING, Ordering::SeqCst); // by another waker, in this moment
            assert_ne!(signalled.signal_again(at), None, "it is forgotten");
            interrupt.thread.state.store(SIGNALLED, Ordering::SeqCst);
            true
        };
        assert!(interrupt.call(is_woken, || Ok(())).is_err());
    }

    #[test]
    fn a_thread_that_has_ended_keeps_no_list_alive() {
        let signalled = Signalled::new(Waker::noop().clone());
        let interrupt = Interrupt::of_this_thread().unwrap();
        interrupt.signal_again_by(&signalled);
        signalled.add(&interrupt.thread);
        drop(interrupt);
        let left = Arc::downgrade(&signalled);
        drop(signalled);
        assert!(left.upgrade().is_none());
    }

    #[test]
    fn a_lost_signal_is_sent_again() {
        let notifier = Notifier::new().unwrap();
        let signalled = Signalled::new(notifier.waker());
        let interrupt = Interrupt::of_this_thread().unwrap();
        interrupt.signal_again_by(&signalled);
        let waker = interrupt.waker();
        let (mut socket, _peer) = UnixStream::pair().unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        thread::scope(|scope| {
            let again = scope.spawn(|| {
                notifier.wait().unwrap(); // the signal was entered
                while signalled.signal_again(Instant::now()).is_some() {
                    thread::sleep(Duration::from_millis(1));
                }
            });
            // The signal comes after the thread has looked whether it was woken, and before it blocks.
            let lose_a_signal = || {
                waker.wake_by_ref();
                false
            };
            let read = interrupt.call(lose_a_signal, || socket.read(&mut [0]));
            assert_eq!(read.unwrap_err().kind(), ErrorKind::Interrupted);
            again.join().unwrap();
        });
        assert_eq!(signalled.signal_again(Instant::now()), None, "it has noticed");
    }
}
