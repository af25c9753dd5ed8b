//! Which clock a server goes by.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::tempdir;

use crate::group::skip;
use crate::process::{BOUND, run};
use crate::server::{Ended, STUCK, Server, command, stuck};

/// Each timeout.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Each timeout fires, and none too early, while the time of day jumps back and forth by a day.
pub(crate) fn jumps(backend: &str) {
    nobody_asks_for_the_time_of_day(backend);
    let folder = tempdir().unwrap();
    let Some(clock) = compile(folder.path()) else { return };
    for (flags, sent, expected, reason) in [
        ("--handler echo --idle-timeout 1s", "", "ERR timeout idle\n", "idle_timeout"),
        (
            "--handler echo --message-timeout 1s",
            "hello",
            "ERR timeout message: no line end\n",
            "message_timeout",
        ),
    ] {
        let server = start(backend, flags, &clock);
        fires(|| {
            let mut client = server.connect();
            client.say(sent);
            assert_eq!(client.hear_all(), expected, "{backend}");
        });
        has_ended(&server.stop(), 0, reason);
    }
    let server = start(backend, &format!("--drain-timeout 1s {STUCK}"), &clock);
    let client = stuck(&server);
    fires(|| has_ended(&server.stop(), 1, "cut"));
    drop(client);
}

/// Compiles the clock that jumps. `None`, with a message, if there is no compiler.
fn compile(folder: &Path) -> Option<PathBuf> {
    if Command::new("cc").arg("--version").stdout(Stdio::null()).status().is_err() {
        skip("no C compiler is installed: apt-get install gcc libc6-dev");
        return None;
    }
    let (source, clock) = (folder.join("clock.c"), folder.join("clock.so"));
    fs::write(&source, include_str!("clock.c")).unwrap();
    let mut compiler = Command::new("cc");
    compiler.args(["-Wall", "-Wextra", "-shared", "-fPIC", "-o"]).args([&clock, &source]);
    let ended = run(&mut compiler, "");
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    Some(clock)
}

/// A server whose time of day is that of this clock.
fn start(backend: &str, flags: &str, clock: &Path) -> Server {
    let mut command = command(&format!("--backend {backend} --log-level debug {flags}"));
    command.env("LD_PRELOAD", clock);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Server::start_as_is(&mut command)
}

/// Checks that this takes the timeout, and neither less nor a day.
fn fires(timeout: impl FnOnce()) {
    let start = Instant::now();
    timeout();
    assert!((TIMEOUT..BOUND).contains(&start.elapsed()), "it took {:?}", start.elapsed());
}

/// Checks why the only client left, and that the time of day has jumped meanwhile.
fn has_ended(ended: &Ended, code: i32, reason: &str) {
    let count = &ended.receipt["reasons"][reason];
    assert_eq!((ended.code, count), (Some(code), &1.into()), "{reason}: {}", ended.log);
    let is_of = |day: &str| ended.log.lines().filter(|line| line.starts_with(day)).count();
    let (before, after) = (is_of("2000-12-31T"), is_of("2001-01-01T"));
    assert!(before > 0 && after > 0, "the time of day did not jump: {}", ended.log);
    let readings = ended.log.lines().find_map(|line| {
        line.strip_prefix("the time of day was read ")?.strip_suffix(" times")?.parse::<usize>().ok()
    });
    assert!(readings >= Some(before + after), "{readings:?} readings: {}", ended.log);
}

/// Neither a backend nor what it stands on asks for the time of day, which may be set at any moment.
fn nobody_asks_for_the_time_of_day(backend: &str) {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut folders = [&format!("backend-{backend}"), "serving", "common"]
        .map(|name| workspace.join(name).join("src"))
        .to_vec();
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = fs::read_to_string(&path).unwrap();
                let asks = ["SystemTime", "REALTIME", "Realtime"].iter().any(|clock| text.contains(clock));
                assert!(!asks, "{} asks for the time of day", path.display());
                files += 1;
            }
        }
    }
    assert!(files > 40, "only {files} files were read");
}
