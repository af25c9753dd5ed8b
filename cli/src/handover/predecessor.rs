//! The side of the new process: it tells the server that it replaces whether it is ready.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileTypeExt;
use std::sync::Arc;

use crate::activation::{ADMIN, MAIN};

/// The server that this process replaces.
#[derive(Clone, Debug)]
pub(crate) struct Predecessor {
    pipe: Arc<File>,
    /// The names of the listeners whose Unix sockets have paths that are left to this process, which removes them at its end.
    pub(crate) left: Vec<&'static str>,
}

/// The name of the pipe among the inherited descriptors.
pub(super) const READY: &str = "hand-over";

/// What follows the name of a listener if the path of the Unix socket goes with it.
pub(super) const WITH_PATH: &str = "-with-path";

/// What the new process writes to the pipe: that it is ready, or why it is not.
pub(super) const IS_READY: &str = "ready";

impl Predecessor {
    /// Takes the pipe to the predecessor from these descriptors, if it is one of them.
    pub(crate) fn among(descriptors: &mut Vec<(String, OwnedFd)>) -> Option<Self> {
        let at = descriptors.iter().position(|(name, _)| name == READY)?;
        let pipe = File::from(descriptors.remove(at).1);
        let is_pipe = pipe.metadata().is_ok_and(|metadata| metadata.file_type().is_fifo());
        if !is_pipe {
            descriptors.insert(at, (READY.to_owned(), pipe.into())); // a socket that somebody has given this name
            return None;
        }
        let mut left = Vec::new();
        for (name, _) in descriptors {
            let listener =
                [MAIN, ADMIN].into_iter().find(|&listener| name.strip_suffix(WITH_PATH) == Some(listener));
            if let Some(listener) = listener {
                *name = listener.to_owned();
                left.push(listener);
            }
        }
        Some(Self { pipe: Arc::new(pipe), left })
    }

    /// Tells it that this process accepts clients. Then it drains.
    ///
    /// # Errors
    /// If it has ended meanwhile.
    pub(crate) fn ready(&self) -> io::Result<()> {
        writeln!(&*self.pipe, "{IS_READY}")
    }

    /// Tells it why this process ends.
    pub(crate) fn fail(&self, why: &str) {
        let line = why.lines().next().unwrap_or_default();
        let _ = writeln!(&*self.pipe, "{line}"); // it may have ended; the error is reported here as well
    }
}
