//! `anyloop compare` with programs that are no backends, and with messages of one's own.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::process::{Ended, anyloop, run};

const ANYLOOP: &str = env!("CARGO_BIN_EXE_anyloop");

/// A folder for one test, empty.
fn folder(name: &str) -> PathBuf {
    let folder =
        PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-servers-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&folder); // it is there only if a test before had the same number
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// A comparison that is as short as it can be.
fn compare(output: &Path, flags: &[&str]) -> Ended {
    let short = ["compare", "-q", "--rounds", "1", "-c", "2", "--depth", "2", "-o", output.to_str().unwrap()];
    run(&mut anyloop(&[&short, flags].concat()), "")
}

fn report(folder: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(folder.join("report.json")).unwrap()).unwrap()
}

fn names(report: &Value) -> Vec<String> {
    let subjects = report["subjects"].as_array().unwrap().iter();
    let measured = subjects.filter(|subject| subject["control_of"].is_null());
    measured.map(|subject| subject["name"].as_str().unwrap().to_owned()).collect()
}

/// A program that is run by a Python that has this for its text: it listens on the port of its first argument.
fn script(folder: &Path, text: &str) -> String {
    let file = folder.join("server.py");
    fs::write(&file, text).unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o755)).unwrap();
    format!("python3 {} {{port}}", file.display())
}

/// A server that replies to each line with the value of this expression of `line`.
fn answering(expression: &str) -> String {
    format!(
        "import socketserver, sys\n\
         class Lines(socketserver.StreamRequestHandler):\n\
         \x20   def handle(self):\n\
         \x20       for line in self.rfile:\n\
         \x20           self.wfile.write({expression})\n\
         socketserver.ThreadingTCPServer.request_queue_size = 100\n\
         socketserver.ThreadingTCPServer.daemon_threads = True\n\
         socketserver.ThreadingTCPServer((\"127.0.0.1\", int(sys.argv[1])), Lines).serve_forever()\n"
    )
}

#[test]
fn other_programs_are_compared_alone_or_with_backends() {
    let output = folder("any");
    let own = format!("own={ANYLOOP} serve -b threads --handler echo --listen 127.0.0.1:{{port}}");
    let other = format!("other=sh -c 'exec {ANYLOOP} handwritten threads-plain --listen {{address}}'");
    let ended = compare(&output, &["--server", &own, "--server", &other]);
    assert!(matches!(ended.code, Some(0 | 3)), "{ended:?}");
    assert_eq!(names(&report(&output)), ["own", "other"]);
    let ended = compare(&output, &["-b", "threads", "--server", &own, "--format", "json"]);
    assert!(matches!(ended.code, Some(0 | 3)), "{ended:?}");
    let shown: Value =
        serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:?}"));
    assert_eq!(shown, report(&output), "standard output is the report");
    assert_eq!(names(&report(&output)), ["threads", "own"]);
}

#[test]
fn all_servers_speak_tls_on_request() {
    let output = folder("tls");
    let own = format!(
        "own={ANYLOOP} serve -b threads --handler echo --listen 127.0.0.1:{{port}} --tls-cert {{cert}} --tls-key {{key}}"
    );
    let ended = compare(&output, &["--tls", "-b", "epoll", "--server", &own]);
    assert!(matches!(ended.code, Some(0 | 3)), "{ended:?}");
    let report = report(&output);
    assert_eq!(names(&report), ["epoll", "own"]);
    assert_eq!(report["conditions"]["handler"], "echo over TLS");
    let samples = report["samples"].as_array().unwrap();
    assert!(
        samples.iter().all(|sample| sample["replies"].as_u64() > Some(0) && sample["bad"] == 0),
        "{samples:?}"
    );
}

#[test]
fn another_build_is_compared_in_the_same_rounds() {
    let output = folder("build");
    let other = output.join("before");
    symlink(ANYLOOP, &other).unwrap();
    let ended = compare(&output, &["-b", "threads", "--against", other.to_str().unwrap()]);
    assert!(matches!(ended.code, Some(0 | 3)), "{ended:?}");
    assert_eq!(names(&report(&output)), ["threads", "threads (before)"]);
    let conditions = report(&output)["conditions"]["facts"].to_string();
    assert!(conditions.contains("\"other build\",\"before "), "{conditions}");
}

