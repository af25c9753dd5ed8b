//! Two servers behind HAProxy, which are restarted one after the other under load: no message is lost.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;

use rustix::process::Signal;
use tempfile::tempdir;

use crate::haproxy::Haproxy;
use crate::history::{History, wait_until};
use crate::process::Process;
use crate::server::Server;

/// What the load has in flight at most.
const CONNECTIONS: u64 = 16;
const DEPTH: u64 = 4;

fn serve(backend: &str, address: impl ToString) -> Server {
    let address = address.to_string();
    Server::start(&format!("--backend {backend} --handler echo --proxy-from 127.0.0.1 --listen {address}"))
}

#[test]
fn servers_behind_haproxy_are_restarted_without_a_loss() {
    if !Haproxy::is_installed() {
        return;
    }
    let mut servers = [Some(serve("smol", "127.0.0.1:0")), Some(serve("threads", "127.0.0.1:0"))];
    let addresses = servers.each_ref().map(|server| server.as_ref().unwrap().address);
    let haproxy = Haproxy::start(&addresses, "send-proxy-v2 check inter 100ms fall 1 rise 1");
    let history = History::new("rolling-restart");
    let flags = format!("-c {CONNECTIONS} --depth {DEPTH} -d 1h --expect echo --reconnect");
    let loading = Process::start(&mut history.load(&haproxy.address, &flags));
    let written = || fs::metadata(history.path()).map_or(0, |file| file.len());
    let mut handled = 0;
    let mut handled_by = |server: Server| {
        let ended = server.stop();
        assert_eq!((ended.code, &ended.receipt["cut"]), (Some(0), &0.into()), "{}", ended.log);
        handled += ended.receipt["messages"].as_u64().unwrap();
    };
    for (index, backend) in [(0, "epoll"), (1, "uring"), (0, "tokio"), (1, "pool")] {
        let before = written();
        wait_until(|| written() > before + (1 << 17)); // it is under load
        let set = |state: &str| format!("set server app/{} state {state}", index + 1);
        assert_eq!(haproxy.execute(&set("drain")), "");
        handled_by(servers[index].take().unwrap());
        let restarted = serve(backend, addresses[index]);
        assert_eq!(restarted.address, addresses[index]);
        servers[index] = Some(restarted);
        assert_eq!(haproxy.execute(&set("ready")), "");
        wait_until(|| is_up(&haproxy, addresses[index]));
    }
    loading.signal(Signal::INT);
    let loaded = loading.end();
    assert_eq!(loaded.code, Some(130), "{loaded:?}");
    servers.into_iter().flatten().for_each(handled_by);
    let (code, verdict) = history.verdict("");
    assert_eq!(code, Some(0), "{verdict:#}");
    // What was answered was handled once. What was not was not handled, but for what was in flight at the end of the load.
    let answered = verdict["answered"].as_u64().unwrap();
    assert!((answered..=answered + CONNECTIONS * DEPTH).contains(&handled), "{handled} {verdict:#}");
}

/// Whether HAProxy knows that a server is up again.
fn is_up(haproxy: &Haproxy, address: SocketAddr) -> bool {
    let port = address.port().to_string();
    let state = haproxy.execute("show servers state app");
    // The sixth column is the operational state, of which 2 means up; the 19th is the port.
    let rows = state.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let mut row = rows.filter(|columns| columns.get(18) == Some(&port.as_str()));
    row.next().is_some_and(|columns| columns[5] == "2")
}

#[test]
fn the_configuration_of_the_guide_is_valid() {
    if !Haproxy::is_installed() {
        return;
    }
    let guide = include_str!("../../../docs/operate.md");
    let (_, section) = guide.split_once("## Behind HAProxy\n").unwrap();
    let (_, block) = section.split_once("```haproxy\n").unwrap();
    let folder = tempdir().unwrap();
    let file = folder.path().join("haproxy.cfg");
    fs::write(&file, block.split_once("```").unwrap().0).unwrap();
    let checked = Command::new("haproxy").arg("-c").arg("-f").arg(&file).output().unwrap();
    assert!(checked.status.success(), "{checked:?}");
    for state in ["drain", "ready"] {
        assert!(guide.contains(&format!("set server app/1 state {state}\"")));
    }
}
