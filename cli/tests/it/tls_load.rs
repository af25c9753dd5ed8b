//! `load --tls`: on every backend, in every framing, with each kind of client, and each fault.

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;

use fault_proxy::{Proxy, Settings};
use serde_json::Value;

use crate::history::History;
use crate::process::{Ended, Process, anyloop, run};
use crate::server::{Server, backends};
use crate::tls::certificates::Authority;
use crate::tls::{flags, has_openssl};
use crate::tls_client::{certified, presenting, s_server, trusting};

/// Runs `load` for a moment, with these flags, parted by spaces, and the measurement as JSON.
fn load(address: &str, flags: &str) -> Ended {
    let mut arguments = vec!["load", address, "--format", "json"];
    arguments.extend(flags.split_whitespace());
    let mut command = anyloop(&arguments);
    for (name, value) in [("CONNECTIONS", "4"), ("DURATION", "100ms"), ("WARMUP", "50ms")] {
        command.env(format!("ANYLOOP_LOAD_{name}"), value);
    }
    run(&mut command, "")
}

/// Runs a load that has to succeed, and returns the measurement.
#[track_caller]
fn loads(server: &Server, flags: &str) -> Value {
    let ended = load(&server.address.to_string(), flags);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{flags}: {ended:?}");
    serde_json::from_str(&ended.stdout).unwrap()
}

/// The number at this place of a measurement.
fn count(measurement: &Value, pointer: &str) -> u64 {
    measurement
        .pointer(pointer)
        .and_then(Value::as_u64)
        .unwrap_or_else(|| panic!("{pointer}: {measurement:#}"))
}

#[test]
fn replies_are_verified_on_every_backend() {
    let (authority, flags) = certified();
    for backend in backends() {
        let server = Server::start(&format!("--backend {backend} {flags}"));
        let connections = if backend == "sequential" { 1 } else { 16 };
        for depth in [1, 16] {
            let flags = format!(
                "{} -c {connections} --depth {depth} --message-size uniform:20-5000",
                trusting(&authority)
            );
            let measurement = loads(&server, &flags);
            assert_eq!(measurement["tls"]["version"], "TLSv1.3", "{backend}");
            assert!(
                measurement["tls"]["cipher_suite"].as_str().unwrap().starts_with("TLS13_"),
                "{measurement:#}"
            );
            assert_eq!(count(&measurement, "/tls/full") + count(&measurement, "/tls/resumed"), connections);
            assert!(measurement["load"].as_str().unwrap().ends_with(", TLS"), "{}", measurement["load"]);
            assert!(count(&measurement, "/verification/replies") > 0);
        }
        let receipt = server.stop().receipt;
        assert_eq!(receipt["failed"], 0, "{backend}: {receipt}");
    }
}

#[test]
fn all_kinds_of_messages_and_clients_speak_tls() {
    let (authority, flags) = certified();
    let trusting = trusting(&authority);
    let server = Server::start(&format!("--backend epoll --handler echo --framing length {flags}"));
    loads(&server, &format!("{trusting} --framing length --depth 4 --message-size uniform:2-60000"));
    loads(&server, &format!("{trusting} --framing length --rate 2000"));
    server.stop();
    let server = Server::start(&format!("--backend tokio --handler fanout {flags}"));
    let measurement = loads(&server, &format!("{trusting} -c 2 --subscribe 3"));
    assert!(count(&measurement, "/pushes/delivered") > 0);
    assert_eq!(count(&measurement, "/pushes/missed"), 0);
    assert_eq!(count(&measurement, "/tls/full") + count(&measurement, "/tls/resumed"), 5);
    server.stop();
    // They speak TLS too, so no handshake fails.
    let server = Server::start(&format!("--backend uring --handler echo {flags}"));
    loads(&server, &format!("{trusting} -d 1s --idle 3 --slow-readers 2 --slow-writers 2"));
    let receipt = server.stop().receipt;
    for reason in ["handshake_failed", "handshake_timeout"] {
        assert!(receipt["reasons"].get(reason).is_none(), "{receipt}");
    }
    assert_eq!(receipt["accepted"], 12, "four and a probe beside seven hostile clients: {receipt}");
}

#[test]
fn sessions_are_resumed_unless_full_handshakes_are_wanted() {
    let (authority, flags) = certified();
    let trusting = trusting(&authority);
    for backend in ["epoll", "smol"] {
        let server = Server::start(&format!("--backend {backend} --handler echo {flags}"));
        let churn = format!("{trusting} -c 2 --messages-per-connection 1 -d 1s");
        let resumed = loads(&server, &churn);
        assert!(count(&resumed, "/tls/resumed") > 0 && count(&resumed, "/tls/full") <= 2, "{resumed:#}");
        assert!(count(&resumed, "/connect/count") > 0, "{resumed:#}");
        let full = loads(&server, &format!("{churn} --tls-full-handshake"));
        assert_eq!(count(&full, "/tls/resumed"), 0);
        assert!(count(&full, "/tls/full") > 2, "{full:#}");
        assert!(full["load"].as_str().unwrap().ends_with(", TLS with full handshakes"), "{}", full["load"]);
        let receipt = server.stop().receipt;
        assert_eq!(receipt["failed"], 0, "{receipt}");
    }
}

