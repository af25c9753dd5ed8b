use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::sync::Barrier;

use tempfile::tempdir;

use super::*;

fn kind(bound: io::Result<Listener>) -> ErrorKind {
    bound.unwrap_err().kind()
}

#[test]
fn dropping_the_listener_removes_the_path() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("socket");
    let listener = Listener::bind_unix(&path, None).unwrap();
    assert_eq!(listener.address().unwrap(), Address::unix(&path).unwrap());
    UnixStream::connect(&path).unwrap();
    drop(listener.try_clone().unwrap());
    assert!(path.exists(), "dropping a duplicate removes the path");
    drop(listener);
    assert!(!path.exists());
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0, "a lock file is left");
}

#[test]
fn a_file_that_is_taken_outlives_the_listener_and_can_be_left_to_another() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("socket");
    let mut listener = Listener::bind_unix(&path, None).unwrap();
    let file = listener.take_file().unwrap();
    let successor = listener.try_clone().unwrap();
    drop(listener);
    UnixStream::connect(&path).unwrap();
    file.keep();
    UnixStream::connect(&path).unwrap();
    drop(SocketFile::at(&path).unwrap());
    assert!(!path.exists() && SocketFile::at(&path).is_err());
    drop(successor);
}

#[test]
fn a_path_at_which_a_server_listens_is_in_use() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("socket");
    let _listener = Listener::bind_unix(&path, None).unwrap();
    assert_eq!(kind(Listener::bind_unix(&path, None)), ErrorKind::AddrInUse);
    // A server whose backlog is full listens too.
    let path = directory.path().join("full");
    let full = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    full.bind(&SockAddr::unix(&path).unwrap()).unwrap();
    full.listen(0).unwrap();
    let _client = UnixStream::connect(&path).unwrap();
    assert_eq!(kind(Listener::bind_unix(&path, None)), ErrorKind::AddrInUse);
    let path = directory.path().join("datagrams");
    let _other = UnixDatagram::bind(&path).unwrap();
    assert_eq!(kind(Listener::bind_unix(&path, None)), ErrorKind::AddrInUse);
    assert!(path.exists());
}

#[test]
fn an_abandoned_socket_is_replaced() {
    let directory = tempdir().unwrap();
    for (name, left) in [("stream", true), ("datagrams", false)] {
        let path = directory.path().join(name);
        if left {
            drop(UnixListener::bind(&path).unwrap());
        } else {
            drop(UnixDatagram::bind(&path).unwrap());
        }
        let listener = Listener::bind_unix(&path, None).unwrap();
        UnixStream::connect(&path).unwrap();
        drop(listener);
        assert!(!path.exists());
    }
}

#[test]
fn a_file_that_is_not_a_socket_is_not_changed() {
    let directory = tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "precious").unwrap();
    std::os::unix::fs::symlink(&file, directory.path().join("link")).unwrap();
    std::os::unix::fs::symlink(directory.path().join("nowhere"), directory.path().join("broken")).unwrap();
    fs::create_dir(directory.path().join("directory")).unwrap();
    for name in ["file", "link", "broken", "directory"] {
        let error = Listener::bind_unix(directory.path().join(name), None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{name}");
        assert_eq!(error.to_string(), "the path is a file, but not a socket");
        assert!(fs::symlink_metadata(directory.path().join(name)).is_ok(), "{name}");
    }
    assert_eq!(fs::read_to_string(file).unwrap(), "precious");
}

#[test]
fn a_path_that_has_become_another_file_is_not_removed() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("socket");
    // The inode number of a removed file may be reused immediately.
    for _ in 0..100 {
        let Listener { socket, file } = Listener::bind_unix(&path, None).unwrap();
        drop(socket);
        let other = Listener::bind_unix(&path, None).unwrap();
        drop(file);
        UnixStream::connect(&path).unwrap();
        drop(other);
        assert!(!path.exists());
    }
    let listener = Listener::bind_unix(&path, None).unwrap();
    fs::remove_file(&path).unwrap();
    fs::write(&path, "precious").unwrap();
    drop(listener);
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
}

#[test]
fn the_mode_is_the_given_one_or_that_of_the_umask() {
    let directory = tempdir().unwrap();
    let mode = |name: &str| fs::metadata(directory.path().join(name)).unwrap().permissions().mode() & 0o7777;
    for wanted in [0o0, 0o600, 0o660, 0o666, 0o777] {
        let _listener = Listener::bind_unix(directory.path().join("socket"), Some(wanted)).unwrap();
        assert_eq!(mode("socket"), wanted, "{wanted:o}");
    }
    let _listener = Listener::bind_unix(directory.path().join("socket"), None).unwrap();
    drop(UnixListener::bind(directory.path().join("other")).unwrap());
    assert_eq!(mode("socket"), mode("other"));
    let error = Listener::bind_unix(directory.path().join("third"), Some(0o1000)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("1000 is not a valid mode"), "{error}");
    assert!(!directory.path().join("third").exists());
}

#[test]
fn a_path_may_have_the_longest_length_of_the_system() {
    let directory = tempdir().unwrap();
    let of_length = |length: usize| {
        let name = length - directory.path().join("").as_os_str().len();
        directory.path().join("p".repeat(name))
    };
    for length in [Address::LONGEST_PATH - 1, Address::LONGEST_PATH] {
        let path = of_length(length);
        let _listener = Listener::bind_unix(&path, None).unwrap();
        UnixStream::connect(&path).unwrap();
    }
    let error = Listener::bind_unix(of_length(Address::LONGEST_PATH + 1), None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("at most 107;") || cfg!(not(target_os = "linux")), "{error}");
    for path in ["", "\0abstract", "a\0b"] {
        assert_eq!(kind(Listener::bind_unix(path, None)), ErrorKind::InvalidInput, "{path:?}");
    }
}

#[test]
fn a_missing_or_locked_directory_is_an_error() {
    let directory = tempdir().unwrap();
    let error = Listener::bind_unix(directory.path().join("nowhere/socket"), None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("/nowhere failed: No such file or directory"), "{error}");
    let lock = File::open(directory.path()).unwrap();
    lock.lock().unwrap();
    let error = Listener::bind_unix(directory.path().join("socket"), None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ResourceBusy);
    assert!(error.to_string().ends_with("failed: another program holds the lock"), "{error}");
    drop(lock);
    Listener::bind_unix(directory.path().join("socket"), None).unwrap();
}

#[test]
fn of_several_programs_exactly_one_listens() {
    const STARTERS: usize = 8;
    let directory = tempdir().unwrap();
    let path = directory.path().join("socket");
    for round in 0..50 {
        // The first round finds no socket, and the others an abandoned one.
        if round > 0 {
            drop(UnixListener::bind(&path).unwrap());
        }
        let barrier = Barrier::new(STARTERS);
        let bound: Vec<_> = thread::scope(|scope| {
            let start = || {
                barrier.wait();
                Listener::bind_unix(&path, None)
            };
            let starters: Vec<_> = (0..STARTERS).map(|_| scope.spawn(start)).collect();
            starters.into_iter().map(|starter| starter.join().unwrap()).collect()
        });
        let (owners, others): (Vec<_>, Vec<_>) = bound.into_iter().partition(Result::is_ok);
        assert_eq!(owners.len(), 1, "round {round}");
        assert!(others.into_iter().all(|other| kind(other) == ErrorKind::AddrInUse), "round {round}");
        // The other programs have left the socket of the owner in place.
        let owner = owners.into_iter().next().unwrap().unwrap();
        UnixStream::connect(&path).unwrap();
        drop(owner);
        assert!(!path.exists(), "round {round}");
    }
}
