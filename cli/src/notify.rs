//! The notifications of a service of systemd (`Type=notify`). Without `NOTIFY_SOCKET` in the environment they go nowhere.

use std::env;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use sd_notify::NotifyState;
use serving::{Running, Urgency};

use crate::handover::Handover;

/// Says that the service is ready.
pub(crate) fn ready() {
    send(&[NotifyState::Ready]);
}

/// Says that the service takes over a new configuration or a new process, until [`ready`].
pub(crate) fn reloading() {
    if let Ok(now) = NotifyState::monotonic_usec_now() {
        send(&[NotifyState::Reloading, now]);
    }
}

/// Says that the service stops.
pub(crate) fn stopping() {
    send(&[NotifyState::Stopping]);
}

/// Says that another process is the service from now on.
pub(crate) fn replaced_by(process: u32) {
    send(&[NotifyState::MainPid(process), NotifyState::Ready]);
}

/// Tells systemd how many clients there are, and for its watchdog that the server makes progress, until this is dropped.
pub(crate) struct Progress {
    ended: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// The interval of the status, without a watchdog that needs a shorter one.
const STATUS_INTERVAL: Duration = Duration::from_secs(5);

impl Progress {
    /// Starts to tell it on a separate thread, if this is a service of systemd.
    pub(crate) fn start(running: &Arc<Running>, handover: &Arc<Handover>) -> io::Result<Self> {
        if env::var_os("NOTIFY_SOCKET").is_none() {
            return Ok(Self { ended: None, thread: None });
        }
        let watchdog = sd_notify::watchdog_enabled();
        // Half of the time, as systemd advises: a notification may come late.
        let interval = watchdog.map_or(STATUS_INTERVAL, |within| STATUS_INTERVAL.min(within / 2));
        let (ended, has_ended) = mpsc::channel();
        let (running, handover) = (Arc::clone(running), Arc::clone(handover));
        let thread = thread::Builder::new().name("notify".into()).spawn(move || {
            let mut swept = 0;
            loop {
                // The service is the successor, which tells it itself.
                if !handover.is_done() {
                    let sweeps = running.sweeps();
                    let progresses = watchdog.is_some() && sweeps != swept;
                    swept = sweeps;
                    tell(&running, progresses);
                }
                if has_ended.recv_timeout(interval) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        })?;
        Ok(Self { ended: Some(ended), thread: Some(thread) })
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.ended = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn tell(running: &Running, progresses: bool) {
    let open = running.statistics().open();
    let status = match running.stop_handle().urgency() {
        Urgency::None => format!("serving, {open} clients"),
        _ => format!("draining, {open} clients are left"),
    };
    let watchdog = progresses.then_some(NotifyState::Watchdog);
    send(&[NotifyState::Status(&status)].into_iter().chain(watchdog).collect::<Vec<_>>());
}

fn send(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "systemd can't be notified");
    }
}
