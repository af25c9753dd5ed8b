//! The history of a load on every backend: through a proxy that disturbs connections, while the server is killed and
//! restarted, during a drain, and without descriptors or memory for sockets. Whatever happens, each message is answered by
//! its own reply, in order and unaltered, or its connection has ended.

use std::fs;
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use fault_proxy::{Counts, Fault, Proxy, Settings};
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, prlimit};
use serde_json::Value;

use crate::group::Group;
use crate::history::{History, wait_until};
use crate::process::Process;
use crate::server::{Server, backends};

/// How long the load of a scenario takes in a normal run, and in a long one. A load prints nothing until its end, so it
/// has to end within the time limit of a process.
const SHORT: Duration = Duration::from_secs(2);
const LONG: Duration = Duration::from_secs(30);

/// Runs a scenario on these backends, all at once, and returns what it has returned on each.
pub(crate) fn on<T: Send>(
    backends: impl Iterator<Item = &'static str>,
    scenario: impl Fn(&'static str) -> T + Sync,
) -> Vec<T> {
    thread::scope(|scope| {
        let scenario = &scenario;
        let start = |backend: &'static str| {
            thread::Builder::new()
                .name(backend.into())
                .spawn_scoped(scope, move || scenario(backend))
                .unwrap()
        };
        let running: Vec<_> = backends.map(start).collect();
        running.into_iter().map(|scenario| scenario.join().unwrap()).collect()
    })
}

/// The flags of a load with as many connections as a backend can serve at once, which are made anew when they end.
fn flags(backend: &str, time: Duration) -> String {
    let connections = if backend == "sequential" { 1 } else { 16 };
    format!(
        "-c {connections} --depth 8 -d {}s --message-size uniform:20-2000 --expect echo --reconnect --allow-refusals",
        time.as_secs()
    )
}

/// Checks that a history has no violation, and that messages were answered. Returns the verdict.
#[track_caller]
pub(crate) fn check(backend: &str, history: &History, flags: &str) -> Value {
    let (code, verdict) = history.verdict(flags);
    assert_eq!(code, Some(0), "{backend}: {verdict:#}");
    verdict
}

/// Loads a server through a proxy with all faults, and returns how often each was applied.
fn through_the_proxy(backend: &str, time: Duration, seed: u64) -> Counts {
    let history = History::new(&format!("proxy-{backend}-{seed}"));
    let server = Server::start(&format!("--backend {backend} --handler echo"));
    let settings = Settings { seed, ..Settings::default() };
    let proxy = Proxy::start(TcpListener::bind("127.0.0.1:0").unwrap(), server.address, settings).unwrap();
    // Other connections suffer other faults, also where there is one at a time.
    let flags = format!("{} --messages-per-connection 40", flags(backend, time));
    let loading = Process::start(&mut history.load(&proxy.address().to_string(), &flags));
    let loaded = loading.end();
    // The generator has verified the same replies.
    assert!(matches!(loaded.code, Some(0 | 1)), "{backend}: {loaded:?}");
    check(backend, &history, "");
    let counts = proxy.counts();
    drop(proxy);
    server.stop();
    counts
}

/// Checks that each fault was applied, in some of these runs.
#[track_caller]
fn each_was_applied(runs: &[Counts]) {
    for (index, fault) in Fault::ALL.into_iter().enumerate() {
        let count: u64 = runs.iter().map(|run| run.applied[index].1).sum();
        assert!(count > 0, "{fault} was never applied: {runs:?}");
    }
}

#[test]
fn a_disturbed_network_breaks_no_history() {
    each_was_applied(&on(backends(), |backend| through_the_proxy(backend, SHORT, 1)));
}

#[test]
#[ignore = "takes minutes: run by `.ci/full`, or with `--include-ignored`"]
fn a_disturbed_network_breaks_no_long_history() {
    for runs in on(backends(), |backend| [2, 3, 4, 5].map(|seed| through_the_proxy(backend, LONG, seed))) {
        each_was_applied(&runs);
    }
}

/// Kills the server under load, again and again, and starts it anew at the same address.
fn killed(backend: &str, times: usize) {
    let history = History::new(&format!("killed-{backend}"));
    let flags = flags(backend, Duration::from_secs(3600));
    let start =
        |address: &str| Server::start(&format!("--backend {backend} --handler echo --listen {address}"));
    let mut server = start("127.0.0.1:0");
    let address = server.address.to_string();
    let loading = Process::start(&mut history.load(&address, &flags));
    let written = || fs::metadata(history.path()).map_or(0, |file| file.len());
    for _ in 0..times {
        let before = written();
        wait_until(|| written() > before + (1 << 18)); // it is under load
        server.process.signal(Signal::KILL);
        drop(server); // it is waited for
        server = start(&address);
    }
    let before = written();
    wait_until(|| written() > before + (1 << 18));
    loading.signal(Signal::INT);
    assert_eq!(loading.end().code, Some(130));
    let verdict = check(backend, &history, "");
    assert!(verdict["connections"].as_u64() > Some(times as u64), "{verdict:#}");
    server.stop();
}

