//! The proxy as a product: a command with its own name, flags and handler, and no others.

#![forbid(unsafe_code)]

use std::io;
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::Arc;

use anyloop::Handler;
use anyloop_cli::clap;
use anyloop_cli::quantity::{Time, count, time_above_zero};
use proxy::{Proxy, Upstream};

/// The flags of the proxy.
#[derive(clap::Args)]
struct Flags {
    /// Server that gets the lines, and answers each with one line
    #[arg(long, value_name = "HOST:PORT", value_parser = address)]
    upstream: String,

    /// Connections to it, each with a thread
    #[arg(long, value_name = "COUNT", default_value = "8", value_parser = nonzero(1000))]
    upstream_connections: NonZeroUsize,

    /// Most messages that wait for a connection
    #[arg(long, value_name = "COUNT", default_value = "1000", value_parser = nonzero(100_000))]
    upstream_waiting: NonZeroUsize,

    /// How long it may take to connect, and to answer
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = time_above_zero)]
    upstream_timeout: Time,
}

fn address(text: &str) -> Result<String, String> {
    match text.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0) => {
            Ok(text.to_owned())
        }
        _ => Err(format!("`{text}` is no address; write HOST:PORT, such as 127.0.0.1:9999")),
    }
}

fn nonzero(most: usize) -> impl Fn(&str) -> Result<NonZeroUsize, String> + Clone + Send + Sync {
    let count = count(1, most);
    move |text| NonZeroUsize::new(count(text)?).ok_or_else(|| format!("`{text}` is zero; write 1 or more"))
}

fn start(flags: &Flags) -> io::Result<Arc<dyn Handler>> {
    Ok(Arc::new(Proxy::start(Upstream {
        address: flags.upstream.clone(),
        connections: flags.upstream_connections,
        waiting: flags.upstream_waiting,
        timeout: flags.upstream_timeout.0,
    })?))
}

fn main() -> ExitCode {
    anyloop_cli::Command::new()
        .name("proxy")
        .about("A proxy that passes lines to another server, over a few connections")
        .version(env!("CARGO_PKG_VERSION"))
        .without_builtins()
        .try_handler("proxy", "has each line answered by another server", start)
        .run()
}
