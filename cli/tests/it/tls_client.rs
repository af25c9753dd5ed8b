//! `client --tls`: a conversation on every backend and with OpenSSL's server, and each fault.

use std::fs;
use std::io::Read;
use std::net::Shutdown;
use std::process::{Command, Stdio};

use rustix::process::Signal;

use crate::client::one_client;
use crate::process::{Ended, Process, anyloop, run};
use crate::pseudoterminal::Terminal;
use crate::server::{Server, backends};
use crate::tls::certificates::{Authority, Certificate, Wanted};
use crate::tls::{flags, has_openssl};

/// `client` with these flags, parted by spaces.
fn client(address: &str, flags: &str) -> Command {
    let mut arguments = vec!["client", address];
    arguments.extend(flags.split_whitespace());
    anyloop(&arguments)
}

/// The flags of a client that trusts this authority.
pub(crate) fn trusting(authority: &Authority) -> String {
    format!("--tls --tls-ca {}", authority.file().display())
}

/// The flags that present this certificate.
pub(crate) fn presenting(files: &Certificate) -> String {
    flags(files)
}

/// An authority, and the flags of a server with a certificate of it.
pub(crate) fn certified() -> (Authority, String) {
    let authority = Authority::new("ours");
    let files = authority.issue("server", &["example.org", "127.0.0.1"]);
    let flags = flags(&files);
    (authority, flags)
}

#[test]
fn a_conversation_is_the_same_on_every_backend() {
    let (authority, flags) = certified();
    let trusting = trusting(&authority);
    let lines: String = (0..300).map(|i| format!("{i} {}\n", "x".repeat(i * 31 % 5000))).collect();
    for backend in backends() {
        let server = Server::start(&format!("--backend {backend} --handler echo {flags}"));
        let address = server.address.to_string();
        for more in ["", "--tls-server-name example.org"] {
            let ended = run(&mut client(&address, &format!("{trusting} {more}")), lines.as_str());
            assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{backend}");
            assert!(ended.stdout == lines, "{backend}");
        }
        let receipt = server.stop().receipt;
        assert_eq!(receipt["reasons"]["end_of_input"], 2, "{backend}: {receipt}");
    }
}

#[test]
fn a_person_and_a_client_that_takes_turns_speak_tls() {
    let (authority, flags) = certified();
    let server = Server::start(&flags);
    let (address, file) = (server.address.to_string(), authority.file());
    let mut terminal = Terminal::start(&["client", &address, "--tls", "--tls-ca", file.to_str().unwrap()]);
    terminal.see("連接成功!\n");
    terminal.see("> ");
    for (line, reply) in [("hello", "第1條信息:hello\n"), ("again", "第2條信息:again\n")] {
        terminal.press(&format!("{line}\r"));
        terminal.see(reply);
    }
    terminal.press("exit\r");
    assert_eq!(terminal.end(), Some(0));
    let mut terminal = Terminal::start(&["client", &address, "--tls", "--tls-ca", file.to_str().unwrap()]);
    terminal.see("> ");
    terminal.press("\x04");
    assert_eq!(terminal.end(), Some(0));
    let reasons = &server.stop().receipt["reasons"];
    assert_eq!((&reasons["exit"], &reasons["end_of_input"]), (&1.into(), &1.into()), "{reasons}");
    let server = Server::start(&format!("--framing raw {flags}"));
    let ended = run(
        &mut client(&server.address.to_string(), &format!("{} --framing raw", trusting(&authority))),
        "hello\nexit\n",
    );
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), "連接成功!\n第1條信息:hello\n"), "{ended:?}");
    assert_eq!(server.stop().receipt["failed"], 0);
}

/// Checks that a client with these flags fails with one line that says this.
#[track_caller]
fn fails(address: &str, flags: &str, expected: &[&str]) {
    let ended = run(&mut client(address, flags), "hello\n");
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{ended:?}");
    for expected in expected {
        assert!(ended.stderr.contains(expected), "{expected}: {}", ended.stderr);
    }
    let lines = ended.stderr.lines().filter(|line| !line.starts_with("warning: "));
    assert_eq!(lines.count(), 1, "{}", ended.stderr);
}

