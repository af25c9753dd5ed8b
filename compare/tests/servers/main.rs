//! Comparisons of real servers that are started by command lines: Python programs, because the tests need Python
//! anyway, and Redis if it is installed.

use std::sync::atomic::AtomicBool;

use anyloop_compare::{Candidate, Comparison, Event, Kind, Launch, Settings, Stage, Tier};
use load::framing::Framing;
use load::plan::{Expect, Messages};

/// A Python server with a thread for each connection, which executes `reply` for each line.
fn python(name: &str, reply: &str) -> Candidate {
    let program = format!(
        "
import socketserver
class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            {reply}
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
Server(('127.0.0.1', {{port}}), Handler).serve_forever()
"
    );
    started_by(name, ["python3", "-c", &program])
}

const ECHO: &str = "self.wfile.write(line)";

/// The same server started by a shell, which waits for it.
fn behind_a_shell(candidate: &Candidate) -> Candidate {
    let command = format!("{} & wait", candidate.model);
    started_by("shell", ["sh", "-c", &command])
}

fn started_by(name: &str, words: [&str; 3]) -> Candidate {
    let command = shlex::try_join(words).expect("no word has a NUL");
    Candidate::server(name, &command).expect("the command has a port")
}

/// One short round, of a closed loop and the common rate.
fn closed_loop(candidates: Vec<Candidate>) -> Settings {
    Settings {
        tier: Tier::Quick,
        rounds: Some(1),
        clients: 4,
        closed_loops: vec![(4, 2)],
        ..Settings::new(candidates)
    }
}

fn run(settings: &Settings) -> (Comparison, Vec<String>) {
    let mut notes = Vec::new();
    let comparison = anyloop_compare::compare(settings, &AtomicBool::new(false), &mut |event| {
        if let Event::Note(note) = event {
            notes.push(note.clone());
        }
    });
    (comparison.expect("the settings make sense"), notes)
}

fn failed(comparison: &Comparison, name: &str) -> Option<String> {
    comparison.subjects.iter().find(|subject| subject.name == name).and_then(|one| one.failed.clone())
}

#[test]
fn programs_are_compared_by_their_command_lines() {
    let echo = python("echo", ECHO);
    let shell = behind_a_shell(&echo);
    let (comparison, notes) = run(&closed_loop(vec![echo, shell]));
    let names: Vec<_> = comparison.subjects.iter().map(|subject| subject.name.as_str()).collect();
    assert_eq!(names, ["echo", "echo (again)", "shell"]);
    assert!(comparison.subjects.iter().all(|subject| subject.failed.is_none()), "{notes:?}");
    assert!(comparison.subjects.iter().all(|subject| subject.kind == Kind::Server));
    assert_eq!(comparison.samples.len(), 3 * 2);
    for sample in &comparison.samples {
        assert!(sample.replies > 0 && sample.bad == 0, "{sample:?}");
        // The server that the shell has started is measured, not the shell. On a busy machine it may get no core during
        // a measurement; then the sample is flagged.
        let is_unknown = sample.flags.iter().any(|flag| flag.contains("CPU time is unknown"));
        assert!(is_unknown || sample.cpu_user + sample.cpu_system > 1.0, "{sample:?}");
    }
}

#[test]
fn a_server_with_wrong_replies_has_failed() {
    let wrong = python("wrong", "self.wfile.write(line.upper())");
    let (comparison, _) = run(&closed_loop(vec![python("echo", ECHO), wrong]));
    assert_eq!(failed(&comparison, "echo"), None);
    let why = failed(&comparison, "wrong").unwrap();
    assert!(why.contains("bad replies"), "{why}");
}

#[test]
fn a_panicking_servers_stderr_is_quoted() {
    let text = "
            import os
            os.write(2, b'thread main panicked at src/main.rs:7:\\nout of luck\\nnote: run with more of it\\n')
            os._exit(101)";
    let (comparison, notes) = run(&closed_loop(vec![python("echo", ECHO), python("breaks", text)]));
    let why = failed(&comparison, "breaks").unwrap();
    assert!(why.contains("exit status: 101"), "{why}");
    assert!(why.ends_with("panicked at src/main.rs:7: out of luck"), "{why}");
    assert!(notes.iter().any(|note| note.contains("breaks failed: ")), "{notes:?}");
    assert_eq!(failed(&comparison, "echo"), None);
}