#[test]
fn a_server_that_is_killed_and_restarted_breaks_no_history() {
    on(backends(), |backend| killed(backend, 2));
}

#[test]
#[ignore = "takes minutes: run by `.ci/full`, or with `--include-ignored`"]
fn a_server_that_is_killed_again_and_again_breaks_no_history() {
    on(backends(), |backend| killed(backend, 10));
}

/// Lets a server drain under full load: what was not answered was not handled.
fn drained(backend: &str) {
    let history = History::new(&format!("drained-{backend}"));
    let server = Server::start(&format!("--backend {backend} --handler echo"));
    let flags = flags(backend, Duration::from_secs(3600)).replace(" --reconnect", "");
    let loading = Process::start(&mut history.load(&server.address.to_string(), &flags));
    wait_until(|| fs::metadata(history.path()).is_ok_and(|file| file.len() > 1 << 18));
    let ended = server.stop();
    assert_eq!((ended.code, &ended.receipt["cut"]), (Some(0), &0.into()), "{backend}: {}", ended.log);
    let loaded = loading.end();
    assert_eq!(loaded.code, Some(1), "its connections ended early: {loaded:?}");
    check(backend, &history, &format!("--handled {}", ended.receipt["messages"]));
}

#[test]
fn what_a_drain_did_not_answer_was_not_handled() {
    on(backends(), drained);
}

#[test]
#[ignore = "takes minutes: run by `.ci/full`, or with `--include-ignored`"]
fn what_ten_drains_did_not_answer_was_not_handled() {
    for _ in 0..10 {
        on(backends(), drained);
    }
}

/// Takes the descriptors from a server under a load whose connections change all the time, and gives them back.
fn without_descriptors(backend: &str) {
    let history = History::new(&format!("descriptors-{backend}"));
    let mut server = Server::start(&format!("--backend {backend} --handler echo"));
    // It tells its address before it has opened all that it needs to serve.
    let mut first = server.connect();
    first.say("x\n");
    assert_eq!(first.hear(), "x");
    drop(first);
    let process = Pid::from_raw(server.process.id() as i32).unwrap();
    let flags = format!("{} --messages-per-connection 40", flags(backend, SHORT));
    let loading = Process::start(&mut history.load(&server.address.to_string(), &flags));
    wait_until(|| fs::metadata(history.path()).is_ok()); // it is about to connect
    let before = getrlimit(Resource::Nofile);
    prlimit(Some(process), Resource::Nofile, Rlimit { current: Some(8), maximum: before.maximum }).unwrap();
    server.process.wait_for_log("accept");
    prlimit(Some(process), Resource::Nofile, before).unwrap();
    let loaded = loading.end();
    assert_eq!(loaded.code, Some(0), "{backend}: {loaded:?}");
    check(backend, &history, "");
    server.stop();
}

#[test]
fn a_server_without_descriptors_breaks_no_history() {
    on(backends(), without_descriptors);
}

/// Takes the memory for sockets from a server, and gives it back.
fn without_memory(backend: &str) {
    let Some(group) = Group::of_version_1("memory", backend) else { return };
    group.write(SOCKETS, MEMORY);
    let history = History::new(&format!("memory-{backend}"));
    let server = group.serve(&format!("--backend {backend} --handler echo"));
    let load = if backend == "sequential" { "-c 1 --depth 256" } else { "-c 100 --depth 4" };
    let flags = format!("{load} -d 2s --message-size 60000 --expect echo --reconnect");
    let loading = Process::start(&mut history.load(&server.address.to_string(), &flags));
    // All of it is taken when the kernel has refused some, or has gone to the limit.
    wait_until(|| {
        group.read("memory.kmem.tcp.failcnt") > 0
            || group.read(&SOCKETS.replace("limit", "max_usage")) >= MEMORY
    });
    group.write(SOCKETS, -1);
    let loaded = loading.end();
    assert_eq!(loaded.code, Some(0), "{backend}: {loaded:?}");
    check(backend, &history, "");
    assert_eq!(server.stop().code, Some(0), "{backend}: it was not killed");
}

/// How much that is, in bytes.
const MEMORY: u64 = 256 << 10;

/// The limit on the memory of all sockets of a group, in the kernel.
const SOCKETS: &str = "memory.kmem.tcp.limit_in_bytes";

#[test]
fn a_server_without_memory_breaks_no_history() {
    on(backends(), without_memory);
}
