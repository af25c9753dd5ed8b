//! What `load` is told.

use std::fmt::Display;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use load::plan::{Arrivals, Expect, HIGHEST_RATE, MOST_CONNECTIONS, MOST_IN_FLIGHT, MOST_THREADS, Sizes};
use load::slo::Slo;

use crate::address::host_and_port;
use crate::arguments::chosen;
use crate::catalogue::Framing;
use crate::quantity::{Time, time_above_zero};

/// What `load` is told: a load to make, or measurements to merge.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Load {
    #[command(subcommand)]
    pub(crate) merge: Option<Merging>,

    #[command(flatten)]
    pub(crate) run: Run,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Merging {
    /// Merge measurements of several machines, from their JSON files, without loss
    Merge(Merge),
}

#[derive(Args, Debug)]
pub(crate) struct Merge {
    /// The files that `load --json` has written
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    #[command(flatten)]
    pub(crate) exports: Exports,
}

/// What load to make, and how to judge what it shows.
#[derive(Args, Debug)]
pub(crate) struct Run {
    /// The server's address
    #[arg(required = true, value_name = "HOST:PORT", value_parser = host_and_port)]
    pub(crate) address: Option<String>,

    /// Where a message ends, and a reply
    #[arg(long, env = "ANYLOOP_FRAMING", default_value = common::Framing::ALL[0].name(), value_parser = chosen::<Framing>)]
    pub(crate) framing: Framing,

    /// How many connections
    #[arg(long, env = "ANYLOOP_CONNECTIONS", value_name = "COUNT", value_parser = count(1, MOST_CONNECTIONS), default_value_t = 64)]
    pub(crate) connections: usize,

    /// How many messages each connection may have in flight
    #[arg(long, env = "ANYLOOP_DEPTH", value_name = "COUNT", value_parser = count(1, MOST_IN_FLIGHT), default_value_t = 1)]
    pub(crate) depth: usize,

    /// Messages per second, whatever the server does: an open loop [default: a closed loop, in which a
    /// message is sent when a reply has come]
    #[arg(long, env = "ANYLOOP_RATE", value_name = "NUMBER", value_parser = rate)]
    pub(crate) rate: Option<f64>,

    /// How the messages of an open loop are spread in time
    #[arg(long, env = "ANYLOOP_ARRIVALS", default_value = "constant", value_parser = arrivals())]
    pub(crate) arrivals: Arrivals,

