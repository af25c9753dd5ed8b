//! Clients that vanish: the link between them and the server goes down, so that no packet says that they have left.

use std::io;
use std::net::Shutdown;
use std::process::Stdio;
use std::thread;

use rustix::process::Signal;
use serving::{Socket, Transport};

use crate::network::{alone, connect_with, ip};
use crate::process::{BOUND, through};
use crate::server::{STUCK, Server, backends, command, stuck};

/// Timeouts of the server find the vanished.
pub(crate) fn found(backend: &str) {
    thread::scope(|scope| {
        scope.spawn(|| alone(|| by_the_idle_timeout(backend)));
        scope.spawn(|| alone(|| by_the_write_timeout(backend)));
    });
}

/// The client vanishes while nothing is under way.
fn by_the_idle_timeout(backend: &str) {
    let server = start(backend, "--idle-timeout 1s");
    let mut client = server.connect();
    assert_eq!(client.hear(), "連接成功!", "{backend}");
    link("down");
    ends(server, "idle_timeout");
}

/// The client vanishes while it takes a long reply.
fn by_the_write_timeout(backend: &str) {
    let server = start(backend, &format!("{STUCK} --write-timeout 1s"));
    let client = stuck(&server);
    link("down");
    let socket = client.socket().try_clone().unwrap();
    let taking = thread::spawn(move || io::copy(&mut &socket, &mut io::sink())); // it would take all
    ends(server, "write_timeout");
    client.socket().shutdown(Shutdown::Both).unwrap();
    let _ = taking.join().unwrap(); // a reset may have come when the link was up again
}

/// No timeout of the server's own is set that would end these connections, so the kernel has to.
#[test]
#[ignore = "takes 70 s: run by `.ci/full`, or with `--include-ignored`"]
fn the_kernel_finds_the_vanished() {
    thread::scope(|scope| {
        for backend in backends() {
            scope.spawn(|| alone(|| by_the_user_timeout(backend)));
            scope.spawn(|| alone(|| by_keepalive(backend)));
        }
    });
}

/// The client vanishes before it acknowledges a reply.
fn by_the_user_timeout(backend: &str) {
    let server = start(backend, "--idle-timeout 0");
    let mut client = server.connect();
    assert_eq!(client.hear(), "連接成功!", "{backend}");
    server.process.pause();
    client.say("hello\n");
    let socket = Socket::from(client.socket().try_clone().unwrap());
    while (&socket).queued() > 0 {
        thread::yield_now(); // until it has arrived
    }
    link("down");
    server.process.signal(Signal::CONT);
    ends(server, "lost");
}

/// The client vanishes while nothing is under way.
fn by_keepalive(backend: &str) {
    let server = start(backend, "--idle-timeout 0");
    let mut client = server.connect();
    assert_eq!(client.hear(), "連接成功!", "{backend}");
    link("down");
    thread::sleep(BOUND / 2); // it takes longer than the bound
    ends(server, "lost");
}

/// A server for one client at a time, at the other end of a link.
fn start(backend: &str, flags: &str) -> Server {
    let flags = format!(
        "--backend {backend} --expose --listen 0.0.0.0:0 --max-connections 1 --overload queue --log-level debug {flags}"
    );
    let mut command = through(&["unshare", "--net"], &command(&flags));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut server = Server::start_as_is(&mut command);
    connect_with(server.process.id());
    server.address.set_ip([192, 0, 2, 2].into());
    server
}

fn link(state: &str) {
    ip(&format!("link set veth {state}"));
}

/// Waits until the connection has ended for this reason, and has another client take its place when the link is up again.
fn ends(mut server: Server, reason: &str) {
    server.process.wait_for_log(&format!("reason={reason}"));
    link("up");
    let mut client = server.connect();
    client.say("hello\n");
    client.half_close();
    assert!(client.hear_all().ends_with("hello\n"));
    let ended = server.stop();
    let reasons = &ended.receipt["reasons"];
    assert_eq!((&reasons[reason], &reasons["end_of_input"]), (&1.into(), &1.into()), "{}", ended.log);
}
