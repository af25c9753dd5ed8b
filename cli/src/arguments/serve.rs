//! The arguments of `serve`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use common::{Limits, MailboxFull, Overload};
use proxy_header::Proxies;
use serving::Backend;
use tracing::level_filters::LevelFilter;

use super::admin::Admin;
use super::{Tls, boolean, chosen};
use crate::address::Target;
use crate::catalogue::{Framing, Served};
use crate::flags::Given;
use crate::quantity::{Size, Time, nonzero, size_above_zero, time_above_zero};
use crate::service;

/// The arguments of `serve`.
#[derive(Args)]
#[group(skip)]
pub(crate) struct Serve {
    /// Backend to run: the concurrency model
    #[arg(short, long, env, default_value = "smol", value_parser = chosen::<&dyn Backend>)]
    pub(crate) backend: &'static dyn Backend,

    /// Handler to serve
    #[arg(long, env, default_value = "counter", value_parser = chosen::<Served>)]
    pub(crate) handler: Served,

    /// Framing of the messages, for a handler that works with any framing [default: line]
    #[arg(long, env, value_parser = chosen::<Framing>)]
    pub(crate) framing: Option<Framing>,

    /// Address to listen on, or path of a Unix socket; port 0 means any free port
    #[arg(long, env, value_name = "HOST:PORT|unix:PATH", default_value = "127.0.0.1:8888")]
    pub(crate) listen: Target,

    /// Accept clients from other machines: without it, --listen takes only loopback addresses and Unix sockets
    #[arg(long, env, value_parser = boolean)]
    pub(crate) expose: bool,

    /// Proxies that send a PROXY header with the client's address: networks such as 10.0.0.0/8, addresses, or unix for all
    /// clients of a Unix socket, with commas between them. They must send it, and others must not
    #[arg(long, env, value_name = "NETWORKS")]
    pub(crate) proxy_from: Option<Proxies>,

    /// Permissions of the Unix socket in octal, such as 660 [default: the umask's]
    #[arg(long, env, value_name = "MODE", value_parser = mode)]
    pub(crate) listen_mode: Option<u32>,

    /// Number of worker threads [default: the number of cores]
    #[arg(short = 't', long, env, value_name = "COUNT", value_parser = service::workers)]
    pub(crate) workers: Option<NonZeroUsize>,

    /// Stack size of each connection's thread, on backends that have such threads [default: the backend's]
    #[arg(long, env, value_name = "SIZE", value_parser = service::stack_size)]
    pub(crate) stack_size: Option<NonZeroUsize>,

    #[arg(long, env, value_name = "COUNT", value_parser = service::blocking_threads, help = service::blocking_threads_help())]
    pub(crate) blocking_threads: Option<NonZeroUsize>,

    #[arg(short = 'c', long, env, help_heading = LIMITS, value_name = "COUNT", value_parser = nonzero, help = service::max_connections_help())]
    pub(crate) max_connections: Option<NonZeroUsize>,

    /// What to do with clients beyond --max-connections [default: refuse]
    #[arg(long, env, help_heading = LIMITS, value_parser = overloads())]
    pub(crate) overload: Option<Overload>,

