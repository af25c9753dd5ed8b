//! How long a server computes in each step of a handshake, without sockets: `cargo bench -p anyloop-tls`.
//!
//! A step is one call of `Transform::open`. What takes more than 100 µs must run where it may block.

#![allow(clippy::print_stdout, reason = "it is a program")]

#[path = "../../examples/testing/certificates.rs"]
mod certificates;
#[path = "../tests/tls/pair.rs"]
mod pair;

use std::time::{Duration, Instant};

use common::Blocking;

use self::certificates::{Authority, Wanted};
use self::pair::{Pair, acceptor, connector, served, trusting};

fn main() {
    let rounds = if std::env::args().any(|argument| argument == "--test") { 1 } else { 2000 };
    let authority = Authority::new("ours");
    let rsa = Wanted { is_rsa: true, ..Wanted::default() };
    let client = authority.issue("client", &["client.example"]);
    println!("server's computation in µs: median and 99th percentile of each step, and whether it may block");
    for (algorithm, wanted) in [("RSA-2048", rsa), ("P-256", Wanted::default())] {
        let files = authority.issue_as("server", &["example.org"], wanted);
        for version in ["1.3", "1.2"] {
            for kind in ["full", "resumed", "mutual"] {
                let mut settings = trusting(&authority);
                let mut server = served(&files);
                if version == "1.2" {
                    settings = settings.with_only_tls12();
                }
                match kind {
                    "full" => settings = settings.with_full_handshakes(),
                    "mutual" => {
                        settings = settings.with_certificate(&client.certificate, &client.key);
                        server = server.with_client_authorities(authority.file());
                    }
                    _ => {}
                }
                let (acceptor, connector) = (acceptor(server), connector(&settings));
                Pair::new(&acceptor, &connector, "example.org").shake().expect("a handshake");
                let measured: Vec<_> =
                    (0..rounds).map(|_| steps(Pair::new(&acceptor, &connector, "example.org"))).collect();
                print!("{algorithm:8} TLS {version} {kind:8}");
                for step in 0..measured[0].len() {
                    let mut times: Vec<Duration> = measured.iter().map(|steps| steps[step].0).collect();
                    times.sort();
                    let microseconds =
                        |part: usize| times[(times.len() - 1) * part / 100].as_secs_f64() * 1e6;
                    let place =
                        if measured[0][step].1 == Blocking::MayBlock { "may block" } else { "on the loop" };
                    print!("  {:7.1} {:7.1} {place:11}", microseconds(50), microseconds(99));
                }
                println!();
            }
        }
    }
}

/// The time of each step of the server, and whether it was to run where it may block.
fn steps(mut pair: Pair) -> Vec<(Duration, Blocking)> {
    let mut steps = Vec::new();
    while !pair.client.sent.is_empty() || !pair.server.sent.is_empty() {
        let (sent, answered) = (std::mem::take(&mut pair.client.sent), std::mem::take(&mut pair.server.sent));
        if !sent.is_empty() {
            let blocking = pair.server.transform.blocking();
            let start = Instant::now();
            pair.server.receive(&sent);
            steps.push((start.elapsed(), blocking));
        }
        pair.client.receive(&answered);
    }
    steps
}
