//! `anyloop handwritten`: the handwritten servers, as `compare` starts them.

use std::net::TcpStream;

use rustix::process::Signal;

use crate::process::{Process, anyloop, run};
use crate::server::Client;

#[test]
fn a_handwritten_server_serves_until_a_signal() {
    for server in handwritten::SERVERS.iter().filter(|server| server.is_supported()) {
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