    /// How long is measured
    #[arg(long, env = "ANYLOOP_DURATION", value_name = "TIME", value_parser = time_above_zero,
          default_value_t = Time(Duration::from_secs(10)))]
    pub(crate) duration: Time,

    /// How long load is made before that
    #[arg(long, env = "ANYLOOP_WARMUP", value_name = "TIME", default_value_t = Time(Duration::from_secs(1)))]
    pub(crate) warmup: Time,

    /// How long the messages are, in bytes, a line with its end: fixed:SIZE, uniform:LEAST-MOST, or
    /// list:SIZE,SIZE…
    #[arg(long, env = "ANYLOOP_MESSAGE_SIZE", value_name = "SIZES", default_value = "fixed:32", value_parser = sizes)]
    pub(crate) message_size: Sizes,

    /// How many connections are made in a second at the most [default: as fast as it goes]
    #[arg(long, env = "ANYLOOP_CONNECT_RATE", value_name = "NUMBER", value_parser = rate)]
    pub(crate) connect_rate: Option<f64>,

    /// After so many messages a connection is closed and made anew [default: never]
    #[arg(long, env = "ANYLOOP_MESSAGES_PER_CONNECTION", value_name = "COUNT", value_parser = count(1, u64::MAX))]
    pub(crate) messages_per_connection: Option<u64>,

    /// So many clients that say nothing, beside the measured ones
    #[arg(long, env = "ANYLOOP_IDLE", value_name = "COUNT", value_parser = count(0, MOST_CONNECTIONS), default_value_t = 0)]
    pub(crate) idle: usize,

    /// So many clients that send without end and read next to nothing
    #[arg(long, env = "ANYLOOP_SLOW_READERS", value_name = "COUNT", value_parser = count(0, MOST_CONNECTIONS), default_value_t = 0)]
    pub(crate) slow_readers: usize,

    /// So many clients that send a byte now and then
    #[arg(long, env = "ANYLOOP_SLOW_WRITERS", value_name = "COUNT", value_parser = count(0, MOST_CONNECTIONS), default_value_t = 0)]
    pub(crate) slow_writers: usize,

    /// What the replies should be [default: found out by asking]
    #[arg(long, env = "ANYLOOP_EXPECT", value_parser = expects())]
    pub(crate) expect: Option<Expect>,

    /// What the server promises, such as p99=5ms: of p50, p90, p99, p99.9, p99.99 and max
    #[arg(long, env = "ANYLOOP_SLO", value_name = "SLO", allow_hyphen_values = true)]
    pub(crate) slo: Option<Slo>,

    /// Search the highest rate that keeps the --slo
    #[arg(long, requires = "slo", conflicts_with_all = ["rate", "messages_per_connection"])]
    pub(crate) find_max_rate: bool,

    /// How many event loops make the load; one is enough for most servers
    #[arg(long, env = "ANYLOOP_THREADS", value_name = "COUNT", value_parser = count(1, MOST_THREADS), default_value_t = 1)]
    pub(crate) threads: usize,

    /// What everything that is drawn by chance begins with
    #[arg(long, env = "ANYLOOP_SEED", value_name = "NUMBER", value_parser = count(0, u64::MAX), default_value_t = 1)]
    pub(crate) seed: u64,

    /// The server's process, on this machine, to see what it uses
    #[arg(long, value_name = "PID", value_parser = count(1, MOST_PROCESSES))]
    pub(crate) server_pid: Option<u32>,

    #[command(flatten)]
    pub(crate) exports: Exports,
}

/// Where to write what was measured, beside the table on standard output.
#[derive(Args, Debug)]
pub(crate) struct Exports {
    /// A file for the measurement as JSON; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// A file for the measurement as CSV; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) csv: Option<PathBuf>,

    /// A file for the latency's percentiles as HdrHistogram's plotters read them; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) hgrm: Option<PathBuf>,
}

/// The highest number of a process.
const MOST_PROCESSES: u32 = i32::MAX as u32;

/// A count within these bounds.
pub(crate) fn count<T>(least: T, most: T) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync
where
    T: FromStr + PartialOrd + Display + Copy + Send + Sync,
{
    move |text| {
        // A sign is none of the digits that are asked for.
        let number = text.parse::<T>().ok().filter(|_| !text.starts_with('+'));
        number.filter(|number| (least..=most).contains(number)).ok_or_else(|| {
            format!("`{text}` is no count from {least} to {most}; write one in digits, such as {least}")
        })
    }
}

/// `15000`, `15k`, `1.5M`.
pub(crate) fn rate(text: &str) -> Result<f64, String> {
    let (number, factor) = match text.strip_suffix('k').map(|number| (number, 1e3)) {
        Some(thousands) => thousands,
        None => text.strip_suffix('M').map_or((text, 1.0), |number| (number, 1e6)),
    };
    let rate = number.parse::<f64>().ok().map(|number| number * factor);
    let rate = rate.filter(|rate| !rate.is_nan() && *rate > 0.0).ok_or_else(|| {
        format!("`{text}` is no rate; write a number above 0 per second, such as 15000, 15k or 0.5")
    })?;
    if rate > HIGHEST_RATE {
        let most = HIGHEST_RATE / 1e6;
        return Err(format!("`{text}` is too high a rate; write at most {most}M per second"));
    }
    Ok(rate)
}

fn arrivals() -> impl TypedValueParser<Value = Arrivals> {
    PossibleValuesParser::new([
        PossibleValue::new("constant").help("at equal distances"),
        PossibleValue::new("poisson").help("by chance, as if by many users who know nothing of each other"),
    ])
    .map(|name| if name == "poisson" { Arrivals::Poisson } else { Arrivals::Constant })
}

