//! Control groups of version 1, which limit the resources of a server. They need root.

use std::fmt::Display;
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::Stdio;

use crate::process::through;
use crate::server::{Server, command};

/// A control group, which is removed with this.
pub(crate) struct Group(PathBuf);

impl Group {
    /// A new group of this controller. `None`, with a message, if this machine does not allow it.
    ///
    /// # Panics
    /// If this machine does not allow it, and the tests run in CI.
    pub(crate) fn new(controller: &str, name: &str) -> Option<Self> {
        let path = format!("/sys/fs/cgroup/{controller}/anyloop-{}-{name}", std::process::id());
        match fs::create_dir(&path) {
            Ok(()) => Some(Self(path.into())),
            Err(error) => {
                skip(&format!("no `{controller}` control group of version 1 can be made: {error}"));
                None
            }
        }
    }

    /// Starts `anyloop serve` in the group, with these flags, parted by spaces.
    pub(crate) fn serve(&self, flags: &str) -> Server {
        let enter = format!("echo $$ >{} && exec \"$0\" \"$@\"", self.path("cgroup.procs").display());
        let mut serve = through(&["sh", "-c", &enter], &command(flags));
        Server::start_as_is(serve.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()))
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.join(file)
    }

    pub(crate) fn read(&self, file: &str) -> u64 {
        fs::read_to_string(self.path(file)).unwrap().trim().parse().unwrap()
    }

    pub(crate) fn write(&self, file: &str, value: impl Display) {
        fs::write(self.path(file), value.to_string()).unwrap_or_else(|error| panic!("{file}: {error}"));
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0); // the kernel may not yet have taken leave of the process
    }
}

/// Says why the rest of a test is skipped, whether or not its output is captured.
///
/// # Panics
/// In CI, where nothing that a test needs may be missing.
pub(crate) fn skip(why: &str) {
    assert!(std::env::var_os("CI").is_none_or(|ci| ci.is_empty()), "{why}");
    io::stderr().write_all(format!("SKIPPED: {why}\n").as_bytes()).unwrap();
}
