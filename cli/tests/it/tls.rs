//! `serve --tls-cert`, met by the client of OpenSSL.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use rustix::process::Signal;

#[path = "../../../examples/testing/certificates.rs"]
pub(crate) mod certificates;

use self::certificates::{Authority, Certificate, Wanted};
use crate::admin::{scrape, start as start_with_admin};
use crate::process::{Ended, Process, anyloop, run};
use crate::server::{Server, backends, command};
use crate::tool::Tool;

/// Whether OpenSSL is installed.
pub(crate) fn has_openssl() -> bool {
    Tool { name: "openssl", package: "openssl" }.run(&["version"]).is_some()
}

/// The flags of a server with this certificate.
pub(crate) fn flags(files: &Certificate) -> String {
    format!("--tls-cert {} --tls-key {}", files.certificate.display(), files.key.display())
}

/// OpenSSL's client, which stays until the server ends, and fails if it doesn't trust the server. It never waits for ever.
fn s_client(server: &Server, authority: &Authority, flags: &str) -> Command {
    let mut client = Command::new("timeout");
    client.args(["30", "openssl", "s_client", "-brief", "-ign_eof", "-verify_return_error"]);
    client.args(["-connect", &server.address.to_string(), "-CAfile"]).arg(authority.file());
    client.args(flags.split_whitespace());
    client
}

/// Says `hello` and `exit` with OpenSSL's client.
fn talk(server: &Server, authority: &Authority, flags: &str) -> Ended {
    run(&mut s_client(server, authority, flags), "hello\nexit\n")
}

const ANSWERED: &str = "連接成功!\n第1條信息:hello\n";
const VERIFIED: &str = "-servername example.org -verify_hostname example.org";

#[track_caller]
fn assert_answered(ended: &Ended, told: &str) {
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ANSWERED), "{ended:?}");
    assert!(ended.stderr.contains(told), "{told}: {ended:?}");
}

#[test]
fn both_versions_are_served_on_every_backend() {
    if !has_openssl() {
        return;
    }
    let (authority, other) = (Authority::new("ours"), Authority::new("other"));
    let files = authority.issue("server", &["example.org"]);
    for backend in backends() {
        let server = Server::start(&format!("--backend {backend} {}", flags(&files)));
        for version in ["-tls1_3", "-tls1_2"] {
            let ended = talk(&server, &authority, &format!("{VERIFIED} {version}"));
            assert_answered(
                &ended,
                if version == "-tls1_3" { "version: TLSv1.3" } else { "version: TLSv1.2" },
            );
        }
        let refused = talk(&server, &authority, "-tls1_1 -cipher ALL:@SECLEVEL=0");
        assert_ne!(refused.code, Some(0), "{refused:?}");
        let strange = talk(&server, &other, VERIFIED);
        assert!(strange.code != Some(0) && strange.stdout.is_empty(), "{strange:?}");
        let misnamed = talk(&server, &authority, "-servername example.org -verify_hostname example.com");
        assert!(misnamed.stderr.contains("hostname mismatch") && misnamed.stdout.is_empty(), "{misnamed:?}");
        let ended = server.stop();
        let reasons = &ended.receipt["reasons"];
        assert_eq!((&reasons["exit"], &reasons["handshake_failed"]), (&2.into(), &3.into()), "{reasons}");
        assert_eq!(ended.code, Some(0), "{}", ended.log);
    }
}

#[test]
fn a_certificate_is_chosen_by_the_server_name() {
    if !has_openssl() {
        return;
    }
    let (authority, other) = (Authority::new("ours"), Authority::new("other"));
    authority.issue("one", &["one.example"]);
    authority.issue("wild", &["*.wild.example"]);
    let default = flags(&other.issue("default", &["default.example"]));
    let folder = format!("--tls-certs {}", authority.folder().display());
    for (flags, with_default) in [(folder.clone(), false), (format!("{folder} {default}"), true)] {
        let server = Server::start(&flags);
        for (name, verified) in [("one.example", "one.example"), ("www.wild.example", "www.wild.example")] {
            let ended = talk(&server, &authority, &format!("-servername {name} -verify_hostname {verified}"));
            assert_answered(
                &ended,
                &format!("Verification: OK\nVerified peername: {}", verified.replace("www", "*")),
            );
        }
        for name in ["-servername two.example", "-noservername"] {
            let ended = talk(&server, &other, &format!("{name} -verify_hostname default.example"));
            if with_default {
                assert_answered(&ended, "Verified peername: default.example");
            } else {
                assert!(ended.code != Some(0) && ended.stderr.contains("alert"), "{ended:?}");
            }
        }
    }
}