fn expects() -> impl TypedValueParser<Value = Expect> {
    PossibleValuesParser::new([
        PossibleValue::new("echo").help("the message itself"),
        PossibleValue::new("counter").help("what the handler `counter` says, in Chinese"),
        PossibleValue::new("counter-en").help("what the handler `counter` says, in English"),
        PossibleValue::new("ack").help("what the handler `ack` says"),
        PossibleValue::new("any").help("any reply for each message, and no greeting"),
        PossibleValue::new("greeted").help("any greeting, and then any reply for each message"),
    ])
    .map(|name| match name.as_str() {
        "echo" => Expect::Echo,
        "counter" => Expect::Counter,
        "counter-en" => Expect::CounterEnglish,
        "ack" => Expect::Ack,
        "greeted" => Expect::Greeted,
        _ => Expect::Any,
    })
}

/// `fixed:32`, `uniform:16-512`, `list:32,64,512`.
pub(crate) fn sizes(text: &str) -> Result<Sizes, String> {
    let sizes = text.split_once(':').and_then(|(kind, sizes)| {
        let size = |text: &str| text.trim().parse::<usize>().ok();
        match kind {
            "fixed" => size(sizes).map(Sizes::Fixed),
            "uniform" => {
                let (least, most) = sizes.split_once('-')?;
                Some(Sizes::Uniform(size(least)?, size(most)?))
            }
            "list" => sizes.split(',').map(size).collect::<Option<_>>().map(Sizes::List),
            _ => None,
        }
    });
    let sizes = sizes.ok_or_else(|| {
        format!(
            "`{text}` is no choice of sizes; write one such as fixed:32, uniform:16-512 or list:32,64,512"
        )
    })?;
    sizes.check()?;
    Ok(sizes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read() {
        for (text, expected) in [("15000", 15_000.0), ("15k", 15_000.0), ("1.5M", 1_500_000.0), ("0.5", 0.5)]
        {
            assert_eq!(rate(text), Ok(expected));
        }
        assert_eq!(rate("1000M"), Ok(1e9));
        for text in ["", "k", "0", "-1", "NaN", "1K", "15 000", "ten", "1TiB"] {
            assert!(rate(text).unwrap_err().contains(&format!("`{text}` is no rate")), "{text}");
        }
        for text in ["1001M", "inf", "1e400", "18446744073709551616"] {
            assert!(rate(text).unwrap_err().contains("write at most 1000M per second"), "{text}");
        }
    }

    #[test]
    fn counts_have_bounds() {
        let count = count(2_usize, 9);
        assert_eq!((count("2"), count("9")), (Ok(2), Ok(9)));
        for text in ["1", "10", "-1", "+3", "ten", "10k", "", "18446744073709551616", "1TiB", "2.5"] {
            let error = count(text).unwrap_err();
            assert_eq!(error, format!("`{text}` is no count from 2 to 9; write one in digits, such as 2"));
        }
    }

    #[test]
    fn sizes_are_read() {
        assert_eq!(sizes("fixed:32"), Ok(Sizes::Fixed(32)));
        assert_eq!(sizes("uniform:16-512"), Ok(Sizes::Uniform(16, 512)));
        assert_eq!(sizes("list:32, 64,512"), Ok(Sizes::List(vec![32, 64, 512])));
        for text in ["32", "fixed:", "fixed:x", "uniform:16", "list:", "list:1,,2", "some:1"] {
            assert!(sizes(text).unwrap_err().contains(&format!("`{text}` is no choice")), "{text}");
        }
        assert_eq!(sizes("list:2,1048576"), Ok(Sizes::List(vec![2, 1_048_576])));
        for text in ["fixed:1", "fixed:1048577", "uniform:9-3", "list:2,1"] {
            assert!(sizes(text).unwrap_err().contains("choose sizes from 2 to 1048576"), "{text}");
        }
    }
}