#[test]
fn a_disturbed_network_breaks_no_history() {
    let (authority, flags) = certified();
    let server = Server::start(&format!("--backend smol --handler echo {flags}"));
    let settings = Settings { seed: 1, ..Settings::default() };
    let proxy = Proxy::start(TcpListener::bind("127.0.0.1:0").unwrap(), server.address, settings).unwrap();
    let history = History::new("tls-proxy");
    let flags = format!(
        "{} -c 16 --depth 8 -d 2s --message-size uniform:20-2000 --expect echo --reconnect",
        trusting(&authority)
    );
    let loaded = Process::start(&mut history.load(&proxy.address().to_string(), &flags)).end();
    assert!(matches!(loaded.code, Some(0 | 1)), "{loaded:?}");
    assert!(loaded.stdout.contains("connections were re-established"), "{loaded:?}");
    let (code, verdict) = history.verdict("");
    assert_eq!(code, Some(0), "{verdict:#}");
    drop(proxy);
    server.stop();
}

/// Checks that a load fails before it measures anything, and says this.
#[track_caller]
fn fails(address: &str, flags: &str, expected: &str) {
    for more in ["", "--handler counter"] {
        let ended = load(address, &format!("{flags} {more}"));
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{ended:?}");
        assert!(ended.stderr.starts_with(&format!("error: can't connect to {address}: ")), "{ended:?}");
        assert!(ended.stderr.contains(expected), "{expected}: {ended:?}");
    }
}

#[test]
fn a_server_that_can_not_be_trusted_is_refused() {
    let (authority, flags) = certified();
    let server = Server::start(&flags);
    let address = server.address.to_string();
    fails(
        &address,
        &trusting(&Authority::new("other")),
        "is of an authority that is not trusted; name the file",
    );
    let wrong = format!("{} --tls-server-name example.com", trusting(&authority));
    fails(&address, &wrong, "and not for example.com; connect to a name");
    let insecure = load(&address, "--tls --tls-insecure");
    assert_eq!(insecure.code, Some(0), "{insecure:?}");
    assert!(insecure.stderr.starts_with("warning: --tls-insecure: "), "{insecure:?}");
    server.stop();
    let server = Server::start("");
    fails(
        &server.address.to_string(),
        &trusting(&authority),
        "the server does not speak TLS; leave out --tls",
    );
}

#[test]
fn connections_that_lack_a_certificate_are_not_counted_as_made() {
    let (authority, flags) = certified();
    let mine = authority.issue("client", &["me"]);
    let server = Server::start(&format!("{flags} --tls-client-ca {}", authority.file().display()));
    let (address, trusting) = (server.address.to_string(), trusting(&authority));
    let expected = "the server requires a certificate of its clients (alert CertificateRequired); give one by --tls-cert";
    let asking = load(&address, &trusting);
    assert_eq!((asking.code, asking.stdout.as_str()), (Some(1), ""), "{asking:?}");
    assert!(asking.stderr.contains(expected), "{asking:?}");
    // The clients complete the handshake of TLS 1.3 before they are refused.
    let ended = load(&address, &format!("{trusting} --handler counter -d 30s"));
    let measurement: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(ended.code, Some(1), "{measurement:#}");
    let counts = ["/connections", "/failures/connect", "/failures/ended"].map(|at| count(&measurement, at));
    assert_eq!(counts, [0, 4, 0], "{measurement:#}");
    assert!(measurement["failures"]["examples"][0].as_str().unwrap().contains(expected), "{measurement:#}");
    let presented = loads(&server, &format!("{trusting} {}", presenting(&mine)));
    assert_eq!((count(&presented, "/connections"), count(&presented, "/tls/resumed")), (4, 0));
}

#[test]
fn openssl_is_loaded() {
    if !has_openssl() {
        return;
    }
    let authority = Authority::new("ours");
    let files = authority.issue("server", &["127.0.0.1"]);
    for (version, told) in [("-tls1_3", "TLSv1.3"), ("-tls1_2", "TLSv1.2")] {
        let (_server, address) = s_server(&files, version);
        let ended = load(&address, &format!("{} -c 1 --expect any", trusting(&authority)));
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let measurement: Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!(measurement["tls"]["version"], told);
        assert!(count(&measurement, "/verification/replies") > 0, "{measurement:#}");
    }
}

#[test]
fn measurements_with_and_without_tls_are_not_merged() {
    let authority = Authority::new("ours");
    let files = authority.issue("server", &["127.0.0.1"]);
    let (plain, secure) =
        (Server::start("--handler echo"), Server::start(&format!("--handler echo {}", flags(&files))));
    let [one, other, third] = ["one", "other", "third"].map(|name| {
        PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-tls-{name}.json", std::process::id()))
    });
    fs::write(&one, load(&plain.address.to_string(), "").stdout).unwrap();
    for file in [&other, &third] {
        fs::write(file, load(&secure.address.to_string(), &trusting(&authority)).stdout).unwrap();
    }
    let merge = |files: [&PathBuf; 2]| {
        let [one, other] = files.map(|file| file.to_str().unwrap());
        run(&mut anyloop(&["merge", one, other, "--allow-apart"]), "")
    };
    let refused = merge([&one, &other]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("it is of a closed loop over TLSv1.3 with TLS13_"), "{refused:?}");
    let merged = merge([&other, &third]);
    assert_eq!(merged.code, Some(0), "{merged:?}");
    assert!(merged.stdout.contains("TLS      TLSv1.3, TLS13_"), "{merged:?}");
    [one, other, third].iter().for_each(|file| fs::remove_file(file).unwrap());
}
