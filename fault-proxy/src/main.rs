//! `anyloop-fault-proxy`: the proxy as a program.

#![forbid(unsafe_code)]

use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};

use anyloop_fault_proxy::{Fault, Proxy, Settings};
use clap::Parser;

/// Relay TCP connections to a server, and disturb them: delays, splits, stalls, resets and more, from a seed
///
/// It prints `listening on ADDRESS:PORT`, and serves until a signal ends it.
#[derive(Debug, Parser)]
#[command(name = "anyloop-fault-proxy", version, max_term_width = 100)]
struct Arguments {
    /// Address to listen on; port 0 means any free port
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    listen: SocketAddr,

    /// Address of the server
    #[arg(long, value_name = "ADDRESS:PORT")]
    to: SocketAddr,

    /// Seed of all random choices
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,

    /// Faults that take part: delay, jitter, split, coalesce, stall, throttle, half-close, reset, truncate [default: all]
    #[arg(long, value_name = "FAULT,…", value_delimiter = ',')]
    faults: Vec<Fault>,

    /// Share of the connections to which each fault is applied, from 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.5, value_parser = share)]
    chance: f64,

    /// Print what each connection suffers
    #[arg(short, long)]
    verbose: bool,
}

fn main() -> io::Result<()> {
    let Arguments { listen, to, seed, mut faults, chance, verbose } = Arguments::parse();
    if faults.is_empty() {
        faults = Fault::ALL.into();
    }
    let listener = TcpListener::bind(listen)
        .map_err(|error| io::Error::new(error.kind(), format!("can't listen on {listen}: {error}")))?;
    let proxy = Proxy::start_with(listener, to, Settings { seed, faults, chance }, move |number, script| {
        if verbose {
            // A reader that has gone misses it.
            let _ = writeln!(io::stdout(), "connection {number}: {script}");
        }
    })?;
    writeln!(io::stdout(), "listening on {}", proxy.address())?;
    proxy.wait();
    Ok(())
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| format!("`{text}` is no share; write a number from 0 to 1"))
}
