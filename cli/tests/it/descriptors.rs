//! How a server takes it that only a few files may be open.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::process::{run, through};
use crate::server::{Server, backends, command};

/// `anyloop serve` with these flags, under a limit on open files.
fn limited(limit: usize, flags: &str) -> Command {
    let shell = ["sh", "-c", &format!("ulimit -n {limit} && exec \"$0\" \"$@\"")];
    let mut command = through(&shell, &command(&format!("{flags} --log-format json")));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The warnings of a server that has served a client under a limit on open files.
fn warnings(limit: usize, flags: &str) -> Vec<Value> {
    let server = Server::start_as_is(&mut limited(limit, flags));
    let mut client = server.connect();
    client.say("hello\nexit\n");
    assert_eq!(client.hear_all(), "連接成功!\n第1條信息:hello\n", "{limit} {flags}");
    drop(client);
    let ended = server.stop();
    assert_eq!(
        (ended.code, &ended.receipt["finished"]),
        (Some(0), &1.into()),
        "{limit} {flags}: {}",
        ended.log
    );
    let events = ended.log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    events.filter(|event| event["open_files"].is_u64()).collect()
}

#[test]
fn a_limit_on_files_below_max_connections_is_warned_of() {
    for (limit, flags, enough, connections) in [
        (10_063, "", 10_064, 9_999),
        (1024, "--backend epoll --workers 2", 10_064, 960),
        (64, "", 10_064, 1),
        (64, "--backend sequential", 65, 1),
        (64, "--max-connections 1", 65, 1),
    ] {
        let warnings = warnings(limit, flags);
        assert_eq!(warnings.len(), 1, "{limit} {flags}: {warnings:?}");
        let warning = &warnings[0];
        assert_eq!(warning["level"], "WARN");
        assert_eq!((&warning["open_files"], &warning["reserved"]), (&limit.into(), &64.into()));
        assert_eq!(warning["max_connections"], connections, "{limit} {flags}");
        let text = warning["message"].as_str().unwrap();
        assert!(text.ends_with(&format!("raise it to {enough} (ulimit -n {enough})")), "{text}");
    }
    for (limit, flags) in [
        (10_064, ""),
        (10_065, ""),
        (65, "--backend sequential"),
        (65, "--max-connections 1"),
        (1024, "--max-connections 960"),
    ] {
        assert_eq!(warnings(limit, flags), [Value::Null; 0], "{limit} {flags}");
    }
}

/// The number of open files that the error under this limit asks for; `None` if there is no such error.
fn enough(limit: usize, flags: &str) -> Option<usize> {
    // A server that could serve ends on an address that it can't have.
    let ended = run(&mut limited(limit, &format!("{flags} --expose --listen 203.0.113.1:0")), "");
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{flags}: {ended:?}");
    let Some(error) = ended.stderr.strip_prefix("error: serving needs ") else {
        assert!(ended.stderr.contains("can't listen on 203.0.113.1:0"), "{flags}: {ended:?}");
        return None;
    };
    assert_eq!(ended.stderr.lines().count(), 1, "{flags}: {ended:?}");
    let number = error.split("(ulimit -n ").nth(1).and_then(|rest| rest.split(';').next());
    Some(number.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("{error}")))
}

#[test]
fn a_limit_on_files_below_one_client_fails_before_listening() {
    for backend in backends() {
        let flags = format!("--backend {backend}");
        let mut least = enough(8, &flags).unwrap();
        // More is needed if the test has files open that the old limit did not count.
        while let Some(more) = enough(least, &flags) {
            assert!(more > least, "{backend}: {more}");
            least = more;
        }
        assert!(enough(least - 1, &flags).is_some(), "{backend}: {least}");
        for limit in [least, least + 1] {
            assert_eq!(warnings(limit, &flags).len(), 1, "{backend}");
        }
    }
}
