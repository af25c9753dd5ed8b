//! The hand-over of a server to a new process: SIGUSR2 starts the program anew with the listeners of this one, and when the new
//! server accepts clients, this one drains. So a server gets a new version, another configuration or another backend without
//! refusing a client.

mod predecessor;
mod program;
mod spawn;
mod successor;

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{env, process, thread};

use rustix::process::{Pid, Signal, kill_process};
use serving::{Listener, Running, Stop};

pub(crate) use predecessor::Predecessor;

use crate::activation::{ADMIN, MAIN};
use crate::notify;
use successor::Successor;

/// What a hand-over needs: the program, and duplicates of the listeners.
#[derive(Debug)]
pub(crate) struct Handover {
    /// The path by which this program was started; `None` if it can't be found.
    program: Option<PathBuf>,
    arguments: Vec<OsString>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    /// The listeners with their names, until this server stops to accept.
    listeners: Vec<(String, Listener)>,
    /// The process that was started and is not ready yet.
    starting: Option<Pid>,
    /// Stops the server of metrics and health checks, which the successor has as well.
    admin: Option<Stop>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// No hand-over is under way.
    Serving,
    /// A new process was started, and is not ready yet.
    Starting,
    /// The new process serves.
    Done,
    /// This server was told to stop, and is not replaced any more.
    Stopped,
}

impl Handover {
    /// Prepares to hand over these listeners. Of those in `with_files` the successor removes the path of the Unix socket at its end.
    ///
    /// # Errors
    /// If there is no descriptor left.
    pub(crate) fn prepare(
        listener: &Listener,
        admin: Option<&Listener>,
        with_files: &[&str],
    ) -> io::Result<Arc<Self>> {
        let name = |name: &str| {
            let suffix = if with_files.contains(&name) { predecessor::WITH_PATH } else { "" };
            format!("{name}{suffix}")
        };
        let mut listeners = vec![(name(MAIN), listener.try_clone()?)];
        if let Some(admin) = admin {
            listeners.push((name(ADMIN), admin.try_clone()?));
        }
        let state = Mutex::new(State { phase: Phase::Serving, listeners, starting: None, admin: None });
        Ok(Arc::new(Self {
            program: program::path().ok(),
            arguments: env::args_os().skip(1).collect(),
            state,
        }))
    }

    /// Stops another server as well as soon as a new process has taken over.
    pub(crate) fn stop_with(&self, admin: Stop) {
        self.state().admin = Some(admin);
    }

    /// Starts a hand-over on a separate thread, unless one is under way.
    pub(crate) fn begin(self: &Arc<Self>, running: &Arc<Running>) {
        match self.start() {
            Err(why) => tracing::warn!("not handed over: {why}"),
            Ok(successor) => {
                tracing::info!(pid = successor.id(), "handing over to a new process");
                let (handover, running) = (Arc::clone(self), Arc::clone(running));
                let finish = move || handover.finish(successor, &running);
                if let Err(error) = thread::Builder::new().name("hand-over".into()).spawn(finish) {
                    self.fail(&error.to_string()); // the new process was ended with the closure
                }
            }
        }
    }

    /// Gives up the listeners, since the server stops. A new process that is not ready yet is ended.
    pub(crate) fn stop(&self) {
        let mut state = self.state();
        if state.phase != Phase::Done {
            state.phase = Phase::Stopped;
        }
        if let Some(process) = state.starting.take() {
            let _ = kill_process(process, Signal::TERM); // it may have ended
        }
        state.listeners.clear();
    }

    /// Whether another process has taken over.
    pub(crate) fn is_done(&self) -> bool {
        self.state().phase == Phase::Done
    }

    fn start(&self) -> Result<Successor, String> {
        let mut state = self.state();
        match state.phase {
            Phase::Serving => {}
            Phase::Starting => {
                return Err("a new process was started already, and is not ready yet".to_owned());
            }
            Phase::Done => return Err("another process has taken over already".to_owned()),
            Phase::Stopped => return Err("this server is draining".to_owned()),
        }
        if process::id() == 1 {
            return Err("this is process 1, with which its container ends; start another container instead"
                .to_owned());
        }
        let program = self.program.as_ref().ok_or("the path of this program can't be found")?;
        notify::reloading();
        match Successor::start(program, &self.arguments, &state.listeners) {
            Ok(successor) => {
                state.phase = Phase::Starting;
                state.starting = successor.pid();
                Ok(successor)
            }
            Err(error) => {
                notify::ready();
                Err(format!("{} can't be started: {error}", program.display()))
            }
        }
    }

    /// Waits until the new process is ready, and then lets this server drain.
    fn finish(&self, mut successor: Successor, running: &Running) {
        if let Err(why) = successor.wait_until_ready() {
            return self.fail(&why); // dropping the successor ends it
        }
        let mut state = self.state();
        state.starting = None;
        if state.phase != Phase::Starting {
            successor.release(); // `stop` has told it to drain as well
            return;
        }
        state.phase = Phase::Done;
        state.listeners.clear();
        let admin = state.admin.take();
        drop(state);
        // It would say that this server is not ready, and the new one is.
        admin.iter().for_each(Stop::hand_over);
        let process = successor.release();
        notify::replaced_by(process);
        tracing::info!(pid = process, "handed over; draining");
        running.hand_over();
    }

    fn fail(&self, why: &str) {
        let mut state = self.state();
        state.starting = None;
        if state.phase != Phase::Starting {
            return; // this server was told to stop, and has ended the new process
        }
        state.phase = Phase::Serving;
        drop(state);
        notify::ready();
        tracing::error!(error = why, "the hand-over failed; this server continues to serve");
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
