//! The limit on the descriptors of this process.

use std::io;
use std::os::fd::AsFd;

use rustix::io::{Errno, fcntl_dupfd_cloexec};
use rustix::process::{Resource, getrlimit};

/// Checks that `count` descriptors can be opened, by duplicating `any`.
///
/// # Errors
/// If the limit of the process or the system is reached, which the text explains.
pub(crate) fn ensure(any: impl AsFd, count: usize) -> io::Result<()> {
    let opened: Result<Vec<_>, _> = (0..count).map(|_| fcntl_dupfd_cloexec(&any, 0)).collect();
    match opened {
        Ok(_) => Ok(()),
        Err(error @ (Errno::MFILE | Errno::NFILE)) => {
            let limit = limit().map_or("no limit".to_owned(), |limit| limit.to_string());
            let why = format!(
                "{error}: a server needs {count} more open files than the process has, and the limit is {limit}; \
                 raise it (ulimit -n)"
            );
            Err(io::Error::new(io::Error::from(error).kind(), why))
        }
        Err(error) => Err(error.into()),
    }
}

/// The limit on this process's descriptors, if there is one.
pub(crate) fn limit() -> Option<usize> {
    getrlimit(Resource::Nofile).current.and_then(|limit| usize::try_from(limit).ok())
}
