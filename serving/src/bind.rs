//! Listening on a path of the file system.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{self, Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use socket2::{Domain, SockAddr, Socket, Type};

use crate::Listener;
use common::Address;

impl Listener {
    /// Listens on a Unix socket at `path`, whose permissions are `mode`, or what the process's umask leaves. A socket that
    /// was left there by a program that has ended is replaced. Also returns the socket's file: keep it for as long as the
    /// server serves, since the path is removed when it is dropped.
    ///
    /// ```
    /// use anyloop::Listener;
    ///
    /// let path = std::env::temp_dir().join(format!("example-{}.sock", std::process::id()));
    /// let (listener, file) = Listener::bind_unix(&path, Some(0o660))?;
    /// assert_eq!(listener.address()?.path(), Some(&*path));
    /// drop(file);
    /// assert!(!path.exists());
    /// # std::io::Result::Ok(())
    /// ```
    ///
    /// Of several programs that do this at once with one path, exactly one succeeds. Each holds a lock (`flock`) of the
    /// directory while it finds out whether somebody answers at the path, replaces it and begins to listen, or removes it; so
    /// nobody takes a socket that is about to listen for one that was left, and nobody removes the socket of another. The system
    /// releases the lock of a program that ends, and no file has to be left for it.
    ///
    /// # Errors
    /// `AddrInUse` if somebody answers at the path; `AlreadyExists` if there is a file that is no socket, which is left as it is;
    /// `InvalidInput` if the path can't be that of a socket, or the mode has other bits than `0o777`; or what the system says.
    pub fn bind_unix(path: impl AsRef<Path>, mode: Option<u32>) -> io::Result<(Self, SocketFile)> {
        let path = path.as_ref();
        let invalid = |why: String| io::Error::new(ErrorKind::InvalidInput, why);
        Address::unix(path).map_err(|error| invalid(error.to_string()))?;
        if let Some(mode) = mode.filter(|mode| mode & !0o777 != 0) {
            return Err(invalid(format!("{mode:o} is no mode of a socket; choose one from 0 to 777")));
        }
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        let lock = lock(path)?;
        bind(&socket, path)?;
        let file = SocketFile::at(path).inspect_err(|_| drop(fs::remove_file(path)))?;
        // Nobody can connect before the socket listens, and so while the permissions are other ones.
        let listens = mode
            .map_or(Ok(()), |mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)))
            .and_then(|()| socket.listen(BACKLOG));
        drop(lock); // which the file takes where it is removed
        listens.map(|()| (UnixListener::from(std::os::fd::OwnedFd::from(socket)).into(), file))
    }
}

/// How many clients may wait to be accepted. The system lowers it to its own limit.
const BACKLOG: i32 = 4096;

/// The file of a Unix socket that this process has bound. It is removed when this is dropped, unless the path has become
/// another's since.
#[derive(Debug)]
pub struct SocketFile {
    /// Absolute, since the process may change its directory.
    path: PathBuf,
    /// The device and the number of the file.
    identity: (u64, u64),
    /// Keeps the number from being another file's, should this one be removed.
    #[cfg(target_os = "linux")]
    _file: rustix::fd::OwnedFd,
}

impl SocketFile {
    fn at(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: path::absolute(path)?,
            identity: identity(&fs::symlink_metadata(path)?),
            #[cfg(target_os = "linux")]
            _file: {
                use rustix::fs::{Mode, OFlags};
                let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                rustix::fs::open(path, flags, Mode::empty())?
            },
        })
    }

    /// Its absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn remove(&self) -> io::Result<()> {
        let _lock = lock(&self.path)?;
        match identity(&fs::symlink_metadata(&self.path)?) == self.identity {
            true => fs::remove_file(&self.path),
            false => Ok(()),
        }
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        match self.remove() {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                tracing::warn!(path = %self.path.display(), %error, "the socket can't be removed");
            }
            _ => {}
        }
    }
}

fn identity(file: &fs::Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

/// Locks the directory of a path, until what is returned is dropped.
fn lock(path: &Path) -> io::Result<File> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let failed = |error: io::Error| {
        io::Error::new(
            error.kind(),
            format!("its directory {} can't be locked: {error}", directory.display()),
        )
    };
    let file = File::open(directory).map_err(failed)?;
    let end = Instant::now() + LOCK_TIMEOUT;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
            Err(TryLockError::WouldBlock) if Instant::now() < end => thread::sleep(LOCK_PAUSE),
            Err(TryLockError::WouldBlock) => {
                return Err(failed(io::Error::new(
                    ErrorKind::ResourceBusy,
                    "another program holds a lock of it",
                )));
            }
        }
    }
}

/// How long is waited for the lock, which others hold for a moment only.
const LOCK_TIMEOUT: Duration = Duration::from_secs(5);
const LOCK_PAUSE: Duration = Duration::from_millis(5);

/// Binds a socket to a path whose directory is locked, in place of one that was left there.
fn bind(socket: &Socket, path: &Path) -> io::Result<()> {
    let address = SockAddr::unix(path)?;
    let bind = || socket.bind(&address);
    match bind() {
        Err(error) if error.kind() == ErrorKind::AddrInUse => {}
        bound => return bound,
    }
    let file = fs::symlink_metadata(path)?;
    if !file.file_type().is_socket() {
        return Err(io::Error::new(ErrorKind::AlreadyExists, "there is a file that is no socket"));
    }
    let client = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    client.set_nonblocking(true)?;
    match client.connect(&address).map_err(|error| (Errno::from_io_error(&error), error)) {
        Err((Some(Errno::CONNREFUSED), _)) => match fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        },
        Err((Some(Errno::NOENT), _)) => {}
        // A full backlog is somebody's as well, and so is a socket that has no connections.
        Ok(()) | Err((Some(Errno::AGAIN | Errno::PROTOTYPE), _)) => return Err(Errno::ADDRINUSE.into()),
        Err((_, error)) => {
            let why = format!("there is a socket, and whether a server answers can't be found out: {error}");
            return Err(io::Error::new(error.kind(), why));
        }
    }
    bind()
}

#[cfg(test)]
mod tests;