#[test]
fn a_server_that_can_not_be_trusted_is_refused() {
    let (authority, server_flags) = certified();
    let other = Authority::new("other");
    let server = Server::start(&server_flags);
    let address = server.address.to_string();
    fails(
        &address,
        &trusting(&other),
        &["no TLS with 127.0.0.1:", "is of an authority that is not trusted; ", "--tls-ca"],
    );
    let wrong = format!("{} --tls-server-name example.com", trusting(&authority));
    fails(
        &address,
        &wrong,
        &["is valid for example.org and 127.0.0.1, and not for example.com; ", "--tls-server-name"],
    );
    for more in ["", "--tls-server-name example.com"] {
        let ended = run(&mut client(&address, &format!("--tls --tls-insecure {more}")), "hello\nexit\n");
        assert_eq!(
            (ended.code, ended.stdout.as_str()),
            (Some(0), "連接成功!\n第1條信息:hello\n"),
            "{ended:?}"
        );
        assert!(
            ended
                .stderr
                .starts_with("warning: --tls-insecure: the certificate of the server is not verified")
        );
    }
    assert_eq!(server.stop().receipt["reasons"]["handshake_failed"], 2);
    let expired =
        authority.issue_as("expired", &["127.0.0.1"], Wanted { is_expired: true, ..Wanted::default() });
    let server = Server::start(&flags(&expired));
    let expected = ["has expired on 2021-01-01T00:00:00Z; renew it at the server"];
    fails(&server.address.to_string(), &trusting(&authority), &expected);
}

#[test]
fn a_server_that_requires_a_certificate_gets_it() {
    let (authority, flags) = certified();
    let (mine, strange) = (authority.issue("client", &["me"]), Authority::new("other"));
    let other = strange.issue("client", &["me"]);
    let flags = format!("{flags} --tls-client-ca {}", authority.file().display());
    for backend in ["epoll", "threads"] {
        let server = Server::start(&format!("--backend {backend} {flags}"));
        let (address, trusting) = (server.address.to_string(), trusting(&authority));
        // In TLS 1.3 the client has completed the handshake by then.
        fails(
            &address,
            &trusting,
            &["the server requires a certificate", "; give one by --tls-cert and --tls-key"],
        );
        let strange = format!("{trusting} {}", presenting(&other));
        fails(
            &address,
            &strange,
            &["the server refuses the certificate of this client", "that the server trusts"],
        );
        let mine = format!("{trusting} {}", presenting(&mine));
        let ended = run(&mut client(&address, &mine), "hello\nexit\n");
        assert_eq!(
            (ended.code, ended.stdout.as_str()),
            (Some(0), "連接成功!\n第1條信息:hello\n"),
            "{ended:?}"
        );
        server.stop();
    }
}

#[test]
fn application_protocols_are_offered() {
    let (authority, flags) = certified();
    let server = Server::start(&format!("{flags} --tls-alpn two,one"));
    let (address, trusting) = (server.address.to_string(), trusting(&authority));
    let ended = run(&mut client(&address, &format!("{trusting} --tls-alpn three,one")), "exit\n");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    fails(
        &address,
        &format!("{trusting} --tls-alpn three"),
        &["none of the offered application protocols", "--tls-alpn"],
    );
}

#[test]
fn a_server_without_tls_is_told() {
    let server = Server::start("");
    let advice = "the server does not speak TLS; leave out --tls";
    fails(&server.address.to_string(), "--tls --tls-insecure", &[advice]);
}

#[test]
fn a_server_that_ends_within_the_handshake_is_told() {
    let (address, server) = one_client(|mut socket| {
        socket.read_exact(&mut [0; 100]).unwrap();
        socket.shutdown(Shutdown::Both).unwrap();
    });
    fails(
        &address,
        "--tls --tls-insecure",
        &["ended the connection within the handshake; check that it speaks TLS"],
    );
    server.join().unwrap();
}

#[test]
#[ignore = "takes ten seconds: run by `.ci/full`, or with `--include-ignored`"]
fn a_server_that_never_answers_the_handshake_is_given_up() {
    let (address, server) = one_client(|mut socket| drop(socket.read_to_end(&mut Vec::new())));
    fails(
        &address,
        "--tls --tls-insecure",
        &["did not complete the handshake within 10 s; check that it speaks TLS"],
    );
    server.join().unwrap();
}

#[test]
fn a_connection_that_is_cut_off_is_told_from_one_that_has_ended() {
    let (authority, flags) = certified();
    let server = Server::start(&flags);
    let mut process = Process::start(&mut client(&server.address.to_string(), &trusting(&authority)));
    process.say("hello\n");
    assert_eq!((process.line().as_str(), process.line().as_str()), ("連接成功!\n", "第1條信息:hello\n"));
    server.process.signal(Signal::KILL);
    let ended = process.end_with_open_input();
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.stderr.contains("ended the connection without close_notify, so its last bytes may be missing"),
        "{ended:?}"
    );
    assert!(ended.stderr.contains("see its log, and try again"), "{ended:?}");
    let server = Server::start(&flags);
    let mut process = Process::start(&mut client(&server.address.to_string(), &trusting(&authority)));
    assert_eq!(process.line(), "連接成功!\n");
    server.stop();
    let ended = process.end_with_open_input();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
}

