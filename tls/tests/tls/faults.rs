//! Files that can't be used: each fault has a message that names the file.

use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyloop_tls::{Acceptor, AcceptorSettings, Connector, ConnectorSettings, Trust};

use crate::certificates::{Authority, Wanted, write_key};
use crate::pair::{served, trusting};

/// Checks that these settings are refused with this message.
#[track_caller]
fn refused(settings: AcceptorSettings, kind: ErrorKind, expected: &str) {
    let error = Acceptor::new(settings).expect_err(expected);
    assert!(error.to_string().contains(expected), "{error}");
    assert_eq!(error.kind(), kind, "{error}");
    assert_eq!(error.to_string().lines().count(), 1);
}

#[track_caller]
fn invalid(settings: AcceptorSettings, expected: &str) {
    refused(settings, ErrorKind::InvalidInput, expected);
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("permissions");
}

#[test]
fn a_certificate_that_is_none_is_refused() {
    let authority = Authority::new("ours");
    let files = authority.issue("server", &["example.org"]);
    let pem = fs::read_to_string(&files.certificate).expect("a file");
    for (content, expected) in [
        ("", "server.crt is empty"),
        (
            "hello\n",
            "server.crt contains no certificate in PEM, which begins with `-----BEGIN CERTIFICATE-----`",
        ),
        (&fs::read_to_string(&files.key).expect("a file"), "server.crt contains no certificate"),
        (&pem[..pem.len() / 2], "server.crt is cut off: a PEM section has no end"),
        (&pem.replacen("MII", "M?I", 1), "server.crt contains broken PEM"),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "server.crt contains a broken certificate",
        ),
    ] {
        fs::write(&files.certificate, content).expect("a file");
        invalid(served(&files), expected);
        let authorities = AcceptorSettings::default().with_client_authorities(&files.certificate);
        let files = authority.issue("valid", &["example.org"]);
        invalid(authorities.with_certificate(files.certificate, files.key), expected);
    }
    fs::write(&files.certificate, vec![b' '; 4 * 1024 * 1024 + 1]).expect("a file");
    invalid(served(&files), "server.crt is longer than 4194304 bytes");
    fs::remove_file(&files.certificate).expect("it exists");
    refused(served(&files), ErrorKind::NotFound, "server.crt can't be read: No such file");
}

#[test]
fn a_key_that_is_none_or_of_another_certificate_is_refused() {
    let authority = Authority::new("ours");
    let files = authority.issue("server", &["example.org"]);
    let certificate = fs::read_to_string(&files.certificate).expect("a file");
    let other = authority.issue_as("other", &["example.org"], Wanted { is_rsa: true, ..Wanted::default() });
    for (content, expected) in [
        ("", "server.key is empty"),
        (certificate.as_str(), "server.key contains no private key in PEM"),
        (
            &fs::read_to_string(&other.key).expect("a file"),
            "server.key is not the key of the first certificate in",
        ),
        (
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
            "an encrypted key",
        ),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "a key that can't be used"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n", "server.key is cut off"),
    ] {
        write_key(&files.key, content);
        invalid(served(&files), expected);
        let client = trusting(&authority).with_certificate(&files.certificate, &files.key);
        let error = Connector::new(&client).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}");
    }
    fs::remove_file(&files.key).expect("it exists");
    refused(served(&files), ErrorKind::NotFound, "server.key can't be read: No such file");
    // The authority's certificate stands before the one of the key.
    let files = authority.issue("server", &["example.org"]);
    let chain = fs::read_to_string(authority.file()).expect("a file") + &certificate;
    fs::write(&files.certificate, chain).expect("a file");
    invalid(served(&files), "and not the one of its authority");
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    let authority = Authority::new("ours");
    let files = authority.issue("server", &["example.org"]);
    let is_root = std::os::unix::fs::MetadataExt::uid(&fs::metadata(&files.key).expect("a file")) == 0;
    for (mode, is_valid) in [(0o400, true), (0o600, true), (0o640, is_root), (0o660, false), (0o604, false)] {
        set_mode(&files.key, mode);
        if is_valid {
            Acceptor::new(served(&files)).expect("only its owner can read it");
        } else {
            invalid(served(&files), &format!("server.key is a private key with permissions {mode:o}"));
        }
    }
    // Both in one file.
    set_mode(&files.key, 0o600);
    let both = fs::read_to_string(&files.certificate).expect("a file")
        + &fs::read_to_string(&files.key).expect("a file");
    let path = authority.folder().join("both.pem");
    write_key(&path, &both);
    Acceptor::new(AcceptorSettings::default().with_certificate(&path, &path))
        .expect("a certificate and its key");
}

#[test]
fn a_folder_that_is_incomplete_or_ambiguous_is_refused() {
    let folder = || {
        let authority = Authority::new("ours");
        let settings = AcceptorSettings::default().with_folder(authority.folder());
        (authority, settings)
    };
    let (authority, settings) = folder();
    invalid(settings.clone(), "contains no certificates, which are named NAME.crt with their keys NAME.key");
    let one = authority.issue("one", &["example.org"]);
    fs::write(authority.folder().join(".hidden.crt"), "").expect("a file");
    fs::write(authority.folder().join("README"), "").expect("a file");
    Acceptor::new(settings.clone()).expect("other files are ignored");
    authority.issue("two", &["two.example", "Example.org"]);
    invalid(settings.clone(), "two.crt is valid for example.org, and so is");
    authority.issue("two", &[]);
    invalid(settings.clone(), "two.crt is valid for no DNS name");
    authority.issue("two", &["two.example"]);
    fs::remove_file(&one.key).expect("it exists");
    invalid(settings, "one.crt has no key: ");
    let (authority, settings) = folder();
    fs::remove_file(authority.issue("one", &["example.org"]).certificate).expect("it exists");
    invalid(settings, "one.key has no certificate: ");
    refused(
        AcceptorSettings::default().with_folder("/nowhere"),
        ErrorKind::NotFound,
        "/nowhere can't be read",
    );
}

#[test]
fn settings_that_are_wrong_are_refused() {
    invalid(AcceptorSettings::default(), "TLS needs a certificate and its key, or a folder");
    let authority = Authority::new("ours");
    let files = authority.issue("server", &["example.org"]);
    for name in ["".to_owned(), "x".repeat(256)] {
        let expected = format!("1 to 255 bytes, and not {}", name.len());
        invalid(served(&files).with_alpn([name.as_str()]), &expected);
        let error =
            Connector::new(&trusting(&authority).with_alpn([name.as_str()])).expect_err("an invalid name");
        assert!(error.to_string().contains(&expected), "{error}");
    }
    let anybody = ConnectorSettings::default().with_trust(Trust::Anybody);
    let connector = Connector::new(&anybody).expect("valid settings");
    for name in ["", "a b", "-", "[::1]"] {
        let error = connector.transform(name).err().expect("no name").to_string();
        assert!(error.contains("is neither a DNS name nor an IP address"), "{error}");
    }
    let missing = ConnectorSettings::default().with_trust(Trust::Authorities("/nowhere".into()));
    assert!(Connector::new(&missing).expect_err("no file").to_string().contains("/nowhere can't be read"));
}
