//! How a server ends: by a signal, by a second one, and with which code.

use rustix::process::Signal;

use crate::server::{STUCK, Server, backends, stuck};

#[test]
fn a_signal_lets_the_clients_drain() {
    for backend in backends() {
        for signal in [Signal::TERM, Signal::INT] {
            let server = Server::start(&format!("--backend {backend}"));
            let mut client = server.connect();
            client.say("hello\npart");
            assert_eq!((client.hear(), client.hear()), ("連接成功!".into(), "第1條信息:hello".into()));
            server.process.signal(signal);
            assert_eq!(client.hear_all(), "ERR shutting-down\n", "{backend}");
            drop(client);
            let ended = server.ended();
            assert_eq!(ended.code, Some(0), "{backend}: {}", ended.log);
            assert_eq!(ended.receipt["drained"], 1, "{backend}: {}", ended.receipt);
        }
    }
}

#[test]
fn who_does_not_drain_in_time_is_cut_and_the_code_says_so() {
    for backend in backends() {
        let server = Server::start(&format!("--backend {backend} {STUCK} --drain-timeout 300ms"));
        let _client = stuck(&server);
        let ended = server.stop();
        assert_eq!(ended.code, Some(1), "{backend}: {}", ended.log);
        assert_eq!(ended.receipt["cut"], 1, "{backend}: {}", ended.receipt);
    }
}

#[test]
fn a_second_signal_ends_at_once() {
    for backend in backends() {
        let flags = format!("{STUCK} --drain-timeout 365d --write-timeout 365d");
        let mut server = Server::start(&format!("--backend {backend} {flags}"));
        let _client = stuck(&server);
        server.process.signal(Signal::INT);
        server.process.wait_for_log("draining");
        server.process.signal(Signal::INT);
        let ended = server.ended();
        assert_eq!(ended.code, Some(1), "{backend}: {}", ended.log);
        assert_eq!(ended.receipt["cut"], 1, "{backend}: {}", ended.receipt);
    }
}
