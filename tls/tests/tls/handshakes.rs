//! Handshakes: which certificate is chosen and trusted, what is negotiated, and what is resumed.

use anyloop_tls::{AcceptorSettings, ConnectorSettings, Trust};
use common::{Blocking, TlsInfo};

use crate::certificates::{Authority, Wanted};
use crate::pair::{Pair, acceptor, connector, served, trusting};

/// The failures of the client and of the server.
type Failures = (Option<String>, Option<String>);

fn shake(server: AcceptorSettings, client: &ConnectorSettings, name: &str) -> Result<TlsInfo, Failures> {
    Pair::new(&acceptor(server), &connector(client), name).shake()
}

#[test]
fn a_server_proves_who_it_is() {
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    let files = ours.issue("server", &["example.org", "127.0.0.1"]);
    let expired =
        ours.issue_as("expired", &["example.org"], Wanted { is_expired: true, ..Wanted::default() });
    let rsa = ours.issue_as("rsa", &["example.org"], Wanted { is_rsa: true, ..Wanted::default() });
    for version in [ConnectorSettings::default(), ConnectorSettings::default().with_only_tls12()] {
        let trusting =
            |authority: &Authority| version.clone().with_trust(Trust::Authorities(authority.file()));
        let shake = |files, trust: &ConnectorSettings, name| shake(served(files), trust, name);
        let info = shake(&files, &trusting(&ours), "example.org").expect("a handshake");
        assert_eq!(
            (info.server_name.as_deref(), info.alpn.clone(), info.certificate.clone()),
            (Some("example.org"), None, None)
        );
        let is_1_2 = version.only_tls12;
        assert_eq!(info.version, Some(if is_1_2 { "TLSv1.2" } else { "TLSv1.3" }));
        assert_eq!(info.cipher_suite.is_some_and(|suite| suite.starts_with("TLS13_")), !is_1_2);
        assert_eq!(shake(&files, &trusting(&ours), "127.0.0.1").expect("a handshake").server_name, None);
        shake(&rsa, &trusting(&ours), "example.org").expect("a handshake");
        for (files, trust, name, client, server) in [
            (&files, &other, "example.org", "is of an authority that is not trusted", "UnknownCA"),
            (
                &files,
                &ours,
                "example.com",
                "is valid for example.org and 127.0.0.1, and not for example.com",
                "BadCertificate",
            ),
            (&expired, &ours, "example.org", "has expired on 2021-01-01T00:00:00Z", "CertificateExpired"),
        ] {
            let (at_client, at_server) = shake(files, &trusting(trust), name).expect_err("no handshake");
            let (at_client, at_server) = (at_client.expect("a reason"), at_server.expect("a reason"));
            assert!(at_client.contains(client), "{at_client}");
            assert!(at_server.contains(server), "{at_server}");
            shake(files, &version.clone().with_trust(Trust::Anybody), name).expect("whoever it is");
        }
    }
}

#[test]
fn a_client_without_a_certificate_of_the_authority_is_refused() {
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    let files = ours.issue("server", &["example.org"]);
    let [valid, expired, strange] = [
        ours.issue("client", &["client.example"]),
        ours.issue_as("expired", &["client.example"], Wanted { is_expired: true, ..Wanted::default() }),
        other.issue("strange", &["client.example"]),
    ];
    for version in [trusting(&ours), trusting(&ours).with_only_tls12()] {
        let shake = |client: ConnectorSettings| {
            shake(served(&files).with_client_authorities(ours.file()), &client, "example.org")
        };
        let presenting = |files: &crate::certificates::Certificate| {
            version.clone().with_certificate(&files.certificate, &files.key)
        };
        let info = shake(presenting(&valid)).expect("a handshake");
        let certificate = info.certificate.expect("the client's certificate");
        assert!(certificate.windows(14).any(|window| window == b"client.example"));
        for (client, expected) in [
            (version.clone(), "no certificates"),
            (presenting(&expired), "expired"),
            (presenting(&strange), "UnknownIssuer"),
        ] {
            let failure = shake(client).expect_err("no handshake").1.expect("a reason");
            assert!(failure.contains(expected), "{failure}");
        }
    }
}