    /// Longest message, without its line end or length prefix
    #[arg(long, env, help_heading = LIMITS, value_name = "SIZE", value_parser = size_above_zero,
          default_value_t = Size(Limits::default().max_message))]
    pub(crate) max_message: Size,

    /// Longest time that a client may be idle between two messages; 0 means for ever
    #[arg(long, env, help_heading = LIMITS, value_name = "TIME",
          default_value_t = Time(Limits::default().idle_timeout.unwrap_or_default()))]
    pub(crate) idle_timeout: Time,

    /// Longest time from the first byte of a message to its last
    #[arg(long, env, help_heading = LIMITS, value_name = "TIME", value_parser = time_above_zero,
          default_value_t = Time(Limits::default().message_timeout))]
    pub(crate) message_timeout: Time,

    /// Longest time without progress in sending replies to a client
    #[arg(long, env, help_heading = LIMITS, value_name = "TIME", value_parser = time_above_zero,
          default_value_t = Time(Limits::default().write_timeout))]
    pub(crate) write_timeout: Time,

    /// Least rate at which a client receives replies that wait for it, in bytes a second over 30s; 0 means any
    #[arg(long, env, help_heading = LIMITS, value_name = "SIZE", default_value_t = Size(Limits::default().min_rate))]
    pub(crate) min_rate: Size,

    /// Longest time that a handler may take for an answer that it gives later
    #[arg(long, env, help_heading = LIMITS, value_name = "TIME", value_parser = time_above_zero,
          default_value_t = Time(Limits::default().answer_timeout))]
    pub(crate) answer_timeout: Time,

    /// Longest time for conversations to end after the server was told to stop
    #[arg(long, env, help_heading = LIMITS, value_name = "TIME",
          default_value_t = Time(Limits::default().drain_timeout))]
    pub(crate) drain_timeout: Time,

    /// Size of the mailbox of a client, for messages that other clients send to it: each takes its length and 64 bytes
    #[arg(long, env, help_heading = LIMITS, value_name = "SIZE", value_parser = size_above_zero,
          default_value_t = Size(Limits::default().mailbox))]
    pub(crate) mailbox: Size,

    /// What to do with a client whose mailbox is full
    #[arg(long, env, help_heading = LIMITS, value_parser = mailboxes_full(), default_value_t = Limits::default().mailbox_full)]
    pub(crate) mailbox_full: MailboxFull,

    /// Format of the log on standard error
    #[arg(long, env, help_heading = RECORDS, value_enum, default_value_t = LogFormat::Text)]
    pub(crate) log_format: LogFormat,

    /// Lowest level of events to log
    #[arg(long, env, help_heading = RECORDS, default_value = "info", value_parser = log_levels())]
    pub(crate) log_level: LevelFilter,

    /// Log every client, like --log-level debug
    #[arg(short, long, help_heading = RECORDS, conflicts_with = "log_level")]
    pub(crate) verbose: bool,

    /// Log the statistics at this interval; 0 means never. SIGUSR1 logs them once
    #[arg(long, env = "ANYLOOP_SERVE_STATS", help_heading = RECORDS, value_name = "TIME")]
    pub(crate) stats: Option<Time>,

    /// File for the receipt, a JSON object that accounts for every client; `-` is standard output
    #[arg(long, env, help_heading = RECORDS, value_name = "FILE")]
    pub(crate) receipt: Option<PathBuf>,

    /// Print the effective limits and the most memory that they allow, as lines of NAME = VALUE, and exit
    #[arg(long, help_heading = RECORDS)]
    pub(crate) show_config: bool,

    #[command(flatten)]
    pub(crate) tls: Tls,

    #[command(flatten)]
    pub(crate) admin: Admin,

    #[command(flatten)]
    pub(crate) flags: Given,
}

/// The permissions of a file, in octal.
fn mode(text: &str) -> Result<u32, String> {
    let is_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let mode = u32::from_str_radix(text, 8).ok().filter(|mode| is_digits && *mode <= 0o777);
    mode.ok_or_else(|| "it is no octal number from 0 to 777; write one such as 660".to_owned())
}

/// The format of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// A line for people
    Text,
    /// A line with a JSON object
    Json,
}

impl Serve {
    /// The framing for a handler.
    pub(crate) fn framing(&self) -> Framing {
        self.framing.unwrap_or_else(|| Framing::built_in()[0])
    }

    /// The lowest level of events that are logged.
    pub(crate) fn log_level(&self) -> LevelFilter {
        if self.verbose { LevelFilter::DEBUG } else { self.log_level }
    }
}

impl std::fmt::Debug for Serve {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Serve").field("backend", &self.backend.name()).finish_non_exhaustive()
    }
}

fn overloads() -> impl TypedValueParser<Value = Overload> {
    PossibleValuesParser::new([
        PossibleValue::new("queue").help("they wait until another client leaves"),
        PossibleValue::new("refuse").help("they get `ERR busy`, and their connection is closed"),
    ])
    .map(|name| if name == "queue" { Overload::Queue } else { Overload::Refuse })
}

fn mailboxes_full() -> impl TypedValueParser<Value = MailboxFull> {
    PossibleValuesParser::new([
        PossibleValue::new("close").help("its connection is closed"),
        PossibleValue::new("refuse").help("further messages to it are refused until there is room"),
        PossibleValue::new("drop-oldest").help("its oldest messages are dropped"),
    ])
    .map(|name| match name.as_str() {
        "close" => MailboxFull::Close,
        "refuse" => MailboxFull::Refuse,
        _ => MailboxFull::DropOldest,
    })
}

fn log_levels() -> impl TypedValueParser<Value = LevelFilter> {
    PossibleValuesParser::new(["off", "error", "warn", "info", "debug", "trace"])
        .try_map(|name| name.parse::<LevelFilter>())
}

/// The headings of the help.
const LIMITS: &str = "Limits";
const RECORDS: &str = "Log and receipt";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_is_an_octal_number_to_777() {
        for (text, expected) in [("0", 0), ("660", 0o660), ("0660", 0o660), ("776", 0o776), ("777", 0o777)] {
            assert_eq!(mode(text), Ok(expected));
        }
        for text in ["", "778", "1000", "0o660", "+660", "-1", "rw", "66 0", "99999999999"] {
            assert!(mode(text).unwrap_err().contains("from 0 to 777; write one such as 660"), "{text:?}");
        }
    }
}
