//! What keeps a server from starting.

use std::net::TcpListener;

use crate::process::{anyloop, run};

/// An address in use, and a wrong configuration: one line that says what to do, before any client is accepted.
pub(crate) fn fails(backend: &str) {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (flags, code, says) in [
        (format!("--listen {address}"), 1, address.as_str()),
        ("--expose --listen 203.0.113.1:0".into(), 1, "203.0.113.1"),
        ("--listen 203.0.113.1:0".into(), 2, "--expose"),
        ("--listen nonsense".into(), 2, "nonsense"),
        ("--max-message 0".into(), 2, "--max-message"),
        ("--max-message 1Mib?".into(), 2, "--max-message"),
        ("--idle-timeout soon".into(), 2, "--idle-timeout"),
        ("--workers 100000".into(), 2, "--workers"),
        ("--max-connections 1000000000".into(), 2, "--max-connections"),
        ("--stack-size 1".into(), 2, "--stack-size"),
        ("--receipt /nowhere/receipt.json".into(), 2, "/nowhere/receipt.json"),
        ("--framing morse".into(), 2, "morse"),
        ("--no-such-flag".into(), 2, "--no-such-flag"),
    ] {
        let listens = flags.contains("--listen");
        let own = if listens { "" } else { "--listen 127.0.0.1:0" };
        let flags = format!("serve --backend {backend} {own} {flags}");
        let arguments: Vec<_> = flags.split_whitespace().collect();
        let ended = run(&mut anyloop(&arguments), "");
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(code), ""), "{flags}: {ended:?}");
        assert!(ended.stderr.contains(says), "{flags}: {ended:?}");
        assert!(
            ended.stderr.lines().filter(|line| line.starts_with("error")).count() == 1,
            "{flags}: {ended:?}"
        );
    }
}