#[test]
fn the_certificate_is_chosen_by_the_server_name() {
    let authority = Authority::new("ours");
    authority.issue("one", &["one.example", "Uno.example"]);
    authority.issue("wild", &["*.wild.example"]);
    authority.issue("exact", &["exact.wild.example"]);
    let folder = AcceptorSettings::default().with_folder(authority.folder());
    let other = Authority::new("other");
    let default = other.issue("default", &["default.example"]);
    let with_default = folder.clone().with_certificate(&default.certificate, &default.key);
    for name in ["one.example", "uno.example", "a.wild.example", "exact.wild.example"] {
        shake(folder.clone(), &trusting(&authority), name).expect(name);
        shake(with_default.clone(), &trusting(&authority), name).expect(name);
    }
    for name in ["two.example", "a.b.wild.example", "wild.example", "127.0.0.1"] {
        let client = trusting(&authority).with_trust(Trust::Anybody);
        let failure = shake(folder.clone(), &client, name).expect_err(name).1.expect("a reason");
        assert!(failure.contains("no server certificate"), "{failure}");
        shake(with_default.clone(), &client, name).expect(name);
    }
    shake(with_default.clone(), &trusting(&other), "default.example").expect("the default");
    assert_eq!(acceptor(with_default).certificate_count(), 4);
}

#[test]
fn a_name_may_have_a_certificate_for_each_algorithm() {
    let authority = Authority::new("ours");
    authority.issue_as("rsa", &["example.org"], Wanted { is_rsa: true, ..Wanted::default() });
    let size = |settings: AcceptorSettings| {
        Pair::new(&acceptor(settings), &connector(&trusting(&authority)), "example.org").exchange()
    };
    let of_rsa = size(AcceptorSettings::default().with_folder(authority.folder()));
    authority.issue("small", &["example.org"]);
    let of_both = size(AcceptorSettings::default().with_folder(authority.folder()));
    assert!(of_both < of_rsa, "P-256 is preferred: {of_both} and {of_rsa} bytes");
}

#[test]
fn application_protocols_are_negotiated() {
    let authority = Authority::new("ours");
    let files = authority.issue("server", &["example.org"]);
    let server = served(&files).with_alpn(["two", "one"]);
    let client = |names: &[&str]| trusting(&authority).with_alpn(names.iter().copied());
    let negotiated =
        |names: &[&str]| shake(server.clone(), &client(names), "example.org").map(|info| info.alpn);
    assert_eq!(negotiated(&["one", "two"]), Ok(Some(b"two".to_vec())), "the server's order counts");
    assert_eq!(negotiated(&["one"]), Ok(Some(b"one".to_vec())));
    assert_eq!(negotiated(&[]), Ok(None), "it is optional");
    let failures = negotiated(&["three"]).expect_err("nothing in common");
    assert!(failures.0.expect("a reason").contains("NoApplicationProtocol"));
}

#[test]
fn sessions_are_resumed_unless_clients_present_certificates() {
    let authority = Authority::new("ours");
    let files = authority.issue("server", &["example.org"]);
    let client = authority.issue("client", &["client.example"]);
    for version in [trusting(&authority), trusting(&authority).with_only_tls12()] {
        for (server, full, resumes) in [
            (served(&files), false, true),
            (served(&files), true, false),
            (served(&files).with_client_authorities(authority.file()), false, false),
        ] {
            let settings = version.clone().with_certificate(&client.certificate, &client.key);
            let settings = if full { settings.with_full_handshakes() } else { settings };
            let (acceptor, connector) = (acceptor(server), connector(&settings));
            let is_resumed = || {
                let mut pair = Pair::new(&acceptor, &connector, "example.org");
                pair.shake().expect("a handshake").is_resumed
            };
            assert!(!is_resumed(), "there is nothing to resume");
            acceptor.reload().expect("valid files");
            assert_eq!(is_resumed(), resumes);
        }
    }
}

#[test]
fn a_handshake_may_block_until_the_server_has_signed() {
    let authority = Authority::new("ours");
    let files = authority.issue("server", &["example.org"]);
    let verifying = served(&files).with_client_authorities(authority.file());
    for (server, second) in [(served(&files), Blocking::Never), (verifying, Blocking::MayBlock)] {
        for client in [trusting(&authority), trusting(&authority).with_only_tls12()] {
            let client = client.with_certificate(&files.certificate, &files.key);
            let mut pair = Pair::new(&acceptor(server.clone()), &connector(&client), "example.org");
            assert_eq!(pair.server.transform.blocking(), Blocking::MayBlock, "it is to sign");
            assert_eq!(pair.client.transform.blocking(), Blocking::Never);
            let hello = std::mem::take(&mut pair.client.sent);
            pair.server.receive(&hello[..10]);
            assert_eq!(pair.server.transform.blocking(), Blocking::MayBlock);
            pair.server.receive(&hello[10..]);
            assert!(pair.server.transform.is_handshaking());
            assert_eq!(pair.server.transform.blocking(), second, "it has signed");
            pair.exchange();
            assert_eq!(pair.server.transform.blocking(), Blocking::Never);
        }
    }
}
