//! `serve --admin` and `--drain-delay`: metrics, health checks, and a stop that is announced.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use socket2::{Domain, SockRef, Socket, Type};

use crate::openmetrics::Scrape;
use crate::operate::commands;
use crate::process::{BOUND, run};
use crate::server::{Client, Server, backends, command, concurrent_backends};
use crate::tool::Tool;

const CURL: Tool = Tool { name: "curl", package: "curl" };
const OPERATE: &str = include_str!("../../../docs/operate.md");

/// A server with an admin listener, and the address of that.
pub(crate) fn start(flags: &str) -> (Server, SocketAddr) {
    let mut server = Server::start(&format!("--admin 127.0.0.1:0 {flags}"));
    let line = server.process.line();
    let address = line.strip_prefix("admin listening on ").unwrap_or_else(|| panic!("{line}"));
    (server, address.trim_end().parse().unwrap())
}

/// The status and the content of the response.
fn ask(mut socket: impl Read + Write, path: &str) -> (u16, String) {
    write!(socket, "GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    let mut said = String::new();
    socket.read_to_string(&mut said).unwrap();
    let (head, content) = said.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{said}"));
    (head["HTTP/1.1 ".len()..][..3].parse().unwrap(), content.to_owned())
}

fn get(admin: SocketAddr, path: &str) -> (u16, String) {
    let socket = TcpStream::connect(admin).unwrap();
    socket.set_read_timeout(Some(BOUND)).unwrap();
    ask(socket, path)
}

/// The metrics. The receipt's equations hold in every scrape.
pub(crate) fn scrape(admin: SocketAddr) -> Scrape {
    let (status, text) = get(admin, "/metrics");
    assert_eq!(status, 200, "{text}");
    let scrape = Scrape::parse(&text).unwrap_or_else(|error| panic!("{error} in {text}"));
    let all = |name: &str| scrape.sum(name, None);
    let ended = |outcome: &str| scrape.sum("anyloop_ended_connections_total", Some(("outcome", outcome)));
    let outcomes: f64 = ["finished", "drained", "cut", "timed_out", "failed"].into_iter().map(ended).sum();
    assert_eq!(
        all("anyloop_accepted_connections_total"),
        all("anyloop_open_connections") + outcomes + all("anyloop_refused_connections_total"),
        "{text}"
    );
    assert_eq!(outcomes, all("anyloop_ended_connections_total"), "{text}");
    let pushes = ["delivered", "dropped", "refused"].map(|what| all(&format!("anyloop_{what}_pushes_total")));
    let queued = all("anyloop_queued_pushes");
    assert_eq!(all("anyloop_pushes_total"), pushes.iter().sum::<f64>() + queued, "{text}");
    scrape
}

/// Scrapes until this holds.
fn wait_for(admin: SocketAddr, what: &str, holds: impl Fn(&Scrape) -> bool) -> Scrape {
    let until = Instant::now() + BOUND;
    loop {
        let scrape = scrape(admin);
        if holds(&scrape) {
            return scrape;
        }
        assert!(Instant::now() < until, "{what}: {scrape:?}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A client that answers for itself: says this, and hears as many replies of `fanout`.
fn talk(client: &mut Client, messages: &[&str]) {
    for message in messages {
        client.say(&format!("{message}\n"));
        assert_eq!(client.hear(), "ok");
    }
}

/// How many connections ended for this reason.
fn ended(scrape: &Scrape, outcome: &str, reason: &str) -> f64 {
    scrape.value("anyloop_ended_connections_total", &[("outcome", outcome), ("reason", reason)])
}

#[test]
fn at_rest_the_equations_of_the_receipt_hold_in_a_scrape() {
    for backend in backends() {
        let (server, admin) = start(&format!("--backend {backend} --handler fanout --message-timeout 300ms"));
        let mut leaves = server.connect();
        talk(&mut leaves, &["one", "two"]);
        leaves.say("exit\n");
        assert_eq!(leaves.hear_all(), "", "{backend}");
        drop(leaves);
        let mut slow = server.connect();
        slow.say("par");
        assert_eq!(slow.hear_all(), "ERR timeout message: no line end\n", "{backend}");
        drop(slow);
        let mut times_out = 1.0;
        loop {
            let mut breaks_off = server.connect();
            breaks_off.say("three\npar");
            breaks_off.half_close();
            match breaks_off.hear_all().as_str() {
                "ok\nERR incomplete\n" => break,
                said => assert_eq!(said, "ok\nERR timeout message: no line end\n", "{backend}"),
            }
            times_out += 1.0; // this test was not given the time to end its input
        }
        let mut resets = server.connect();
        talk(&mut resets, &["four"]);
        SockRef::from(resets.socket()).set_linger(Some(Duration::ZERO)).unwrap();
        drop(resets);
        let (accepted, messages) = (3.0 + times_out, 4.0 + times_out);
        let rest = wait_for(admin, backend, |scrape| {
            let all = scrape.value("anyloop_accepted_connections_total", &[]) == accepted;
            all && scrape.value("anyloop_open_connections", &[]) == 0.0
        });
        let reasons = [("finished", "exit"), ("failed", "incomplete"), ("failed", "lost")];
        assert_eq!(
            reasons.map(|(outcome, reason)| ended(&rest, outcome, reason)),
            [1.0; 3],
            "{backend}: {rest:?}"
        );
        assert_eq!(ended(&rest, "timed_out", "message_timeout"), times_out, "{backend}");
        assert_eq!(rest.value("anyloop_connection_duration_seconds_count", &[]), accepted, "{backend}");
        assert!(rest.value("anyloop_connection_duration_seconds_sum", &[]) >= 0.3, "{backend}: the slow one");
        assert_eq!(rest.value("anyloop_messages_total", &[]), messages, "{backend}");
        assert_eq!(rest.value("anyloop_build_info", &[("backend", backend), ("version", "0.1.0")]), 1.0);
        let receipt = server.stop().receipt;
        assert_eq!(receipt["messages"].as_f64(), Some(messages), "{backend}: {receipt}");
    }
}

/// One subscriber reads nothing of what is pushed, which is more than all buffers hold. The other one reads all of it.
#[test]
fn pushes_and_refused_clients_are_in_a_scrape_and_so_is_the_drain() {
    for backend in concurrent_backends() {
        let (server, admin) = start(&format!(
            "--backend {backend} --handler fanout --max-connections 3 --write-timeout 365d --min-rate 0 \
             --drain-timeout 365d --max-message 1MiB --mailbox 64MiB"
        ));
        let (mut stuck, mut reads, mut sender) = (server.connect(), server.connect(), server.connect());
        talk(&mut stuck, &["subscribe"]);
        talk(&mut reads, &["subscribe"]);
        talk(&mut sender, &["x"]);
        assert_eq!(reads.hear(), "x", "{backend}");
        assert_eq!(server.connect().hear_all(), "ERR busy\n", "{backend}");
        let message = "x".repeat(1 << 20);
        for _ in 0..32 {
            talk(&mut sender, &[&message]);
            assert!(reads.hear() == message, "{backend}");
        }
        let rest = wait_for(admin, backend, |scrape| {
            let all = scrape.value("anyloop_messages_total", &[]) == 35.0;
            let refused = scrape.value("anyloop_refused_connections_total", &[("reason", "busy")]);
            all && scrape.value("anyloop_pushes_total", &[]) == 66.0 && refused == 1.0
        });
        assert!(rest.value("anyloop_queued_pushes", &[]) > 0.0, "{backend}: {rest:?}");
        assert_eq!(rest.value("anyloop_open_connections", &[]), 3.0, "{backend}");
        assert_eq!(get(admin, "/readyz").0, 503, "{backend}: it is full");
        // In a drain, the one that reads and the sender are let go, and the stuck one is waited for.
        server.process.signal(Signal::TERM);
        assert_eq!((reads.hear_all(), sender.hear_all()), (String::new(), String::new()), "{backend}");
        drop((reads, sender));
        let rest = wait_for(admin, backend, |scrape| ended(scrape, "drained", "stopping") == 2.0);
        assert_eq!(rest.value("anyloop_open_connections", &[]), 1.0, "{backend}");
        assert_eq!(get(admin, "/readyz"), (503, "the server is draining\n".to_owned()), "{backend}");
        assert_eq!(get(admin, "/healthz"), (200, "ok\n".to_owned()), "{backend}");
        drop(stuck);
        let receipt = server.ended().receipt;
        let names = ["messages", "refused", "pushed", "pushes_delivered", "pushes_dropped"];
        let [messages, refused, pushed, delivered, dropped] =
            names.map(|name| receipt[name].as_u64().unwrap());
        assert_eq!((messages, refused, pushed), (35, 1, 66), "{backend}: {receipt}");
        assert!(delivered + dropped == 66 && dropped > 0, "{backend}: {receipt}");
    }
}

#[test]
fn the_documentation_lists_every_metric() {
    let (_server, admin) = start("");
    let rows = scrape(admin).families.into_iter().map(|family| {
        let suffix = match family.kind.as_str() {
            "counter" => "_total",
            "info" => "_info",
            _ => "",
        };
        let labels: String = family.labels.iter().map(|label| format!("`{label}` ")).collect();
        format!("| `{}{suffix}` | {} | {labels}| {} |", family.name, family.kind, family.help)
    });
    let expected: Vec<_> = rows.collect();
    let is_row = |line: &&str| line.starts_with("| `anyloop_") || line.starts_with("| `process_");
    let listed: Vec<_> = OPERATE.lines().filter(is_row).collect();
    assert_eq!(listed, expected, "docs/operate.md should have:\n{}\n", expected.join("\n"));
}

#[test]
fn a_hundred_scrapes_at_once_are_answered_while_others_are_slow() {
    let (_server, admin) = start("");
    // They occupy a part of the places, for as long as a request may take.
    let slow: Vec<_> = (0..8)
        .map(|_| {
            let mut socket = TcpStream::connect(admin).unwrap();
            socket.write_all(b"GET /metrics HT").unwrap();
            socket
        })
        .collect();
    thread::scope(|scope| {
        let scrapes: Vec<_> = (0..100).map(|_| scope.spawn(|| scrape(admin))).collect();
        scrapes.into_iter().for_each(|scrape| assert!(scrape.join().is_ok()));
    });
    drop(slow);
}

#[test]
fn a_stop_is_announced_before_the_drain() {
    let (mut server, admin) = start("--drain-delay 365d");
    let mut early = server.connect();
    assert_eq!(early.hear(), "連接成功!");
    assert_eq!(get(admin, "/readyz"), (200, "ok\n".to_owned()));
    server.process.signal(Signal::TERM);
    server.process.wait_for_log("not ready any more, and still accepting until the drain");
    assert_eq!(get(admin, "/readyz"), (503, "the server is about to stop\n".to_owned()));
    assert_eq!(get(admin, "/healthz"), (200, "ok\n".to_owned()));
    let mut late = server.connect();
    late.say("hello\nexit\n");
    assert_eq!(late.hear_all(), "連接成功!\n第1條信息:hello\n", "it still accepts");
    early.say("hello\n");
    assert_eq!(early.hear(), "第1條信息:hello");
    // A second signal doesn't wait for the end of the delay.
    while server.process.is_running() {
        server.process.signal(Signal::TERM);
        thread::sleep(Duration::from_millis(20));
    }
    let ended = server.ended();
    assert!(ended.code == Some(1) && ended.log.contains("ending at once"), "{}", ended.log);
    assert_eq!((&ended.receipt["cut"], &ended.receipt["finished"]), (&1.into(), &1.into()));
}

#[test]
fn the_drain_follows_its_delay() {
    for backend in backends() {
        let (server, _) = start(&format!("--backend {backend} --drain-delay 100ms"));
        let mut client = server.connect();
        assert_eq!(client.hear(), "連接成功!");
        let begin = Instant::now();
        server.process.signal(Signal::TERM);
        assert_eq!(client.hear_all(), "", "{backend}");
        assert!(begin.elapsed() >= Duration::from_millis(100), "{backend}: it drained before");
        drop(client);
        let ended = server.ended();
        assert_eq!((ended.code, &ended.receipt["drained"]), (Some(0), &1.into()), "{backend}: {}", ended.log);
    }
}

#[test]
fn wrong_addresses_are_errors_before_anything_listens() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap();
    // Bound, so that nobody else listens there.
    let bound = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    bound.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let free = bound.local_addr().unwrap().as_socket().unwrap();
    for (flags, code, expected) in [
        ("--admin 0.0.0.0:9100", 2, "--admin 0.0.0.0:9100 is no loopback address".to_owned()),
        (
            "--admin [::]:9100",
            2,
            "add --expose if they should, or write a loopback address, such as 127.0.0.1:9100".into(),
        ),
        ("--admin 9100", 2, "--admin: `9100`: it has no host; write 127.0.0.1:9100".into()),
        (&format!("--admin {free}"), 2, format!("--admin {free} is where --listen listens; choose another")),
        (
            &format!("--admin {taken}"),
            1,
            format!(
                "can't listen on {taken}: it is in use by another program; stop that program, or choose another port with --admin"
            ),
        ),
        ("--drain-delay -1s", 2, "--drain-delay: `-1s`".into()),
    ] {
        let ended = run(&mut command(&format!("--listen {free} {flags}")), "");
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(code), ""), "{flags}: {ended:?}");
        assert!(ended.stderr.contains(&expected), "{flags}: {}", ended.stderr);
        assert_eq!(TcpStream::connect(free).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    }
    let mut exposed = command("--expose --admin 0.0.0.0:0");
    let exposed = exposed.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut server = Server::start_as_is(exposed);
    assert!(server.process.line().starts_with("admin listening on 0.0.0.0:"));
}

#[test]
fn it_listens_on_a_unix_socket_and_removes_the_path() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("admin.sock");
    let mut server = Server::start(&format!("--admin unix:{}", path.display()));
    assert_eq!(server.process.line(), format!("admin listening on unix:{}\n", path.display()));
    let (status, text) = ask(UnixStream::connect(&path).unwrap(), "/metrics");
    assert_eq!(status, 200);
    Scrape::parse(&text).unwrap();
    assert_eq!(server.stop().code, Some(0));
    assert!(!path.exists());
}

#[test]
fn the_commands_of_the_documentation_work() {
    const ADMIN: &str = "127.0.0.1:9100";
    let documented = commands("Metrics and health").into_iter();
    let (serves, asked): (Vec<_>, Vec<&str>) = documented.partition(|line| line.starts_with("anyloop "));
    let [serve] = serves.as_slice() else { panic!("{serves:?}") };
    let serve = serve.strip_prefix("anyloop serve ").unwrap();
    let free = "127.0.0.1:0";
    let mut server = Server::start(&serve.replace("127.0.0.1:8888", free).replace(ADMIN, free));
    let line = server.process.line();
    let admin = line.trim_end().strip_prefix("admin listening on ").unwrap();
    assert!(asked.len() >= 4, "{asked:?}");
    for line in asked {
        let line = line.strip_prefix("curl ").unwrap();
        let arguments = shlex::split(&line.replace(ADMIN, admin)).unwrap();
        let Some(said) = CURL.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>()) else { return };
        assert!(said.contains("200 OK") || said.contains("anyloop_open_connections 0\n"), "{line}: {said}");
    }
}
