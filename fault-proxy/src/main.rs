//! `anyloop-fault-proxy`: the proxy as a program.

#![forbid(unsafe_code)]

use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::process::ExitCode;

use anyloop_fault_proxy::{Fault, Proxy, Settings};
use clap::Parser;

/// Relay TCP connections to a server, and disturb them: delays, splits, stalls, resets and more, from a seed
///
/// It prints `listening on ADDRESS:PORT`, and serves until a signal ends it.
#[derive(Debug, Parser)]
#[command(name = "anyloop-fault-proxy", version, max_term_width = 100, after_long_help = FAULTS)]
struct Arguments {
    /// Address or host name to listen on; port 0 means any free port
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:0", value_parser = address)]
    listen: String,

    /// Address or host name of the server
    #[arg(long, value_name = "HOST:PORT", value_parser = address)]
    to: String,

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

/// What is below the flags.
const FAULTS: &str = "\
Each connection draws how strong its faults are, and few bytes more often than many:
  delay         all bytes arrive 0.5 to 20 ms later
  jitter        each piece arrives later by another time, of at most 0.5 to 20 ms
  split         pieces of at most 2 to 64 bytes
  coalesce      up to 256 bytes to 16 KiB are collected, for at most 1 to 20 ms
  stall         nothing is passed on for 50 to 500 ms, once, after up to 64 KiB
  throttle      16 KiB to 1 MiB per second
  half-close    the client's output ends after up to 64 KiB, and replies are still passed on
  reset         both connections are reset after up to 64 KiB in one direction
  truncate      both connections are closed after up to 64 KiB in one direction
Each direction has its own of the first six. Of the last three a connection has at most one.

Exit codes: 1, it can't listen, or the host of the server can't be found; 2, wrong usage.";

fn main() -> ExitCode {
    match relay(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn relay(arguments: Arguments) -> io::Result<()> {
    let Arguments { listen, to, seed, mut faults, chance, verbose } = arguments;
    if faults.is_empty() {
        faults = Fault::ALL.into();
    }
    let to = found(&to)?;
    let listener = TcpListener::bind(&found(&listen)?[..])
        .map_err(|error| io::Error::new(error.kind(), format!("can't listen on {listen}: {error}")))?;
    let settings = Settings { seed, faults, chance };
    let proxy = Proxy::start_with(listener, &to[..], settings, move |number, script| {
        if verbose {
            // A reader that has gone misses it.
            let _ = writeln!(io::stdout(), "connection {number}: {script}");
        }
    })?;
    writeln!(io::stdout(), "listening on {}", proxy.address())?;
    proxy.wait();
    Ok(())
}

/// The addresses of a host and a port.
fn found(address: &str) -> io::Result<Vec<SocketAddr>> {
    let found = address.to_socket_addrs().map_err(|error| {
        io::Error::new(error.kind(), format!("the host of {address} can't be found: {error}"))
    });
    Ok(found?.collect())
}

/// Checks that there is a host and a port. The host is looked up later.
fn address(text: &str) -> Result<String, String> {
    let port = text.rsplit_once(':').filter(|(host, _)| !host.is_empty()).map(|(_, port)| port);
    match port.map(str::parse::<u16>) {
        Some(Ok(_)) => Ok(text.to_owned()),
        _ => Err("write HOST:PORT, such as localhost:8888".into()),
    }
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| format!("`{text}` is no share; write a number from 0 to 1"))
}