#[test]
fn clients_present_certificates_if_an_authority_is_given() {
    if !has_openssl() {
        return;
    }
    let (authority, other) = (Authority::new("ours"), Authority::new("other"));
    let server = flags(&authority.issue("server", &["example.org"]));
    let server = Server::start(&format!("{server} --tls-client-ca {}", authority.file().display()));
    let presenting = |files: &Certificate, version: &str| {
        let (certificate, key) = (files.certificate.display(), files.key.display());
        talk(&server, &authority, &format!("{VERIFIED} {version} -cert {certificate} -key {key}"))
    };
    let client = authority.issue("client", &["client.example"]);
    let expired = Wanted { is_expired: true, ..Wanted::default() };
    let expired = authority.issue_as("expired", &["client.example"], expired);
    let strange = other.issue("client", &["client.example"]);
    for version in ["-tls1_3", "-tls1_2"] {
        assert_answered(&presenting(&client, version), "Verification: OK");
        let without = talk(&server, &authority, &format!("{VERIFIED} {version}"));
        for refused in [without, presenting(&expired, version), presenting(&strange, version)] {
            assert!(refused.stdout.is_empty() && refused.stderr.contains("alert"), "{refused:?}");
        }
    }
    let ended = server.stop();
    assert_eq!(ended.receipt["reasons"]["handshake_failed"], 6, "{}", ended.receipt);
}

#[test]
fn protocols_are_negotiated_and_early_data_is_not_taken() {
    if !has_openssl() {
        return;
    }
    let authority = Authority::new("ours");
    let server =
        Server::start(&format!("{} --tls-alpn two,one", flags(&authority.issue("server", &["example.org"]))));
    let session = authority.folder().join("session");
    let early = authority.folder().join("early");
    fs::write(&early, "early\n").unwrap();
    // Without `-brief` it also prints what was agreed upon.
    let talk = |flags: &str| {
        let mut client = Command::new("timeout");
        client.args([
            "30",
            "openssl",
            "s_client",
            "-ign_eof",
            "-connect",
            &server.address.to_string(),
            "-CAfile",
        ]);
        run(client.arg(authority.file()).args(flags.split_whitespace()), "hello\nexit\n").stdout
    };
    for (offered, expected) in [("one,two", "ALPN protocol: two"), ("one", "ALPN protocol: one")] {
        let said = talk(&format!("-alpn {offered}"));
        assert!(said.contains(expected) && said.contains("第1條信息:hello"), "{said}");
    }
    let said = talk("-groups P-521:X25519");
    assert!(
        said.contains("Server Temp Key: X25519") && said.contains("第1條信息:hello"),
        "a second hello: {said}"
    );
    let said = talk("-alpn three");
    assert!(!said.contains("連接成功") && said.contains("No ALPN negotiated"), "{said}");
    let said = talk(&format!("-sess_out {}", session.display()));
    assert!(said.contains("New, TLSv1.3"), "{said}");
    let said = talk(&format!("-sess_in {} -early_data {}", session.display(), early.display()));
    assert!(said.contains("Reused, TLSv1.3") && said.contains("Early data was not sent"), "{said}");
    assert!(said.contains("第1條信息:hello"), "{said}");
}

#[test]
fn a_hangup_reloads_certificates_and_leaves_connections_alone() {
    if !has_openssl() {
        return;
    }
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    for backend in backends() {
        let files = old.issue("server", &["example.org"]);
        let (mut server, admin) = start_with_admin(&format!("--backend {backend} {}", flags(&files)));
        // On a backend that serves one client at a time, the others wait until this one has left.
        let mut stays = (backend != "sequential").then(|| {
            let mut client = Process::start(&mut s_client(&server, &old, VERIFIED));
            client.say("hello\n");
            assert_eq!(client.line() + &client.line(), ANSWERED);
            client
        });
        let renewed = new.issue("server", &["example.org"]);
        fs::copy(&renewed.certificate, &files.certificate).unwrap();
        server.process.signal(Signal::HUP);
        let line =
            server.process.wait_for_log("the certificates can't be reloaded, so those in use are kept");
        assert!(line.contains("failed_reloads=1") && line.contains("is not the key of the first"), "{line}");
        assert_answered(&talk(&server, &old, VERIFIED), "Verification: OK");

        fs::copy(&renewed.key, &files.key).unwrap();
        server.process.signal(Signal::HUP);
        let line = server.process.wait_for_log("the certificates were reloaded");
        assert!(line.contains("certificates=1 reloads=1"), "{line}");
        let reloads = |result| scrape(admin).value("anyloop_tls_reloads_total", &[("result", result)]);
        assert_eq!((reloads("done"), reloads("failed")), (1.0, 1.0));
        assert_answered(&talk(&server, &new, VERIFIED), "Verification: OK");
        assert_ne!(talk(&server, &old, VERIFIED).code, Some(0));
        if let Some(client) = &mut stays {
            client.say("again\nexit\n");
            assert_eq!(client.line(), "第2條信息:again\n");
        }
        if let Some(client) = stays {
            assert_eq!(client.end().code, Some(0));
        }
        let ended = server.stop();
        assert_eq!((ended.code, &ended.receipt["drained"]), (Some(0), &0.into()), "{backend}: {}", ended.log);
    }
}