#[test]
fn a_program_that_is_not_an_anyloop_build_fails_once() {
    let output = folder("no-build");
    let other = output.join("other");
    fs::write(&other, "#!/bin/sh\necho 'what is serve?' >&2\nexit 2\n").unwrap();
    fs::set_permissions(&other, Permissions::from_mode(0o755)).unwrap();
    let ended = compare(&output, &["-b", "threads,smol", "--against", other.to_str().unwrap()]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{ended:?}");
    assert_eq!(ended.stderr.matches("what is serve?").count(), 1, "{ended:?}");
    assert!(ended.stderr.contains("it does not serve: the server ended (exit status: 2)"), "{ended:?}");
}

#[test]
fn a_server_that_does_not_begin_is_quoted_and_is_code_1() {
    let output = folder("dead");
    let own = format!("own={ANYLOOP} serve -b threads --handler echo --listen 127.0.0.1:{{port}}");
    let dead = "dead=sh -c 'echo starting >&2; echo \"thread x panicked at main.rs:1:\" >&2; echo note >&2; exit 3 # {port}'";
    let ended = compare(&output, &["--server", &own, "--server", dead]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stdout.contains("thread x panicked at main.rs:1:"), "{ended:?}");
}

#[test]
fn the_stderr_of_servers_is_shown_on_request() {
    let output = folder("verbose");
    let greeting = "print('it', 'begins', chr(27) + '[2J', file=sys.stderr, flush=True)\n";
    let text = answering("line").replacen('\n', &format!("\n{greeting}"), 1);
    let server = format!("own={}", script(&output, &text));
    for (flags, is_shown) in [(&["-v"][..], true), (&[], false)] {
        let ended = compare(&output, &[&["--server", &server], flags].concat());
        assert!(matches!(ended.code, Some(0 | 3)), "{ended:?}");
        let line = "own: it begins \u{fffd}[2J";
        assert_eq!(ended.stderr.lines().any(|one| one == line), is_shown, "{ended:?}");
        assert!(!ended.stdout.contains("it begins"), "{ended:?}");
    }
    // The whole of what it said before it failed, and not only the last line.
    let dead = "dead=sh -c 'echo no such table >&2; echo bye >&2; exit 3 # {port}'";
    let ended = compare(&output, &["--server", dead, "-v"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("dead: no such table\ndead: bye\n"), "{ended:?}");
}

#[test]
fn a_server_that_refuses_is_code_4_unless_that_is_allowed() {
    let output = folder("refuses");
    let server = format!("limited={}", script(&output, &answering("b'ERR rate-limited\\n'")));
    let flags = ["--server", &server, "--message", "hello"];
    let ended = compare(&output, &flags);
    assert_eq!(ended.code, Some(4), "{ended:?}");
    assert!(ended.stdout.contains("ERR rate-limited"), "{ended:?}");
    let ended = compare(&output, &[&flags[..], &["--allow-refusals"]].concat());
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[test]
fn wrong_replies_are_code_4() {
    let output = folder("wrong");
    let server = format!("loud={}", script(&output, &answering("line.upper()")));
    let ended = compare(&output, &["--server", &server, "--message", "hello", "--expect", "echo"]);
    assert_eq!(ended.code, Some(4), "{ended:?}");
}

#[test]
fn custom_messages_are_sent_and_reported() {
    let output = folder("messages");
    let file = output.join("lines");
    fs::write(&file, "hello\nworld\n").unwrap();
    for (flags, is_verified) in [
        (&["--messages", file.to_str().unwrap()][..], false),
        (&["--message", "hi", "--expect", "echo"], true),
    ] {
        let ended = compare(&output, &[&["-b", "threads"], flags].concat());
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert_eq!(!ended.stdout.contains("counted, not verified"), is_verified, "{ended:?}");
    }
    // One that greets may say what it likes.
    let ended = compare(&output, &["-b", "threads", "--handler", "counter", "--message", "hi"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[test]
fn the_thread_of_the_handler_is_reported() {
    let output = folder("runs");
    let work = ["-b", "threads,smol,pool", "--handler", "work", "--work", "block:50us"];
    let ended = compare(&output, &work);
    assert!(matches!(ended.code, Some(0 | 3)), "{ended:?}");
    let report = report(&output);
    let runs = |name: &str| {
        let mut subjects = report["subjects"].as_array().unwrap().iter();
        subjects.find(|subject| subject["name"] == name).unwrap()["handler_runs"].as_str().unwrap()
    };
    assert_eq!(
        [runs("threads"), runs("smol"), runs("pool")],
        ["own thread", "blocking pool of 512", "worker"]
    );
}

#[test]
fn wrong_usage_is_explained() {
    let output = folder("none");
    for (flags, expected) in [
        (&["--server", "redis-server --port {port}"][..], "write NAME='COMMAND'"),
        (&["--server", "redis=redis-server"], "write {port} in its place"),
        (
            &["--server", "a=x {port}", "--server", "a=y {port}"],
            "two servers are named a; give each a different name",
        ),
        (&["-b", "smol", "--against", "/nowhere/anyloop"], "--against /nowhere/anyloop: No such file"),
        (&["-b", "smol", "--against", "/"], "--against /: it is a folder"),
        (&["-b", "smol", "--against", "/etc/passwd"], "--against /etc/passwd: it can't be executed"),
        (&["--server", "x (again)=y {port}"], "is the name of a second run"),
        (&["--framing", "resp"], "echo can't be served in resp"),
        (&["--messages", "/nowhere"], "--messages /nowhere: No such file"),
        (&["--cpus-server", "one"], "`one` is not a core"),
    ] {
        let ended = compare(&output, flags);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{flags:?}: {ended:?}");
        assert!(ended.stderr.contains(expected), "{expected}: {ended:?}");
    }
}
