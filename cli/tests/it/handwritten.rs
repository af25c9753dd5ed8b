//! `anyloop handwritten`: the handwritten servers, as `compare` starts them.

use std::net::TcpStream;

use rustix::process::Signal;

use crate::process::{Process, anyloop, run};
use crate::server::Client;
use crate::tls_client::{certified, trusting};

#[test]
fn a_handwritten_server_serves_until_a_signal() {
    for server in handwritten::SERVERS.iter().filter(|server| server.is_supported() && !server.speaks_tls()) {
        let mut process = Process::start(&mut anyloop(&["handwritten", server.name, "--workers", "2"]));
        let line = process.line();
        let address = line.trim_end().strip_prefix("listening on ").unwrap_or_else(|| panic!("{line}"));
        let mut client = Client::new(TcpStream::connect(address).unwrap());
        client.say("hello\n");
        assert_eq!(client.hear(), "hello", "{}", server.name);
        process.signal(Signal::TERM);
        let ended = process.end();
        assert_eq!((ended.code, ended.stderr.as_str()), (None, ""), "{}", server.name);
    }
}

#[test]
fn the_one_over_tls_needs_a_certificate() {
    let (authority, flags) = certified();
    let mut command = anyloop(&["handwritten", "tokio-tls"]);
    let mut process = Process::start(command.args(flags.split_whitespace()));
    let line = process.line();
    let address = line.trim_end().strip_prefix("listening on ").unwrap_or_else(|| panic!("{line}"));
    let flags_of_client = trusting(&authority);
    let mut client = anyloop(&["client", address]);
    let ended = run(client.args(flags_of_client.split_whitespace()), "hello\n");
    assert_eq!((ended.code, ended.stdout.as_str(), ended.stderr.as_str()), (Some(0), "hello\n", ""));
    process.signal(Signal::TERM);
    process.end();

    for (name, flags, expected) in [
        ("tokio-tls", "", "tokio-tls speaks TLS; add --tls-cert and --tls-key"),
        ("tokio-tls", "--tls-cert a.crt", "--tls-key <FILE>"),
        (
            "tokio-careful",
            flags.as_str(),
            "tokio-careful does not speak TLS; leave out --tls-cert and --tls-key",
        ),
    ] {
        let ended = run(anyloop(&["handwritten", name]).args(flags.split_whitespace()), "");
        assert!(ended.code == Some(2) && ended.stderr.contains(expected), "{ended:?}");
    }
    let absent = "--tls-cert /nowhere.crt --tls-key /nowhere.key".split(' ');
    let ended = run(anyloop(&["handwritten", "tokio-tls"]).args(absent), "");
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "it does not listen");
    assert!(ended.stderr.contains("/nowhere.crt: No such file or directory"), "{ended:?}");
}

#[test]
fn without_a_name_they_are_listed() {
    let ended = run(&mut anyloop(&["handwritten"]), "");
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    let ended_json = run(&mut anyloop(&["handwritten", "--format", "json"]), "");
    let list: serde_json::Value = serde_json::from_str(&ended_json.stdout).unwrap();
    for (server, listed) in handwritten::SERVERS.iter().zip(list.as_array().unwrap()) {
        assert!(ended.stdout.contains(server.name), "{}", ended.stdout);
        assert_eq!(listed["name"], server.name);
    }
    let help = run(&mut anyloop(&["--help"]), "").stdout;
    assert!(help.contains("handwritten"), "it is no secret: {help}");
}
