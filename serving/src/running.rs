//! A server that serves on a thread of its own, within a program of any kind.

use std::any::Any;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;

use crate::statistics::Statistics;
use crate::{Backend, Listener, Report, STACK_SIZE, Stop};
use common::{Address, Service};

/// Has a backend serve on a thread of its own, and returns at once.
///
/// The backend is given by value, by `&'static` reference, in a `Box` or in an [`Arc`]; the listener is a
/// [`TcpListener`](std::net::TcpListener) or a [`UnixListener`](std::os::unix::net::UnixListener). It may be bound to port 0,
/// since [`Running::address`] tells where it listens.
///
/// ```
/// use std::net::TcpListener;
/// use std::sync::Arc;
///
/// use anyloop::handlers::Echo;
/// use anyloop::{Framing, Service};
///
/// # fn main() -> std::io::Result<()> {
/// let service = Service::framed(Arc::new(Echo), Framing::Line);
/// let running = anyloop::start(anyloop::Threads, TcpListener::bind("127.0.0.1:0")?, service)?;
/// println!("listening on {}", running.address());
/// running.stop();
/// let report = running.wait()?;
/// assert_eq!(report.accepted, 0);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// If the listener has no address, or the system has no thread left. All that keeps the backend itself from serving is an
/// error of [`Running::wait`].
pub fn start(
    backend: impl Backend + 'static,
    listener: impl Into<Listener>,
    service: impl Into<Arc<Service>>,
) -> io::Result<Running> {
    let listener = listener.into();
    let address = listener.address()?;
    let (stop, statistics, end) = (Stop::new(), Arc::default(), Arc::<End>::default());
    let running = Running { address, stop, statistics, end };
    let (service, stop) = (service.into(), running.stop.showing(&running.statistics));
    let end = Arc::clone(&running.end);
    // Some backends call sessions on the thread that they are called on.
    let thread = thread::Builder::new().name("server".into()).stack_size(STACK_SIZE);
    thread.spawn(move || {
        let served = catch_unwind(AssertUnwindSafe(|| backend.serve(listener, service, &stop)));
        end.tell(served.unwrap_or_else(|panic| Err(panicked(&*panic))));
    })?;
    Ok(running)
}

/// A server that [serves](start) on a thread of its own.
///
/// It is waited for by [`wait`](Self::wait), or in any task as a future, whose result is the same; it needs no runtime.
/// A `Running` that is dropped tells the server to drain, as [`stop`](Self::stop) does, and waits for nobody. So a program
/// whose `main` returns ends at once; to lose no reply, stop the server and wait for it.
///
/// As a future, it can be awaited where it is lent: `(&mut running).await`.
///
/// ```
/// use anyloop::{Running, Stop};
///
/// /// Serves until somebody presses `stop`, and then lets the clients drain.
/// async fn serve(running: Running, stop: &Stop) -> std::io::Result<()> {
///     stop.requested().await;
///     running.stop();
///     let report = running.await?;
///     println!("{report}");
///     Ok(())
/// }
/// ```
pub struct Running {
    address: Address,
    stop: Stop,
    statistics: Arc<Mutex<Statistics>>,
    end: Arc<End>,
}

impl Running {
    /// The address on which it listens.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Lets its clients drain, and the server end: nobody is let in any more, what has arrived is answered, and who
    /// has not left by the drain timeout is cut off. It returns at once.
    pub fn stop(&self) {
        self.stop.drain();
    }

    /// Cuts all clients off, and has the server end. It returns at once.
    pub fn stop_now(&self) {
        self.stop.now();
    }

    /// What stops this server, to be pressed or waited for elsewhere.
    pub fn stop_handle(&self) -> Stop {
        self.stop.clone()
    }

    /// What it has counted up to now. While it serves, this is up to 250 ms old; once it has ended, it is what it has
    /// reported. It takes no lock that clients are served under.
    pub fn statistics(&self) -> Statistics {
        locked(&self.statistics).clone()
    }

    /// Whether it has ended, so that [`wait`](Self::wait) returns at once.
    pub fn is_finished(&self) -> bool {
        locked(&self.end.state).result.is_some()
    }

    /// Waits until it has ended, for whatever reason, and tells what it has counted. It may be called as often as you
    /// like, by several threads as well.
    ///
    /// It blocks. A task of a runtime that has the server on its own threads awaits the `Running` instead.
    ///
    /// # Errors
    /// As [`Backend::serve`], and if the backend has panicked.
    pub fn wait(&self) -> io::Result<Report> {
        let mut state = locked(&self.end.state);
        loop {
            match state.result() {
                Some(result) => return result,
                None => state = self.end.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}

impl Future for Running {
    type Output = io::Result<Report>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = locked(&self.end.state);
        match state.result() {
            Some(result) => Poll::Ready(result),
            None => {
                let before = state.waker.replace(cx.waker().clone());
                drop(state);
                drop(before); // whatever that does, it holds nobody up
                Poll::Pending
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut running = f.debug_struct("Running");
        running.field("address", &self.address).field("stop", &self.stop);
        running.field("statistics", &self.statistics()).field("is_finished", &self.is_finished()).finish()
    }
}

/// The end of a server, and who waits for it.
#[derive(Default)]
struct End {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    result: Option<io::Result<Report>>,
    waker: Option<Waker>,
}

impl End {
    fn tell(&self, result: io::Result<Report>) {
        let mut state = locked(&self.state);
        state.result = Some(result);
        let waker = state.waker.take();
        drop(state);
        self.changed.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl State {
    /// The result, for one of those who ask.
    fn result(&self) -> Option<io::Result<Report>> {
        self.result.as_ref().map(|result| match result {
            Ok(report) => Ok(report.clone()),
            Err(error) => Err(match error.raw_os_error() {
                Some(code) => io::Error::from_raw_os_error(code),
                None => io::Error::new(error.kind(), error.to_string()),
            }),
        })
    }
}

fn panicked(panic: &(dyn Any + Send)) -> io::Error {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let text = text.map_or_else(String::new, |text| format!(": {text}"));
    io::Error::other(format!("the backend has panicked{text}"))
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
