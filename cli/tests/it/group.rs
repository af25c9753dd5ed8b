//! Control groups, which limit the resources of a server. They need root.

use std::fmt::Display;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
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
        let group = hierarchy(controller).and_then(|parent| {
            let path = parent.join(format!("anyloop-{}-{name}", std::process::id()));
            fs::create_dir(&path)?;
            Ok(Self(path))
        });
        group.inspect_err(|error| skip(&format!("no `{controller}` control group can be made: {error}"))).ok()
    }

    /// As [`new`](Self::new), for what only version 1 limits.
    pub(crate) fn of_version_1(controller: &str, name: &str) -> Option<Self> {
        if let Some((_, true)) = mounted(controller) {
            loudly(&format!("`{controller}` control groups are of version 2, which has no such limit"));
            return None;
        }
        Self::new(controller, name)
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

/// Where the groups of a controller are, in which it is enabled.
fn hierarchy(controller: &str) -> io::Result<PathBuf> {
    let (path, is_version_2) = mounted(controller).ok_or(io::ErrorKind::NotFound)?;
    if is_version_2 {
        fs::write(path.join("cgroup.subtree_control"), format!("+{controller}"))?;
    }
    Ok(path)
}

/// The hierarchy that has a controller, and whether it is of version 2, which has one for all controllers.
fn mounted(controller: &str) -> Option<(PathBuf, bool)> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    mounts.lines().find_map(|mount| {
        let [_, path, kind, options, ..] = mount.split(' ').collect::<Vec<_>>()[..] else { return None };
        let controllers = fs::read_to_string(Path::new(path).join("cgroup.controllers")).unwrap_or_default();
        let is_version_1 = kind == "cgroup" && options.split(',').any(|option| option == controller);
        let is_version_2 = controllers.split_whitespace().any(|own| own == controller);
        (is_version_1 || is_version_2).then(|| (path.into(), is_version_2))
    })
}

/// Says why the rest of a test is skipped.
///
/// # Panics
/// In CI, where nothing that a test needs may be missing.
pub(crate) fn skip(why: &str) {
    assert!(std::env::var_os("CI").is_none_or(|ci| ci.is_empty()), "{why}");
    loudly(why);
}

/// Says why the rest of a test is skipped, whether or not its output is captured.
fn loudly(why: &str) {
    io::stderr().write_all(format!("SKIPPED: {why}\n").as_bytes()).unwrap();
}
