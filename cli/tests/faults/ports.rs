//! A machine whose ports are all in use.

use std::fs;
use std::net::TcpStream;

use crate::network::{alone, ip};
use crate::process::{anyloop, run};
use crate::server::Server;

const SAYS: &str = "no local port is free for this server; make fewer connections at once, widen net.ipv4.ip_local_port_range, ";

#[test]
fn a_load_without_free_ports_says_what_to_do() {
    alone(|| {
        let server = with_ten_ports();
        let load = ["load", "192.0.2.1:7000", "--connections", "20", "--duration", "100ms", "--warmup", "0"];
        let ended = run(&mut anyloop(&load), "");
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.stdout.contains(" connections could not be made\n"), "{ended:?}");
        assert!(ended.stdout.contains(&format!(" failed: {SAYS}")), "{ended:?}");

        let taken: Vec<_> = (0..10).map_while(|_| TcpStream::connect(server.address).ok()).collect();
        let ended = run(&mut anyloop(&load), "");
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{ended:?}");
        assert!(ended.stderr.contains(&format!("can't connect to 192.0.2.1:7000: {SAYS}")), "{ended:?}");
        drop(taken);

        // The same error of the system, for another reason.
        fs::write("/proc/sys/net/ipv6/conf/lo/disable_ipv6", "1").unwrap();
        let ended = run(&mut anyloop(&["load", "[::1]:7000"]), "");
        assert!(ended.code == Some(1) && ended.stderr.contains("os error 99"), "{ended:?}");
    });
}

#[test]
fn a_load_without_free_ports_for_its_hostile_clients_fails() {
    alone(|| {
        let server = with_ten_ports();
        let load = ["load", "192.0.2.1:7000", "-c", "1", "--idle", "20", "-d", "300ms", "--warmup", "0"];
        let ended = run(&mut anyloop(&load), "");
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{ended:?}");
        let says = format!("a hostile client can't connect to {}: {SAYS}", server.address);
        assert!(ended.stderr.contains(&says), "{ended:?}");
    });
}

/// A server whose clients have ten ports.
fn with_ten_ports() -> Server {
    ip("address add 192.0.2.1/32 dev lo");
    fs::write("/proc/sys/net/ipv4/ip_local_port_range", "40000 40009").unwrap();
    Server::start("--handler echo --expose --listen 192.0.2.1:7000")
}
