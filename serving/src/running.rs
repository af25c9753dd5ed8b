//! A server that runs on a dedicated thread of a program.

use std::any::Any;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;

use crate::statistics::Statistics;
use crate::{Backend, Listener, Monitor, Report, STACK_SIZE, Stop};
use common::{Address, Service, guarded};

/// Starts a server on a dedicated thread, and returns immediately.
///
/// The backend is passed by value, by `&'static` reference, in a `Box` or in an [`Arc`]; the listener is a
/// [`TcpListener`](std::net::TcpListener) or a [`UnixListener`](std::os::unix::net::UnixListener). It may be bound to port 0:
/// [`Running::address`] returns the port that the system chose. A listener of tokio's is passed by its `into_std`.
///
/// Keep what it returns: dropping it stops the server.
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
/// If the listener has no address, or the system can't start a thread. If the backend fails,
/// [`Running::wait`] returns its error.
pub fn start(
    backend: impl Backend + 'static,
    listener: impl Into<Listener>,
    service: impl Into<Arc<Service>>,
) -> io::Result<Running> {
    let listener = listener.into();
    let service = service.into();
    let running = Running { monitor: Monitor::new(&backend, listener.address()?, &service) };
    let stop = running.monitor.publishing();
    let (end, published) = (Arc::clone(&running.monitor.end), Arc::clone(running.monitor.published()));
    // Some backends call sessions on this thread, so its stack has the size that sessions may rely on.
    let thread = thread::Builder::new().name("server".into()).stack_size(STACK_SIZE);
    thread.spawn(move || {
        let served = catch_unwind(AssertUnwindSafe(|| backend.serve(listener, service, &stop)));
        end.set(served.unwrap_or_else(|panic| {
            let error = panicked(&*panic);
            let _ = guarded(|| drop(panic));
            Err(error)
        }));
        published.ended();
    })?;
    Ok(running)
}

/// A server that was [started](start) on a dedicated thread.
///
/// To wait for its end, call [`wait`](Self::wait), or await the `Running` as a future, which has the same result and needs
/// no runtime. `(&mut running).await` keeps the `Running`.
///
/// **Dropping a `Running` stops the server**: it requests a drain, as [`stop`](Self::stop) does, and doesn't block. So a program
/// whose `main` returns ends at once. To lose no reply, stop the server and wait for it.
///
/// ```
/// use anyloop::{Running, Stop};
///
/// /// Serves until `stop` is requested, and then drains the clients.
/// async fn serve(running: Running, stop: &Stop) -> std::io::Result<()> {
///     stop.requested().await;
///     running.stop();
///     let report = running.await?;
///     println!("{report}");
///     Ok(())
/// }
/// ```
#[must_use = "dropping it stops the server"]
pub struct Running {
    monitor: Monitor,
}

impl Running {
    /// The address of the listener.
    pub fn address(&self) -> &Address {
        self.monitor.address()
    }

    /// Says from now on that the server is not [ready](Self::ready), and goes on serving and accepting. So load balancers send
    /// it no more clients by the time of [`stop`](Self::stop), and none is refused.
    pub fn announce_stop(&self) {
        self.monitor.announce_stop();
    }

    /// Asks the server to drain and end: it serves no new clients, answers the input that has arrived, and cuts the clients
    /// that are still connected at the drain timeout. Returns immediately.
    pub fn stop(&self) {
        self.monitor.stop().drain();
    }

    /// Asks the server to drain and end, and to leave the clients that were not accepted yet to another server, which accepts from
    /// the same listener. Returns immediately.
    pub fn hand_over(&self) {
        self.monitor.stop().hand_over();
    }

    /// Asks the server to cut all clients and end. Returns immediately.
    pub fn stop_now(&self) {
        self.monitor.stop().now();
    }

    /// A handle that stops this server from anywhere.
    pub fn stop_handle(&self) -> Stop {
        self.monitor.stop().clone()
    }

    /// Observes the server, also after this `Running` was dropped.
    pub fn monitor(&self) -> Monitor {
        self.monitor.clone()
    }

    /// What the server has counted so far, as [`Monitor::statistics`] returns it.
    pub fn statistics(&self) -> Statistics {
        self.monitor.statistics()
    }

    /// How often the maintenance thread has swept over the connections, which it does every 10 to 250 ms. A watchdog can tell by
    /// this that the server makes progress.
    pub fn sweeps(&self) -> u64 {
        self.monitor.published().sweeps()
    }

    /// Blocks until the server accepts clients.
    ///
    /// # Errors
    /// Those of [`wait`](Self::wait) if the server has ended before, and one if it was stopped before.
    pub fn wait_until_accepting(&self) -> io::Result<()> {
        if self.monitor.published().wait_until_accepting() {
            return Ok(());
        }
        self.wait().and(Err(io::Error::other("the server has ended before it accepted a client")))
    }

    /// Whether a load balancer should send the server more clients. [`Monitor::readiness`] says why not.
    pub fn ready(&self) -> bool {
        self.monitor.readiness().is_ok()
    }

    /// Whether the server has ended. Then [`wait`](Self::wait) returns immediately.
    pub fn is_finished(&self) -> bool {
        self.monitor.is_finished()
    }

    /// Blocks until the server has ended, and returns its final statistics. It may be called repeatedly, and by several
    /// threads at once.
    ///
    /// If the server runs on the threads of a runtime, await the `Running` in the tasks of that runtime instead.
    ///
    /// # Errors
    /// Those of [`Backend::serve`], and an error if the backend panicked.
    pub fn wait(&self) -> io::Result<Report> {
        let end = &self.monitor.end;
        let mut state = locked(&end.state);
        loop {
            match state.result() {
                Some(result) => return result,
                None => state = end.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}

impl Future for Running {
    type Output = io::Result<Report>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = locked(&self.monitor.end.state);
        match state.result() {
            Some(result) => Poll::Ready(result),
            None => {
                let before = state.waker.replace(cx.waker().clone());
                drop(state);
                drop(before); // outside the lock, since it runs foreign code
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
        f.debug_tuple("Running").field(&self.monitor).finish()
    }
}

/// The result of a server, and the task that waits for it.
#[derive(Default)]
pub(crate) struct End {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    result: Option<io::Result<Report>>,
    waker: Option<Waker>,
}

impl End {
    pub(crate) fn is_set(&self) -> bool {
        locked(&self.state).result.is_some()
    }

    fn set(&self, result: io::Result<Report>) {
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
    /// A copy of the result.
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
    io::Error::other(format!("the backend panicked{text}"))
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