/// Runs a client without a server.
fn offline(flags: &str) -> Ended {
    run(&mut client("127.0.0.1:1", flags), "")
}

#[test]
fn flags_that_make_no_sense_are_refused_before_anything_connects() {
    let authority = Authority::new("ours");
    let files = authority.issue("client", &["me"]);
    let garbage = authority.folder().join("garbage.pem");
    fs::write(&garbage, "hello\n").unwrap();
    let garbage = garbage.to_str().unwrap();
    for flag in ["--tls-ca x", "--tls-insecure", "--tls-server-name x", "--tls-alpn x"] {
        for command in ["client", "load"] {
            let arguments: Vec<_> = [command, "127.0.0.1:1"].into_iter().chain(flag.split(' ')).collect();
            let ended = run(&mut anyloop(&arguments), "");
            assert_eq!(ended.code, Some(2), "{flag}: {ended:?}");
            assert!(ended.stderr.contains("--tls\n"), "{flag}: {ended:?}");
        }
    }
    for (flags, expected) in [
        ("--tls --tls-cert x".to_owned(), "--tls-key"),
        ("--tls --tls-key x".to_owned(), "--tls-cert"),
        ("--tls --tls-insecure --tls-ca x".to_owned(), "cannot be used with"),
        (format!("--tls --tls-ca {garbage}"), "garbage.pem contains no certificate in PEM"),
        (
            format!("--tls --tls-insecure --tls-cert {garbage} --tls-key {}", files.key.display()),
            "garbage.pem contains no certificate",
        ),
        (
            "--tls --tls-insecure --tls-server-name a_b..c".to_owned(),
            "`a_b..c` is neither a DNS name nor an IP address",
        ),
    ] {
        let ended = offline(&flags);
        assert_eq!(ended.code, Some(2), "{flags}: {ended:?}");
        assert!(ended.stderr.contains(expected), "{flags}: {ended:?}");
    }
    let ended = offline("--tls --tls-ca /nowhere");
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("/nowhere can't be read: No such file"), "{ended:?}");
    let ended = run(&mut client("unix:/nowhere", "--tls --tls-insecure"), "");
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(
        ended.stderr.contains("unix:/nowhere has no name that a certificate could be valid for"),
        "{ended:?}"
    );
}

/// OpenSSL's server, which returns each line reversed. Returns its address as well.
pub(crate) fn s_server(files: &Certificate, flags: &str) -> (Process, String) {
    let mut command = Command::new("openssl");
    command.args(["s_server", "-accept", "127.0.0.1:0", "-rev", "-cert"]).arg(&files.certificate);
    command.arg("-key").arg(&files.key).args(flags.split_whitespace());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = Process::start_as_is(&mut command);
    loop {
        if let Some(address) = process.line().strip_prefix("ACCEPT ") {
            return (process, address.trim_end().to_owned());
        }
    }
}

#[test]
fn openssl_is_understood() {
    if !has_openssl() {
        return;
    }
    let (authority, other) = (Authority::new("ours"), Authority::new("other"));
    let files = authority.issue("server", &["example.org", "127.0.0.1"]);
    let mine = authority.issue("client", &["me"]);
    for version in ["-tls1_3", "-tls1_2"] {
        let (_server, address) = s_server(&files, version);
        let ended = run(&mut client(&address, &trusting(&authority)), "hello\nworld\n");
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), "olleh\ndlrow\n"), "{version}: {ended:?}");
        fails(&address, &trusting(&other), &["is of an authority that is not trusted"]);
        let verifying =
            format!("{version} -Verify 1 -verify_return_error -CAfile {}", authority.file().display());
        let (_server, address) = s_server(&files, &verifying);
        fails(&address, &trusting(&authority), &["certificate", "--tls-cert and --tls-key"]);
        let flags = format!("{} {}", trusting(&authority), presenting(&mine));
        let ended = run(&mut client(&address, &flags), "hello\n");
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), "olleh\n"), "{version}: {ended:?}");
    }
    let (_server, address) = s_server(&files, "-tls1_1 -cipher ALL:@SECLEVEL=0");
    fails(&address, &trusting(&authority), &[]);
}