#[test]
fn a_server_that_ends_after_some_replies_is_quoted_with_its_exit_status() {
    let text = "
            import os
            self.server.count = getattr(self.server, 'count', 0) + 1
            if self.server.count == 100:
                os.write(2, b'thread main panicked at src/main.rs:7:\\nout of luck\\n')
                os._exit(101)
            self.wfile.write(line)";
    let (comparison, _) = run(&closed_loop(vec![python("echo", ECHO), python("dies", text)]));
    let why = failed(&comparison, "dies").unwrap();
    assert!(why.contains("exit status: 101"), "{why}");
    assert!(why.ends_with("panicked at src/main.rs:7: out of luck"), "{why}");
}

#[test]
fn a_panic_that_the_process_survives_is_quoted() {
    let text = "
            import os
            os.write(2, b'thread worker panicked at src/main.rs:7:\\nout of luck\\n')
            return";
    let (comparison, _) = run(&closed_loop(vec![python("echo", ECHO), python("breaks", text)]));
    let why = failed(&comparison, "breaks").unwrap();
    assert!(why.ends_with("it wrote: thread worker panicked at src/main.rs:7: out of luck"), "{why}");
}

#[cfg(unix)]
#[test]
fn a_program_that_is_rebuilt_during_the_comparison_has_failed() {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    let Launch::Command { words } = python("own", ECHO).launch else { panic!("it is a command") };
    let program = std::env::temp_dir().join(format!("anyloop-rebuilt-{}", std::process::id()));
    let text = words[2].replace("{port}", "int(__import__('sys').argv[1])");
    fs::write(&program, format!("#!/usr/bin/env python3\n{text}")).unwrap();
    fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    let own = Candidate::server("own", &format!("{} {{port}}", program.display())).unwrap();
    let settings = closed_loop(vec![python("echo", ECHO), own]);
    let comparison = anyloop_compare::compare(&settings, &AtomicBool::new(false), &mut |event| {
        if matches!(event, Event::Step(step) if step.stage == Stage::Rounds) {
            fs::write(&program, "another build").unwrap();
        }
    });
    fs::remove_file(&program).unwrap();
    let comparison = comparison.unwrap();
    let why = failed(&comparison, "own").unwrap();
    assert!(why.contains("was changed during the comparison"), "{why}");
    assert_eq!(failed(&comparison, "echo"), None);
}

#[test]
fn the_common_rate_and_the_highest_rate_are_measured() {
    let settings = Settings {
        closed_loops: Vec::new(),
        slos: vec!["p90=1s".parse().unwrap()],
        ..closed_loop(vec![python("echo", ECHO)])
    };
    let (comparison, notes) = run(&settings);
    assert_eq!(failed(&comparison, "echo"), None, "{notes:?}");
    let open = comparison.shapes.iter().position(|shape| shape.rate.is_some()).unwrap();
    let samples: Vec<_> = comparison.samples.iter().filter(|sample| sample.shape == open).collect();
    assert_eq!(samples.len(), 2);
    assert!(samples.iter().all(|sample| !sample.timeline.is_empty() && sample.bad == 0), "{samples:?}");
    assert_eq!(comparison.conditions.slos, ["p90=1s"]);
    // If it is unknown whether the objective was met, there is a note.
    assert!(comparison.probes.len() == 2 || !notes.is_empty(), "{:?}", comparison.probes);
}

#[test]
fn redis_is_compared_in_its_protocol() {
    if std::process::Command::new("redis-server").arg("--version").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "this test runs redis-server, which is not installed");
        eprintln!("skipped: redis-server is not installed");
        return;
    }
    let command = "redis-server --port {port} --save '' --appendonly no --dir /tmp";
    let redis = Candidate::server("redis", command).unwrap();
    let framing = Framing::Resp;
    let messages = ["PING", "SET key value", "GET key"].map(|text| framing.encode(text).unwrap());
    let settings = Settings {
        framing,
        messages: Messages::Own(messages.to_vec().into()),
        expect: Expect::Any,
        ..closed_loop(vec![redis])
    };
    let (comparison, notes) = run(&settings);
    assert_eq!(failed(&comparison, "redis"), None, "{notes:?}");
    assert!(comparison.samples.iter().all(|sample| sample.replies > 0 && sample.refused == 0));
    assert!(comparison.conditions.unverified);
    assert_eq!(comparison.conditions.message, "3 own messages in turn");
}
