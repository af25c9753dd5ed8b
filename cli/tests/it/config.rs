//! `serve --expose` and `serve --show-config`.

use std::collections::HashMap;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::Stdio;

use crate::process::{anyloop, run};
use crate::server::{Client, Server, backends, command};

/// The lines of `--show-config` with these flags and variables: the value of each name, and what has set it.
fn shown(flags: &str, variables: &[(&str, &str)]) -> HashMap<String, (String, Option<String>)> {
    let mut command = anyloop(&["serve", "--show-config"]);
    command.args(flags.split_whitespace()).envs(variables.iter().copied());
    let ended = run(&mut command, "");
    assert_eq!((ended.code, ended.stderr.contains("ERROR")), (Some(0), false), "{flags}: {ended:?}");
    // A setting that is no flag is a comment.
    let settings = ended.stdout.lines().map(|line| line.strip_prefix("# ").unwrap_or(line));
    let pair = |line: &str| {
        let (name, value) = line.split_once(" = ")?;
        let (value, origin) =
            value.split_once(" # ").map_or((value, None), |(value, origin)| (value, Some(origin)));
        Some((name.to_owned(), (value.trim_matches('"').to_owned(), origin.map(str::to_owned))))
    };
    settings.filter_map(pair).collect()
}

#[test]
fn the_configuration_shows_every_limit_and_what_has_set_it() {
    let flags = "--backend epoll --workers 3 --max-connections 100 --idle-timeout 0 --max-message 4KiB";
    let variables = [("ANYLOOP_SERVE_MAILBOX", "1KiB"), ("ANYLOOP_SERVE_MAX_MESSAGE", "1")];
    let shown = shown(flags, &variables);
    for (name, value, origin) in [
        ("backend", "epoll", Some("--backend")),
        ("handler", "counter", None),
        ("framing", "line", None),
        ("listen", "127.0.0.1:8888", None),
        ("expose", "false", None),
        ("workers", "3", Some("--workers")),
        ("blocking-threads", "512", None),
        ("max-connections", "100", Some("--max-connections")),
        ("overload", "refuse", None),
        ("max-message", "4096", Some("--max-message")),
        ("max-reply", "1048576", None),
        ("idle-timeout", "0", Some("--idle-timeout")),
        ("message-timeout", "10s", None),
        ("write-timeout", "10s", None),
        ("answer-timeout", "30s", None),
        ("drain-timeout", "10s", None),
        ("mailbox", "1024", Some("ANYLOOP_SERVE_MAILBOX")),
        ("mailbox-full", "close", None),
    ] {
        let expected = (value.to_owned(), origin.map(str::to_owned));
        assert_eq!(shown.get(name), Some(&expected), "{name}: {shown:?}");
    }
    let client = 4096 + 16 * 1024 + 64 * 1024 + 2 * 1024 * 1024 + 1024;
    let stacks = (3 + 512) * 2 * 1024 * 1024;
    let memory = [
        ("memory-per-client", client),
        ("memory-of-clients", 100 * client),
        ("memory-of-stacks", stacks),
        ("memory", 100 * client + stacks),
    ];
    for (name, bytes) in memory {
        assert_eq!(shown[name].0, bytes.to_string(), "{name}");
    }
}

#[test]
fn every_limit_of_the_help_is_in_the_configuration() {
    let help = run(&mut anyloop(&["serve", "--help"]), "").stdout;
    let limits =
        help.split("\nLimits:\n").nth(1).unwrap().split("\n\n").take_while(|text| !text.contains("Log and"));
    let names: Vec<_> = limits
        .flat_map(str::lines)
        .filter_map(|line| line.split("--").nth(1).filter(|_| line.trim_start().starts_with('-')))
        .filter_map(|rest| rest.split_whitespace().next())
        .collect();
    assert!(names.len() >= 10, "{names:?}");
    let shown = shown("", &[]);
    names.iter().for_each(|name| assert!(shown.contains_key(*name), "{name}: {shown:?}"));
}

#[test]
fn the_configuration_of_every_backend_is_shown_and_binds_nothing() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    for backend in backends() {
        let shown = shown(&format!("--backend {backend} --listen {address}"), &[]);
        let number = |name: &str| shown[name].0.parse::<u64>().unwrap();
        assert_eq!(shown["listen"].0, address.to_string());
        assert_eq!(number("memory-of-clients"), number("memory-per-client") * number("max-connections"));
        assert!(number("memory") > number("memory-of-clients"), "{backend}: {shown:?}");
        // A ring may have received more than the limits say.
        let more = if backend == "uring" { 512 * 1024 } else { 0 };
        let limits = 64 * 1024 + 16 * 1024 + 64 * 1024 + 2 * 1024 * 1024 + 256 * 1024;
        assert_eq!(number("memory-per-client"), limits + more, "{backend}");
    }
}

#[test]
fn a_server_is_exposed_by_a_flag_or_a_variable() {
    let piped = |flags: &str, variable: &str| {
        let mut command = command(flags);
        command.env("ANYLOOP_SERVE_EXPOSE", variable);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    };
    for (flags, variable) in [("--expose", "false"), ("", "true"), ("", "1")] {
        let server = Server::start_as_is(&mut piped(&format!("--listen 0.0.0.0:0 {flags}"), variable));
        assert!(server.address.ip().is_unspecified());
        let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, server.address.port())).unwrap();
        assert_eq!(Client::new(socket).hear(), "連接成功!");
    }
    for (variable, expected) in
        [("false", "is no loopback address"), ("maybe", "ANYLOOP_SERVE_EXPOSE: `maybe`: it is neither")]
    {
        let ended = run(&mut piped("--listen 0.0.0.0:0", variable), "");
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""));
        assert!(ended.stderr.contains(expected), "{}", ended.stderr);
    }
}