#[test]
fn faults_of_certificates_are_found_before_it_listens() {
    let authority = Authority::new("ours");
    let [files, other] = ["server", "other"].map(|name| authority.issue(name, &["example.org"]));
    let (certificate, key) = (files.certificate.display(), files.key.display());
    let empty = authority.folder().join("empty");
    fs::write(&empty, "").unwrap();
    let empty = empty.display();
    let nonsense = authority.folder().join("nonsense.key");
    fs::write(&nonsense, "-----BEGIN PRIVATE KEY-----\nbm9uc2Vuc2U=\n-----END PRIVATE KEY-----\n").unwrap();
    fs::set_permissions(&nonsense, PermissionsExt::from_mode(0o600)).unwrap();
    let nonsense = nonsense.display();
    for (flags, code, expected) in [
        (format!("--tls-cert {certificate}"), 2, "is of no use without its private key; add --tls-key"),
        (format!("--tls-key {key}"), 2, "is of no use without its certificate; add --tls-cert"),
        (
            "--tls-client-ca x".to_owned(),
            2,
            "--tls-client-ca is for servers with a certificate; add --tls-cert and",
        ),
        (
            "--tls-alpn x".to_owned(),
            2,
            "--tls-alpn is for servers with a certificate; add --tls-cert and --tls-key",
        ),
        (
            format!("--tls-cert {certificate} --tls-key {}", other.key.display()),
            2,
            "other.key is not the key of",
        ),
        (
            format!("--tls-cert {certificate} --tls-key {certificate}"),
            2,
            "server.crt contains no private key",
        ),
        (format!("--tls-cert {certificate} --tls-key {nonsense}"), 2, "nonsense.key"),
        (format!("--tls-cert {key} --tls-key {key}"), 2, "server.key contains no certificate in PEM"),
        (format!("--tls-cert {empty} --tls-key {key}"), 2, "empty is empty"),
        (format!("--tls-cert /nowhere --tls-key {key}"), 1, "/nowhere can't be read: No such file"),
        ("--tls-certs /nowhere".to_owned(), 1, "/nowhere can't be read: No such file"),
        (format!("--tls-cert {certificate} --tls-key {key} --tls-client-ca {empty}"), 2, "empty is empty"),
        (format!("--tls-cert {certificate} --tls-key {key} --tls-alpn ,"), 2, "1 to 255 bytes"),
    ] {
        let ended = run(&mut command(&flags), "");
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(code), ""), "{flags}: {ended:?}");
        assert!(ended.stderr.contains(expected) && ended.stderr.lines().count() == 1, "{flags}: {ended:?}");
    }
    fs::set_permissions(&files.key, PermissionsExt::from_mode(0o644)).unwrap();
    let ended = run(&mut command(&format!("--tls-cert {certificate} --tls-key {key}")), "");
    assert!(
        ended.code == Some(2) && ended.stderr.contains("server.key is a private key with permissions 644")
    );
}

#[test]
fn an_expired_certificate_is_a_warning_with_its_date() {
    if !has_openssl() {
        return;
    }
    let authority = Authority::new("ours");
    let files =
        authority.issue_as("server", &["example.org"], Wanted { is_expired: true, ..Wanted::default() });
    let mut server = Server::start(&flags(&files));
    let line =
        server.process.wait_for_log("the certificate of CN=server has expired on 2021-01-01T00:00:00Z");
    assert!(line.contains("WARN"), "{line}");
    let refused = talk(&server, &authority, VERIFIED);
    assert!(refused.code != Some(0) && refused.stderr.contains("certificate has expired"), "{refused:?}");
}

#[test]
fn the_configuration_has_the_files_and_the_memory_of_tls() {
    let authority = Authority::new("ours");
    let files = authority.issue("server", &["example.org"]);
    let memory = |flags: &str| -> (usize, String) {
        let mut command = anyloop(&["serve", "--show-config"]);
        let shown = run(command.args(flags.split_whitespace()), "").stdout;
        let bytes = shown.lines().find_map(|line| line.strip_prefix("# memory-per-client = ")).unwrap();
        (bytes.parse().unwrap(), shown)
    };
    let (plain, _) = memory("");
    let (transformed, shown) = memory(&format!("{} --tls-alpn one,two", flags(&files)));
    assert!(transformed > plain + 64 * 1024, "{plain} and {transformed}");
    let certificate = format!("tls-cert = \"{}\" # --tls-cert", files.certificate.display());
    for line in [certificate.as_str(), "tls-alpn = [\"one\", \"two\"] # --tls-alpn"] {
        assert!(shown.lines().any(|shown| shown == line), "{line} in {shown}");
    }
}

#[test]
fn a_failed_handshake_is_logged_with_its_reason() {
    let authority = Authority::new("ours");
    let mut server =
        Server::start(&format!("{} --log-level debug", flags(&authority.issue("server", &["example.org"]))));
    let mut client = server.connect();
    client.say("GET / HTTP/1.1\r\n\r\n");
    client.hear_all();
    let line = server.process.wait_for_log("TLS failed");
    assert!(line.contains("the client does not speak TLS") && line.contains("client=127.0.0.1:"), "{line}");
    assert!(server.process.wait_for_log("ended").contains("reason=handshake_failed"));
}
