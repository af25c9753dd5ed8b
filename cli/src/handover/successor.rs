//! The side of the old process: it starts the new one, and waits until that one is ready.

use std::ffi::OsString;
use std::io::{self, PipeReader, Read};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Pid;
use serving::Listener;

use super::predecessor::{IS_READY, READY};
use super::spawn::spawn;

/// A new process, which is to replace this one. It is killed when this is dropped.
#[derive(Debug)]
pub(super) struct Successor {
    child: Option<Child>,
    ready: PipeReader,
}

/// How long a new process may take until it is ready. A start takes milliseconds; but a name that has to be looked up, or a store
/// that a handler opens, may take many seconds. Meanwhile the old server serves, so that waiting does no harm.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// How long a process may take to end after it has closed its end of the pipe.
const ENDED_WITHIN: Duration = Duration::from_secs(1);

/// The most bytes that a new process may say.
const MOST_BYTES: usize = 16 * 1024;

impl Successor {
    /// Starts the program with these listeners.
    ///
    /// # Errors
    /// Those of the system.
    pub(super) fn start(
        program: &Path,
        arguments: &[OsString],
        listeners: &[(String, Listener)],
    ) -> io::Result<Self> {
        let (ready, writer) = io::pipe()?;
        let mut passed: Vec<_> =
            listeners.iter().map(|(name, listener)| (name.as_str(), listener.as_fd())).collect();
        passed.push((READY, writer.as_fd()));
        let child = spawn(program, arguments, &passed)?;
        Ok(Self { child: Some(child), ready })
    }

    /// The number of the process.
    pub(super) fn id(&self) -> u32 {
        self.child.as_ref().map_or(0, Child::id)
    }

    /// The same, to send it a signal.
    pub(super) fn pid(&self) -> Option<Pid> {
        self.child.as_ref().map(Pid::from_child)
    }

    /// Waits until it accepts clients.
    ///
    /// # Errors
    /// Why it does not.
    pub(super) fn wait_until_ready(&mut self) -> Result<(), String> {
        self.wait_for(READY_WITHIN)
    }

    fn wait_for(&mut self, within: Duration) -> Result<(), String> {
        let until = Instant::now() + within;
        let mut said = Vec::new();
        while !said.contains(&b'\n') && said.len() < MOST_BYTES {
            let left = until.saturating_duration_since(Instant::now());
            let left = Timespec::try_from(left).ok();
            let mut polled = [PollFd::new(&self.ready, PollFlags::IN)];
            match poll(&mut polled, left.as_ref()) {
                Ok(0) => {
                    return Err(format!("the new process was not ready within {} s", within.as_secs()));
                }
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(error.to_string()),
            }
            let mut buffer = [0; 1024];
            match self.ready.read(&mut buffer) {
                Ok(0) => return Err(self.end_of_child()),
                Ok(count) => said.extend_from_slice(&buffer[..count]),
                Err(error) => return Err(error.to_string()),
            }
        }
        match String::from_utf8_lossy(&said).trim_end() {
            IS_READY => Ok(()),
            why => Err(format!("the new process can't serve: {why}")),
        }
    }

    /// Leaves it running, as the server of the future. Returns its number.
    pub(super) fn release(mut self) -> u32 {
        self.child.take().map_or(0, |child| child.id())
    }

    /// How a process ended that has closed its end of the pipe.
    fn end_of_child(&mut self) -> String {
        let until = Instant::now() + ENDED_WITHIN;
        while let Some(child) = &mut self.child {
            match child.try_wait() {
                Ok(Some(status)) => {
                    return format!("the new process ended with {status} before it was ready");
                }
                Ok(None) if Instant::now() < until => thread::sleep(Duration::from_millis(1)),
                _ => break,
            }
        }
        "the new process never said that it is ready".to_owned()
    }
}

impl Drop for Successor {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill(); // it may have ended
            let _ = child.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of a shell script as the new process, which has the pipe at descriptor 3.
    fn ready(script: &str, within: Duration) -> Result<(), String> {
        let arguments = ["-c", script].map(OsString::from);
        Successor::start(Path::new("/bin/sh"), &arguments, &[]).unwrap().wait_for(within)
    }

    #[test]
    fn a_new_process_is_ready_when_it_says_so_whole() {
        let patient = Duration::from_secs(60);
        assert_eq!(ready("echo ready >&3; exec sleep 100", patient), Ok(()));
        assert_eq!(ready("printf rea >&3; printf 'dy\\n' >&3", patient), Ok(()));
        let error = ready("echo it is broken >&3", patient).unwrap_err();
        assert_eq!(error, "the new process can't serve: it is broken");
        let error = ready("printf ready >&3; exit 3", patient).unwrap_err();
        assert_eq!(error, "the new process ended with exit status: 3 before it was ready");
    }

    #[test]
    fn a_new_process_that_is_too_slow_or_says_too_much_is_ended() {
        let error = ready("exec sleep 100", Duration::ZERO).unwrap_err();
        assert_eq!(error, "the new process was not ready within 0 s");
        let error =
            ready("while :; do printf xxxxxxxxxxxxxxxx >&3; done", Duration::from_secs(60)).unwrap_err();
        let text = error.strip_prefix("the new process can't serve: ").unwrap();
        assert!(text.len() <= MOST_BYTES + 1024 && text.trim_matches('x').is_empty(), "{text}");
    }
}
