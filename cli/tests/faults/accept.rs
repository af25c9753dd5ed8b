//! Errors of `accept`, which strace makes up, and an `accept` without descriptors.

use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

use crate::group::skip;
use crate::process::through;
use crate::resources::cpu_time;
use crate::server::{Ended, Server, command, concurrent_backends};

/// `anyloop serve` on this backend, with faults of system calls. strace writes what it traces to a file. `None`, with a
/// message, if strace is missing.
///
/// # Panics
/// If it is missing in CI.
pub(crate) fn injected(faults: &[&str], flags: &str, traced: &Path) -> Option<Command> {
    if Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_err() {
        skip("strace is not installed");
        return None;
    }
    // By -D the process that is started is the server, and not strace.
    let mut strace = vec!["strace", "-D", "-f", "-qq", "-o", traced.to_str().unwrap()];
    faults.iter().for_each(|fault| strace.extend(["-e", fault]));
    let mut command = through(&strace, &command(flags));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Some(command)
}

/// Has three clients served one after the other, while `accept` fails as `when` says, and returns how that ended.
fn serve_three(backend: &str, error: &str, when: &str) -> Option<Ended> {
    let fault = format!("inject=accept4:error={error}:when={when}");
    let flags = format!("--backend {backend}");
    let server =
        Server::start_as_is(&mut injected(&["trace=accept4", &fault], &flags, Path::new("/dev/null"))?);
    for _ in 0..3 {
        let mut client = server.connect();
        client.say("hello\nexit\n");
        assert_eq!(client.hear_all(), "連接成功!\n第1條信息:hello\n", "{backend}: {error}");
    }
    let ended = server.stop();
    assert_eq!(
        (ended.code, &ended.receipt["finished"]),
        (Some(0), &3.into()),
        "{backend}: {error}: {}",
        ended.log
    );
    Some(ended)
}

pub(crate) fn exhausted(backend: &str) {
    for error in ["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"] {
        let Some(ended) = serve_three(backend, error, "1..2") else { break };
        assert!(ended.receipt["accept_errors"].as_u64() >= Some(2), "{backend}: {error}: {}", ended.receipt);
        assert_eq!(
            ended.log.matches("accepting clients failed").count(),
            1,
            "{backend}: {error}: {}",
            ended.log
        );
    }
    starve(backend);
}

/// Takes the descriptors from a server, and gives them back. Meanwhile it may neither spin nor forget its client.
fn starve(backend: &str) {
    let mut server = Server::start(&format!("--backend {backend}"));
    let mut client = server.connect();
    assert_eq!(client.hear(), "連接成功!"); // it has all the descriptors that it needs
    let first = if concurrent_backends().any(|name| name == backend) {
        Some(client)
    } else {
        client.say("exit\n");
        assert_eq!(client.hear_all(), "");
        None
    };
    let process = Pid::from_raw(server.process.id() as i32).unwrap();
    let before = getrlimit(Resource::Nofile);
    prlimit(Some(process), Resource::Nofile, Rlimit { current: Some(8), maximum: before.maximum }).unwrap();
    let mut waiting = server.connect();
    server.process.wait_for_log("accepting clients failed");
    let used = cpu_time(server.process.id());
    thread::sleep(STARVED);
    let used = cpu_time(server.process.id()) - used;
    assert!(used < STARVED / 20, "{backend} has used {used:?} of CPU time in {STARVED:?}");
    if let Some(mut client) = first {
        client.say("hello\nexit\n");
        assert_eq!(client.hear_all(), "第1條信息:hello\n", "{backend}");
    }
    prlimit(Some(process), Resource::Nofile, before).unwrap();
    waiting.say("exit\n");
    assert_eq!(waiting.hear_all(), "連接成功!\n", "{backend}");
    assert_eq!(server.stop().code, Some(0), "{backend}");
}

/// How long a server is left without descriptors.
const STARVED: Duration = Duration::from_secs(1);

pub(crate) fn transient(backend: &str) {
    for error in ["ECONNABORTED", "EPROTO", "EINTR", "ENETDOWN", "EHOSTUNREACH", "EPERM"] {
        let Some(ended) = serve_three(backend, error, "1+2") else { return };
        assert_eq!(ended.receipt["accept_errors"], 0, "{backend}: {error}: it is no fault of the server");
    }
    serve_three(backend, "ECONNABORTED", "1..100"); // it pauses, and goes on
}

pub(crate) fn broken(backend: &str) {
    for error in ["EBADF", "ENOTSOCK", "EINVAL", "EFAULT"] {
        let fault = format!("inject=accept4:error={error}:when=1");
        let flags = format!("--backend {backend}");
        let Some(mut command) = injected(&["trace=accept4", &fault], &flags, Path::new("/dev/null")) else {
            return;
        };
        let server = Server::start_as_is(&mut command);
        let _client = TcpStream::connect(server.address); // it may have ended before
        let ended = server.process.end();
        assert_eq!(ended.code, Some(1), "{backend}: {error}: {ended:?}");
        assert!(ended.stderr.contains("the listener is broken"), "{backend}: {error}: {ended:?}");
    }
}
