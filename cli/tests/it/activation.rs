//! Sockets that a server inherits, as systemd passes them.

use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

use rustix::process::Signal;
use tempfile::tempdir;

use crate::process::{Ended, Process, run, through};
use crate::server::{Client, Server, command};

/// Becomes a program that inherits these sockets, each written `NAME=KIND`, in the place of systemd.
const PASS: &str = "\
import os, socket, sys
def make(kind):
    if kind == 'tcp' or kind == 'everywhere':
        made = socket.create_server(('127.0.0.1' if kind == 'tcp' else '0.0.0.0', 0))
    elif kind.startswith('unix:'):
        made = socket.socket(socket.AF_UNIX); made.bind(kind[5:]); made.listen()
    elif kind == 'connected':
        made = socket.socketpair()[0]
    elif kind == 'silent':
        made = socket.socket(); made.bind(('127.0.0.1', 0))
    elif kind == 'datagram':
        made = socket.socket(type=socket.SOCK_DGRAM); made.bind(('127.0.0.1', 0))
    else:
        return os.open('/dev/null', os.O_RDONLY)
    return made.detach()
end = sys.argv.index('--')
passed = [one.split('=', 1) for one in sys.argv[1:end]]
made = [os.dup2(make(kind), 100 + at) for at, (_, kind) in enumerate(passed)]
for at, number in enumerate(made): os.dup2(number, 3 + at, inheritable=True)
os.environ.setdefault('LISTEN_FDS', str(len(made)))
os.environ.setdefault('LISTEN_FDNAMES', ':'.join(name for name, _ in passed))
os.environ.setdefault('LISTEN_PID', str(os.getpid()))
os.execv(sys.argv[end + 1], sys.argv[end + 1:])
";

/// `serve` with these flags, which inherits these sockets; both are parted by spaces.
fn inheriting(sockets: &str, flags: &str) -> Command {
    let mut wrapper = vec!["python3", "-c", PASS];
    wrapper.extend(sockets.split_whitespace());
    wrapper.push("--");
    let mut command = through(&wrapper, &command(flags));
    command.env("LC_ALL", "C");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[test]
fn an_inherited_tcp_socket_takes_the_place_of_the_address_and_needs_no_flag() {
    for sockets in ["anyloop.socket=tcp", "unknown=everywhere", "admin=tcp anyloop.socket=tcp"] {
        let server = Server::start_as_is(&mut inheriting(sockets, "--listen 127.0.0.1:1 --language en"));
        assert_ne!(server.address.port(), 1);
        let port = server.address.port();
        let mut client = Client::new(std::net::TcpStream::connect(("127.0.0.1", port)).unwrap());
        assert_eq!(client.hear(), "Connected!");
        drop(client);
        let ended = server.stop();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(ended.log.contains("the inherited socket takes the place of --listen"), "{}", ended.log);
    }
}

#[test]
fn an_inherited_unix_socket_is_served_and_its_path_is_left() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("socket");
    let mut server = Process::start_as_is(&mut inheriting(&format!("a=unix:{}", path.display()), ""));
    assert_eq!(server.line(), format!("listening on unix:{}\n", path.display()));
    UnixStream::connect(&path).unwrap();
    server.signal(Signal::TERM);
    assert_eq!(server.end().code, Some(0));
    assert!(path.exists(), "it belongs to who has bound it");
}

#[test]
fn sockets_for_another_process_are_not_taken() {
    let mut command = inheriting("a=tcp", "--listen 127.0.0.1:0");
    command.env("LISTEN_PID", "1");
    let server = Server::start_as_is(&mut command);
    let ended = server.stop();
    assert!(!ended.log.contains("the inherited socket takes the place"), "{}", ended.log);
    let mut command = command_without_sockets();
    command.env("LISTEN_FDS", "0").env("LISTEN_FDNAMES", "");
    assert_eq!(Server::start_as_is(&mut command).stop().code, Some(0));
}

fn command_without_sockets() -> Command {
    let mut command = command("");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[test]
fn an_admin_socket_alone_leaves_the_address() {
    let server = Server::start_as_is(&mut inheriting("admin=tcp", "--language en"));
    assert_eq!(server.connect().hear(), "Connected!");
    let ended = server.stop();
    assert!(ended.log.contains("the inherited socket takes the place of --admin"), "{}", ended.log);
    assert!(ended.log.contains("serving metrics and health checks"), "{}", ended.log);
}

/// Checks that it was wrong usage, and that the only line contains this.
#[track_caller]
fn check(ended: &Ended, expected: &str) {
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{ended:?}");
    assert!(
        ended.stderr.starts_with("error: ") && ended.stderr.contains(expected),
        "{expected}: {}",
        ended.stderr
    );
    assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
}

#[test]
fn a_socket_from_which_no_client_can_be_accepted_is_an_error() {
    for (sockets, expected) in [
        (
            "a=datagram",
            "the inherited socket `a` can't be served: descriptor 3 is not a stream socket; pass a listening",
        ),
        ("a=connected", "the inherited socket `a` can't be served: descriptor 3 does not listen; pass"),
        ("a=silent", "descriptor 3 does not listen"),
        ("a=file", "descriptor 3 is not a socket"),
        ("a=tcp admin=file", "the inherited socket `admin` can't be served: descriptor 4 is not a socket"),
        (
            "a=tcp b=tcp",
            "2 sockets were inherited (a, b), but a server listens on one, and on one named admin; leave",
        ),
        ("admin=tcp admin=tcp", "2 sockets were inherited (admin, admin)"),
        ("hand-over=file", "the inherited socket `hand-over` can't be served: descriptor 3 is not a socket"),
    ] {
        check(&run(&mut inheriting(sockets, ""), ""), expected);
    }
}

#[test]
fn a_wrong_description_of_the_sockets_is_an_error() {
    for (variables, expected) in [
        (
            &[("LISTEN_FDS", "two")][..],
            "the sockets that LISTEN_FDS=two LISTEN_FDNAMES=a describes can't be taken: ",
        ),
        (&[("LISTEN_FDS", "-1")], "LISTEN_FDS=-1"),
        (&[("LISTEN_FDS", "2")], "LISTEN_FDS=2 LISTEN_FDNAMES=a"),
        (&[("LISTEN_FDS", "4000000000")], "LISTEN_FDS=4000000000"),
        (
            &[("LISTEN_FDNAMES", "a:b")],
            "invalid LISTEN_FDNAMES; start it with the sockets that these variables name",
        ),
        (&[("LISTEN_PID", "me")], "invalid LISTEN_PID"),
    ] {
        let mut command = inheriting("a=tcp", "");
        check(&run(command.envs(variables.iter().copied()), ""), expected);
    }
}
