use std::ffi::OsString;

use super::*;

static GO_ON: AtomicBool = AtomicBool::new(false);

/// A program that does what a shell script says.
fn script(text: &str) -> Candidate {
    let arguments = ["-c", text].map(OsString::from).into();
    Candidate { name: "script".into(), program: "/bin/sh".into(), arguments, ..Candidate::default() }
}

#[test]
fn the_address_is_found_behind_other_lines() {
    let candidate = script("echo hello; echo 'listening on 127.0.0.1:4711'; exec sleep 60");
    let mut server = Server::start(&candidate, &GO_ON).unwrap();
    assert_eq!(server.address(), "127.0.0.1:4711".parse().unwrap());
    assert_eq!(server.failure(), None);
}

#[cfg(target_os = "linux")]
#[test]
fn it_ends_with_its_guard() {
    let server = Server::start(&script("echo 'listening on 127.0.0.1:1'; exec sleep 60"), &GO_ON).unwrap();
    let process = format!("/proc/{}", server.process());
    assert!(std::fs::exists(&process).unwrap());
    drop(server);
    assert!(!std::fs::exists(&process).unwrap(), "it was waited for");
}

#[test]
fn a_server_that_ends_tells_why() {
    let error = Server::start(&script("echo 'no such flag' >&2; exit 2"), &GO_ON).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("exit status: 2") && text.ends_with("no such flag"), "{text}");
}

#[test]
fn a_server_that_ends_later_is_found_out() {
    let candidate = script("echo 'listening on 127.0.0.1:1'; printf 'bad\\033[0m\\n\\n' >&2; exit 3");
    let mut server = Server::start(&candidate, &GO_ON).unwrap();
    let begin = Instant::now();
    let failure = loop {
        match server.failure() {
            None if begin.elapsed() < START => thread::sleep(LOOK),
            failure => break failure,
        }
    };
    assert_eq!(failure.as_deref(), Some("the server ended (exit status: 3): bad\u{fffd}[0m"));
}

#[test]
fn waiting_ends_with_the_stop() {
    let stop = AtomicBool::new(true);
    let begin = Instant::now();
    let error = Server::start(&script("exec sleep 60"), &stop).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::Interrupted);
    assert!(begin.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_program_that_does_not_exist_is_an_error() {
    let candidate = Candidate { program: "/nonexistent/program".into(), ..Candidate::default() };
    assert_eq!(Server::start(&candidate, &GO_ON).unwrap_err().kind(), io::ErrorKind::NotFound);
}

#[test]
fn only_an_address_is_an_announcement() {
    assert!(announcement(b"listening on [::1]:80\r\n").is_some());
    for line in
        [&b"listening on nowhere\n"[..], b"listening on", b"\xff", b"", b"we are listening on 1.2.3.4:5\n"]
    {
        assert_eq!(announcement(line), None);
    }
}

#[test]
fn only_the_end_of_the_log_is_kept() {
    let log = Log::default();
    let text = "x".repeat(3 * LOG) + "\nthe end\n";
    log.keep(text.as_bytes());
    assert_eq!(log.last().as_deref(), Some("the end"));
    assert_eq!(log.0.lock().unwrap().len(), LOG);
    assert_eq!(Log::default().last(), None);
}

/// What a helper of [`nothing_outlives_a_killed_comparison`] is told by: the script that it serves by.
const SCRIPT: &str = "ANYLOOP_TEST_SCRIPT";

/// No test by itself: the process that the test below kills.
#[test]
fn helper_that_is_killed() {
    if let Ok(text) = std::env::var(SCRIPT) {
        let server = Server::start(&script(&text), &GO_ON).unwrap();
        println!("started");
        thread::sleep(Duration::from_secs(60));
        drop(server);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn nothing_outlives_a_killed_comparison() {
    let folder = std::env::temp_dir().join(format!("compare-killed-{}", std::process::id()));
    let text = format!("sleep 1000 & echo $! >{}; echo 'listening on 127.0.0.1:1'; wait", folder.display());
    let mut helper = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "server::tests::helper_that_is_killed", "--nocapture"])
        .env(SCRIPT, text)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(helper.stdout.take().unwrap()).lines();
    assert!(lines.map(Result::unwrap).any(|line| line.contains("started")));
    let grandchild = std::fs::read_to_string(&folder).unwrap();
    helper.kill().unwrap();
    helper.wait().unwrap();
    std::thread::sleep(Duration::from_secs(2));
    let alive = std::fs::exists(format!("/proc/{}", grandchild.trim())).unwrap();
    std::fs::remove_file(folder).unwrap();
    assert!(!alive, "{grandchild}");
}
