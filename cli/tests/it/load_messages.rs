//! Messages of one's own in `anyloop load`, and replies that refuse them.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::thread;

use crate::process::{Ended, anyloop, run};
use crate::server::{Server, lines};

/// Runs `load` for a moment on one connection.
fn load(address: &str, flags: &[&str]) -> Ended {
    let short = ["load", address, "-c", "1", "-d", "100ms", "--warmup", "0"];
    run(&mut anyloop(&[&short, flags].concat()), "")
}

/// A file for this test alone.
fn file(name: &str, content: &[u8]) -> PathBuf {
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-own-{name}", std::process::id()));
    fs::write(&file, content).unwrap();
    file
}

/// A server that reads requests from each connection until its end, and replies with the result of `answer`.
fn requests(answer: fn(&mut BufReader<TcpStream>) -> Option<String>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for socket in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                let mut replies = socket.try_clone().unwrap();
                let mut requests = BufReader::new(socket);
                while let Some(reply) = answer(&mut requests) {
                    if replies.write_all(reply.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

/// A line without its end; none where the connection has ended.
fn line(input: &mut BufReader<TcpStream>) -> Option<String> {
    let mut line = String::new();
    let count = input.read_line(&mut line).ok()?;
    (count > 0).then(|| line.trim_end().to_owned())
}

#[test]
fn messages_are_sent_in_turn_and_replies_counted() {
    let address = lines(|count, line| match (count % 2, line.as_str()) {
        (0, "GET a key") | (1, "--second") => "fine\n".to_owned(),
        _ => format!("ERR `{line}` was not expected\n"),
    });
    let flags = ["--message", "GET a key", "--message", "--second"];
    let ended = load(&address, &flags);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.contains("counted, not verified"), "{ended:?}");
    let messages = file("turn", b"GET a key\n--second\n");
    let ended = load(&address, &["--messages", messages.to_str().unwrap()]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let short = ["load", &address, "-c", "1", "-d", "100ms", "--messages", "-"];
    let ended = run(&mut anyloop(&short), "GET a key\n--second");
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[test]
fn own_messages_can_be_verified() {
    let server = Server::start("--handler echo");
    let address = server.address.to_string();
    let ended = load(&address, &["--message", "hello", "--message", "world", "--expect", "echo"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.contains("verified, all as they should be"), "{ended:?}");
    let shouts = lines(|_, line| format!("{}\n", line.to_uppercase()));
    let ended = load(&shouts, &["--message", "hello", "--expect", "echo"]);
    assert_eq!(ended.code, Some(4), "{ended:?}");
}

#[test]
fn refusals_are_not_counted_as_replies() {
    let address = lines(|_, _| "ERR rate-limited\n".to_owned());
    for flags in [&["--message", "hello"][..], &["--expect", "any"]] {
        let ended = load(&address, flags);
        assert_eq!(ended.code, Some(4), "{ended:?}");
        for told in ["refusals", "ERR rate-limited"] {
            assert!(ended.stdout.contains(told), "{told}: {ended:?}");
        }
        assert!(!ended.stdout.contains("all as they should be"), "{ended:?}");
        let allowed = load(&address, &[flags, &["--allow-refusals"]].concat());
        assert_eq!(allowed.code, Some(0), "{allowed:?}");
        assert!(allowed.stdout.contains("refusals"), "they are told even so: {allowed:?}");
    }
}

#[test]
fn occasional_refusals_are_no_failure() {
    let address = lines(|count, line| match count % 200 {
        150 => "ERR busy\n".to_owned(),
        _ => format!("{line}\n"),
    });
    let ended = load(&address, &["--expect", "echo", "--message-size", "9"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[test]
fn commands_are_sent_in_the_redis_protocol() {
    let address = requests(|input| {
        let count: usize = line(input)?.strip_prefix('*')?.parse().ok()?;
        let mut words = Vec::new();
        for _ in 0..count {
            let length: usize = line(input)?.strip_prefix('$')?.parse().ok()?;
            let mut word = vec![0; length + 2];
            input.read_exact(&mut word).ok()?;
            words.push(String::from_utf8_lossy(&word[..length]).into_owned());
        }
        Some(match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            ["SET", "a key", "1"] => "+OK\r\n".to_owned(),
            ["GET", "key"] => "$-1\r\n".to_owned(),
            _ => "-ERR unknown command\r\n".to_owned(),
        })
    });
    let known = ["--framing", "resp", "--message", "SET 'a key' 1", "--message", "GET key"];
    let ended = load(&address, &known);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let ended = load(&address, &["--framing", "resp", "--message", "FLY"]);
    assert_eq!(ended.code, Some(4), "{ended:?}");
    assert!(ended.stdout.contains("-ERR unknown command"), "{ended:?}");
}

#[test]
fn requests_are_sent_in_http() {
    let address = requests(|input| {
        let request = line(input)?;
        while !line(input)?.is_empty() {}
        Some(match request.as_str() {
            "GET /fine HTTP/1.1" => "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine".to_owned(),
            _ => "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned(),
        })
    });
    let ended = load(&address, &["--framing", "http", "--message", "GET /fine"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let ended = load(&address, &["--framing", "http", "--message", "GET /lost"]);
    assert_eq!(ended.code, Some(4), "{ended:?}");
    assert!(ended.stdout.contains("404"), "{ended:?}");
}

#[test]
fn wrong_messages_are_explained() {
    let empty = file("empty", b"");
    let bytes = file("bytes", b"a\n\xff\n");
    for (flags, expected) in [
        (&["--message", "a", "--messages", "file"][..], "cannot be used with"),
        (&["--message", "a", "--message-size", "9"], "cannot be used with"),
        (&["--messages", "/nowhere"], "--messages /nowhere: No such file"),
        (&["--messages", empty.to_str().unwrap()], "it is empty; write a message on each line"),
        (&["--messages", bytes.to_str().unwrap()], "UTF-8"),
        (&["--framing", "resp", "--message", "SET 'a"], "--message: "),
        (&["--framing", "http", "--message", "fetch /"], "--message: "),
    ] {
        let ended = load("127.0.0.1:1", flags);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{flags:?}: {ended:?}");
        assert!(ended.stderr.contains(expected), "{expected}: {ended:?}");
    }
}
