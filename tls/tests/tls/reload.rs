//! Reloading the files of a server.

use std::fs;

use crate::certificates::{Authority, Wanted};
use crate::pair::{Pair, acceptor, connector, served, trusting};

#[test]
fn a_reload_is_for_new_connections_and_a_bad_file_changes_nothing() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let files = old.issue("server", &["example.org"]);
    let acceptor = acceptor(served(&files));
    let connectors = [&old, &new].map(|authority| connector(&trusting(authority)));
    let mut pair = Pair::new(&acceptor, &connectors[0], "example.org");
    pair.shake().expect("a handshake");

    let [old_certificate, old_key] =
        [&files.certificate, &files.key].map(|path| fs::read(path).expect("a file"));
    let renewed = new.issue("server", &["example.org"]);
    fs::copy(&renewed.certificate, &files.certificate).expect("a copy");
    let error = acceptor.reload().expect_err("the key is still the old one").to_string();
    assert!(error.contains("server.key is not the key of the first certificate in"), "{error}");
    assert_eq!((acceptor.reloads(), acceptor.failed_reloads()), (0, 1));
    Pair::new(&acceptor, &connectors[0], "example.org").shake().expect("what was loaded before");

    fs::copy(&renewed.key, &files.key).expect("a copy");
    acceptor.reload().expect("valid files");
    assert_eq!((acceptor.reloads(), acceptor.failed_reloads()), (1, 1));
    Pair::new(&acceptor, &connectors[1], "example.org").shake().expect("the new certificate");
    Pair::new(&acceptor, &connector(&trusting(&old)), "example.org").shake().expect_err("it is the new one");
    pair.shake().expect("the connection has stayed");

    fs::write(&files.certificate, old_certificate).expect("a file");
    fs::write(&files.key, old_key).expect("a file");
    acceptor.reload().expect("valid files");
    Pair::new(&acceptor, &connectors[0], "example.org").shake().expect("the old one again");
}

#[test]
fn certificates_of_a_folder_come_and_go() {
    let authority = Authority::new("ours");
    authority.issue("one", &["one.example"]);
    let acceptor = acceptor(anyloop_tls::AcceptorSettings::default().with_folder(authority.folder()));
    let connector = connector(&trusting(&authority));
    let shake = |name| Pair::new(&acceptor, &connector, name).shake();
    shake("two.example").expect_err("there is no such certificate");
    let one = authority.issue("two", &["two.example"]);
    acceptor.reload().expect("valid files");
    shake("two.example").expect("it has come");
    fs::remove_file(one.certificate).expect("it exists");
    let error = acceptor.reload().expect_err("a key is left over").to_string();
    assert!(error.contains("two.key has no certificate"), "{error}");
    fs::remove_file(one.key).expect("it exists");
    acceptor.reload().expect("valid files");
    shake("two.example").expect_err("it is gone");
    assert_eq!(acceptor.certificate_count(), 1);
}

#[test]
fn warnings_are_those_of_the_last_certificates() {
    let authority = Authority::new("ours");
    let expired = Wanted { is_expired: true, ..Wanted::default() };
    let files = authority.issue_as("server", &["example.org"], expired);
    let acceptor = acceptor(served(&files));
    let warnings = acceptor.warnings();
    let expected = "server.crt: the certificate of CN=server has expired on 2021-01-01T00:00:00Z; clients will refuse it";
    assert!(matches!(&warnings[..], [warning] if warning.ends_with(expected)), "{warnings:?}");
    authority.issue("server", &["example.org"]);
    acceptor.reload().expect("valid files");
    assert!(acceptor.warnings().is_empty());
}
