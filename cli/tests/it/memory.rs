//! A server in a control group whose limit is the `memory` of `serve --show-config`, while every client takes all it can get.

use std::io::{Read, Write};
use std::net::TcpStream;

use registry::BACKENDS;
use serving::{BlockingHandlers, Workers};
use socket2::{Domain, SockAddr, Socket, Type};

use crate::group::Group;
use crate::history::History;
use crate::history_faults::{check, on};
use crate::process::{BOUND, run};
use crate::server::{Client, Server, backends, command};

/// The longest message, in bytes.
const MESSAGE: usize = 2 << 20;
/// The most clients, of which all but one are full, on backends that serve several.
const CLIENTS: usize = 9;

/// Fills a server to a limit that is just enough. It is not killed, refuses those beyond its number of clients, and
/// serves one that behaves.
fn filled(backend: &'static str) {
    let capabilities = BACKENDS.iter().find(|known| known.name() == backend).unwrap().capabilities();
    let several = capabilities.max_connections != Some(1);
    // A client has a message that is nearly whole, an unread push, and another in its mailbox: each as long as it may be.
    let mut flags = format!(
        "--backend {backend} --max-message {MESSAGE} --mailbox {} --mailbox-full refuse --message-timeout 10m \
         --write-timeout 10m --idle-timeout 10m --min-rate 0",
        MESSAGE + 64
    );
    flags += if several { " --handler fanout" } else { " --handler echo" };
    if several {
        flags += &format!(" --max-connections {CLIENTS}");
    }
    // The stacks are counted as if all of them were used.
    flags += match capabilities.workers {
        Workers::PerConnection => " --stack-size 64KiB",
        Workers::Chosen => " --workers 2",
        _ => "",
    };
    if capabilities.blocking_handlers == BlockingHandlers::Offloaded {
        flags += " --blocking-threads 1";
    }
    let limit = memory(&flags);
    // Version 2 would count what is in sockets too, which the server does not.
    let Some(group) = Group::of_version_1("memory", &format!("filled-{backend}")) else { return };
    group.write("memory.limit_in_bytes", limit);
    let server = group.serve(&flags);
    if several {
        let full: Vec<_> = {
            let mut pushing = server.connect();
            let full = (1..CLIENTS).map(|_| fill(&server, &mut pushing)).collect();
            assert_eq!(server.connect().hear_all(), "ERR busy\n", "{backend}");
            pushing.say("exit\n");
            pushing.hear_all();
            full
        };
        load(backend, &server, "ok");
        drop(full);
    } else {
        let mut client = server.connect();
        let message = format!("{}\n", "m".repeat(MESSAGE));
        client.say(&message);
        assert!(client.hear() == message.trim_end(), "{backend}: another reply");
        drop(client);
        load(backend, &server, "echo");
    }
    let peak = group.read("memory.max_usage_in_bytes");
    assert!(peak > limit / 2, "{backend}: {peak} bytes of {limit} show nothing");
    let ended = server.stop();
    assert_eq!(ended.code, Some(0), "{backend}: {}", ended.log);
    assert!(!several || ended.receipt["reasons"]["busy"].as_u64() > Some(0), "{backend}: {}", ended.receipt);
}

/// The most memory of a server with these flags, in bytes, as it says itself.
fn memory(flags: &str) -> u64 {
    let shown = run(command(flags).arg("--show-config"), "").stdout;
    let memory = shown.lines().find_map(|line| line.strip_prefix("# memory = "));
    memory.unwrap_or_else(|| panic!("{shown}")).parse().unwrap()
}

/// Connects a client that holds all it can get: its message has no end, and it doesn't read what is pushed to it.
fn fill(server: &Server, pushing: &mut Client) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap(); // the rest stays with the server
    socket.connect(&SockAddr::from(server.address)).unwrap();
    let mut client = TcpStream::from(socket);
    client.set_read_timeout(Some(BOUND)).unwrap();
    let mut reply = [0; 3];
    client.write_all(b"subscribe\n").unwrap();
    client.read_exact(&mut reply).unwrap();
    assert_eq!(&reply, b"ok\n");
    client.write_all(&vec![b'm'; MESSAGE - 1]).unwrap();
    for _ in 0..2 {
        pushing.say(&format!("{}\n", "p".repeat(MESSAGE)));
        assert_eq!(pushing.hear(), "ok");
        client.peek(&mut [0]).unwrap(); // it is being delivered, so that the next one stays in the mailbox
    }
    client
}

/// Loads the server by a client whose history has to be sound.
fn load(backend: &str, server: &Server, expected: &str) {
    let history = History::new(&format!("filled-{backend}"));
    let flags = format!("-c 1 --depth 4 -d 500ms --expect {expected} --reconnect --allow-refusals");
    let loaded = run(&mut history.load(&server.address.to_string(), &flags), "");
    assert_eq!(loaded.code, Some(0), "{backend}: {loaded:?}");
    check(backend, &history, "");
}

#[test]
fn a_server_that_is_full_stays_within_its_memory() {
    on(backends(), filled);
}
