//! Binds listeners to paths of the file system.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{self, Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use socket2::{Domain, SockAddr, Socket, Type};

use crate::Listener;
use common::Address;

impl Listener {
    /// Listens on a Unix socket at `path`, with the permissions `mode`, or those that the umask allows. Replaces a socket whose
    /// program has ended. Dropping the listener, as a server does when it stops, removes the path.
    ///
    /// ```
    /// use anyloop::Listener;
    ///
    /// let path = std::env::temp_dir().join(format!("example-{}.sock", std::process::id()));
    /// let listener = Listener::bind_unix(&path, Some(0o660))?;
    /// assert_eq!(listener.address()?.path(), Some(&*path));
    /// drop(listener);
    /// assert!(!path.exists());
    /// # std::io::Result::Ok(())
    /// ```
    ///
    /// If several programs call this at the same time with the same path, exactly one succeeds. Each locks the directory
    /// (`flock`) while it checks whether a server listens at the path, replaces the socket and listens, or removes the path. So a
    /// program neither mistakes a new socket for an abandoned one, nor removes the socket of another program. The lock needs no
    /// file, and the system releases it if the program ends.
    ///
    /// # Errors
    /// `AddrInUse` if a server listens at the path. `AlreadyExists` if the path is a file but not a socket; it is not changed.
    /// `InvalidInput` if the path is not valid for a socket, or `mode` has bits outside of `0o777`. Otherwise those of the system.
    pub fn bind_unix(path: impl AsRef<Path>, mode: Option<u32>) -> io::Result<Self> {
        let path = path.as_ref();
        let invalid = |why: String| io::Error::new(ErrorKind::InvalidInput, why);
        Address::unix(path).map_err(|error| invalid(error.to_string()))?;
        if let Some(mode) = mode.filter(|mode| mode & !0o777 != 0) {
            return Err(invalid(format!(
                "{mode:o} is not a valid mode of a socket; choose one from 0 to 777"
            )));
        }
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        let lock = lock(path)?;
        bind(&socket, path)?;
        let file = SocketFile::at(path).inspect_err(|_| drop(fs::remove_file(path)))?;
        // The permissions are set before the socket listens, so no client can connect with others.
        let listens = mode
            .map_or(Ok(()), |mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)))
            .and_then(|()| socket.listen(BACKLOG));
        drop(lock); // dropping the file takes the lock again
        listens.map(|()| Self { socket: socket.into(), file: Some(file) })
    }
}

/// The length of the backlog. The system reduces it to its own limit.
const BACKLOG: i32 = 4096;

/// The file of a Unix socket that this process has to remove. Dropping it removes the path, unless the path has become another
/// file since. A listener has it, until [`Listener::take_file`] takes it.
#[derive(Debug)]
pub struct SocketFile {
    /// Absolute, since the process may change its working directory.
    path: PathBuf,
    /// The device and the inode number of the file.
    identity: (u64, u64),
    is_kept: bool,
    /// Keeps the inode number from being reused if the file is removed.
    #[cfg(target_os = "linux")]
    _file: rustix::fd::OwnedFd,
}

impl SocketFile {
    /// The file at a path that another process has bound, and leaves to this one.
    ///
    /// # Errors
    /// Those of the system, if the file can't be examined.
    pub fn at(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: path::absolute(path)?,
            identity: identity(&fs::symlink_metadata(path)?),
            is_kept: false,
            #[cfg(target_os = "linux")]
            _file: {
                use rustix::fs::{Mode, OFlags};
                let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                rustix::fs::open(path, flags, Mode::empty())?
            },
        })
    }

    /// Leaves the path to another process, which listens there.
    pub fn keep(mut self) {
        self.is_kept = true;
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
        if self.is_kept {
            return;
        }
        match self.remove() {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                tracing::warn!(path = %self.path.display(), %error, "removing the socket failed");
            }
            _ => {}
        }
    }
}

fn identity(file: &fs::Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

/// Locks the directory of a path until the returned file is dropped.
fn lock(path: &Path) -> io::Result<File> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let failed = |error: io::Error| {
        io::Error::new(error.kind(), format!("locking its directory {} failed: {error}", directory.display()))
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
                    "another program holds the lock",
                )));
            }
        }
    }
}

/// How long to wait for the lock, which other programs hold only briefly.
const LOCK_TIMEOUT: Duration = Duration::from_secs(5);
const LOCK_PAUSE: Duration = Duration::from_millis(5);

/// Binds a socket to a path whose directory is locked, and replaces an abandoned socket there.
fn bind(socket: &Socket, path: &Path) -> io::Result<()> {
    let address = SockAddr::unix(path)?;
    let bind = || socket.bind(&address);
    match bind() {
        Err(error) if error.kind() == ErrorKind::AddrInUse => {}
        bound => return bound,
    }
    let file = fs::symlink_metadata(path)?;
    if !file.file_type().is_socket() {
        return Err(io::Error::new(ErrorKind::AlreadyExists, "the path is a file, but not a socket"));
    }
    let client = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    client.set_nonblocking(true)?;
    match client.connect(&address).map_err(|error| (Errno::from_io_error(&error), error)) {
        Err((Some(Errno::CONNREFUSED), _)) => match fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        },
        Err((Some(Errno::NOENT), _)) => {}
        // A full backlog belongs to a listening server. A datagram socket is in use as well.
        Ok(()) | Err((Some(Errno::AGAIN | Errno::PROTOTYPE), _)) => return Err(Errno::ADDRINUSE.into()),
        Err((_, error)) => {
            let why = format!("checking whether a server listens on the existing socket failed: {error}");
            return Err(io::Error::new(error.kind(), why));
        }
    }
    bind()
}

#[cfg(test)]
mod tests;
