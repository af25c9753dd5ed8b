//! What can be said on the command line. Defaults that are somebody else's are asked of their owner, and what
//! there is to choose from is the [`Catalogue`](crate::catalogue::Catalogue)'s affair.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use common::{Backend, Limits, Overload};
use handlers::Language;
use handwritten::SERVERS;
use tracing::level_filters::LevelFilter;

use crate::address::host_and_port;
use crate::catalogue::{Framing, Served};
use crate::compare::arguments::Compare;
use crate::load::arguments::Load;
use crate::quantity::{Size, Time, size_above_zero, time_above_zero};
use crate::{client, service};

/// Write the handler once; serve it on any loop
#[derive(Debug, Parser)]
#[command(name = "anyloop", version, max_term_width = 100, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) task: Task,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Task {
    /// Serve a handler on a backend, until SIGINT, SIGTERM or SIGHUP
    #[command(after_help = SERVE_EXIT_CODES)]
    Serve(Box<Serve>),
    /// Talk to a server: from a terminal, or through a pipe
    #[command(after_help = CLIENT_EXIT_CODES)]
    Client(Client),
    /// Make load for a server, and see what that shows
    #[command(after_help = LOAD_EXIT_CODES)]
    Load(Box<Load>),
    /// Compare the backends under the same load: which of them suits it
    #[command(after_help = COMPARE_EXIT_CODES)]
    Compare(Box<Compare>),
    /// Serve lines by a server that was written by hand, for `compare --baselines`
    #[command(hide = true)]
    Baseline(ByHand),
    /// List the backends, and what they can do
    Backends(List),
    /// List the handlers
    Handlers(List),
    /// Write the completions for a shell to standard output
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write a manual page to standard output
    Man {
        /// The command that the page is about [default: all of it]
        command: Option<String>,
    },
}

/// What `serve` is told.
#[derive(Args)]
pub(crate) struct Serve {
    /// What serves: the concurrency model
    #[arg(long, env = "ANYLOOP_BACKEND", default_value = "smol", value_parser = chosen::<&dyn Backend>)]
    pub(crate) backend: &'static dyn Backend,

    /// What is served
    #[arg(long, env = "ANYLOOP_HANDLER", default_value = "counter", value_parser = chosen::<Served>)]
    pub(crate) handler: Served,

    /// Where a message ends, for a handler that leaves it open [default: line]
    #[arg(long, env = "ANYLOOP_FRAMING", value_parser = chosen::<Framing>)]
    pub(crate) framing: Option<Framing>,

    /// The address to listen on; port 0 is any free one
    #[arg(long, env = "ANYLOOP_LISTEN", value_name = "HOST:PORT", default_value = "127.0.0.1:8888", value_parser = host_and_port)]
    pub(crate) listen: String,

    /// How many threads work [default: the cores]
    #[arg(long, env = "ANYLOOP_WORKERS", value_name = "COUNT", value_parser = service::workers)]
    pub(crate) workers: Option<NonZeroUsize>,

    /// The stack of each connection's thread, where a backend has such threads [default: the backend's]
    #[arg(long, env = "ANYLOOP_STACK_SIZE", value_name = "SIZE", value_parser = service::stack_size)]
    pub(crate) stack_size: Option<NonZeroUsize>,

    #[arg(long, env = "ANYLOOP_BLOCKING_THREADS", value_name = "COUNT", value_parser = service::blocking_threads, help = service::blocking_threads_help())]
    pub(crate) blocking_threads: Option<NonZeroUsize>,

    #[arg(long, env = "ANYLOOP_MAX_CONNECTIONS", help_heading = LIMITS, value_name = "COUNT", help = service::max_connections_help())]
    pub(crate) max_connections: Option<NonZeroUsize>,

    /// What becomes of the clients beyond --max-connections [default: refuse]
    #[arg(long, env = "ANYLOOP_OVERLOAD", help_heading = LIMITS, value_parser = overloads())]
    pub(crate) overload: Option<Overload>,

    /// The longest message, without its line end or length
    #[arg(long, env = "ANYLOOP_MAX_MESSAGE", help_heading = LIMITS, value_name = "SIZE", value_parser = size_above_zero,
          default_value_t = Size(Limits::default().max_message))]
    pub(crate) max_message: Size,

    /// How long a client may be silent between two messages; 0 is for ever
    #[arg(long, env = "ANYLOOP_IDLE_TIMEOUT", help_heading = LIMITS, value_name = "TIME",
          default_value_t = Time(Limits::default().idle_timeout.unwrap_or_default()))]
    pub(crate) idle_timeout: Time,

    /// How long a message may take from its first byte to its last
    #[arg(long, env = "ANYLOOP_MESSAGE_TIMEOUT", help_heading = LIMITS, value_name = "TIME", value_parser = time_above_zero,
          default_value_t = Time(Limits::default().message_timeout))]
    pub(crate) message_timeout: Time,

    /// How long a client may take no byte of its replies
    #[arg(long, env = "ANYLOOP_WRITE_TIMEOUT", help_heading = LIMITS, value_name = "TIME", value_parser = time_above_zero,
          default_value_t = Time(Limits::default().write_timeout))]
    pub(crate) write_timeout: Time,

    /// How long conversations may go on once the server was told to stop
    #[arg(long, env = "ANYLOOP_DRAIN_TIMEOUT", help_heading = LIMITS, value_name = "TIME",
          default_value_t = Time(Limits::default().drain_timeout))]
    pub(crate) drain_timeout: Time,

    /// The language of the handler `counter` [default: zh if the locale (LC_ALL, LC_MESSAGES, LANG) is Chinese,
    /// else en]
    #[arg(long, env = "ANYLOOP_LANGUAGE", help_heading = HANDLERS_OWN, value_parser = languages())]
    pub(crate) language: Option<Language>,

    #[arg(long, env = "ANYLOOP_WORK", help_heading = HANDLERS_OWN, value_name = "LOAD", value_parser = service::load, help = service::work_help())]
    pub(crate) work: Option<handlers::Load>,

    /// How the log on standard error is written
    #[arg(long, env = "ANYLOOP_LOG_FORMAT", help_heading = BOOKS, value_enum, default_value_t = LogFormat::Text)]
    pub(crate) log_format: LogFormat,

    /// The least urgent events that are logged
    #[arg(long, env = "ANYLOOP_LOG_LEVEL", help_heading = BOOKS, default_value = "info", value_parser = log_levels())]
    pub(crate) log_level: LevelFilter,

    /// The file for the receipt, a JSON object that accounts for every client; `-` is standard output
    #[arg(long, env = "ANYLOOP_RECEIPT", help_heading = BOOKS, value_name = "FILE")]
    pub(crate) receipt: Option<PathBuf>,
}

/// What `baseline` is told.
#[derive(Debug, Args)]
pub(crate) struct ByHand {
    /// Which
    #[arg(value_parser = PossibleValuesParser::new(SERVERS.iter().map(|baseline| baseline.name)))]
    pub(crate) name: String,

    /// The address to listen on; port 0 is any free one
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:0", value_parser = host_and_port)]
    pub(crate) listen: String,

    /// How many threads work [default: the cores]
    #[arg(long, value_name = "COUNT", value_parser = service::workers)]
    pub(crate) workers: Option<NonZeroUsize>,
}

/// What `client` is told.
#[derive(Args, Debug)]
pub(crate) struct Client {
    /// The server's address
    #[arg(value_name = "HOST:PORT", value_parser = host_and_port)]
    pub(crate) address: String,

    /// Where a message ends; `raw` takes turns: a reply, a message, a reply
    #[arg(long, env = "ANYLOOP_FRAMING", default_value = common::Framing::ALL[0].name(), value_parser = chosen::<Framing>)]
    pub(crate) framing: Framing,

    /// The longest reply that is taken
    #[arg(long, env = "ANYLOOP_MAX_REPLY", value_name = "SIZE", value_parser = size_above_zero,
          default_value_t = Size(client::max_reply()))]
    pub(crate) max_reply: Size,

    /// How long the server may be silent once no more will be said to it, and in `raw` after each line of a pipe; 0 is
    /// for ever
    #[arg(long, env = "ANYLOOP_REPLY_TIMEOUT", value_name = "TIME", default_value_t = Time(client::REPLY_TIMEOUT))]
    pub(crate) reply_timeout: Time,
}

/// How a list is written.
#[derive(Args, Debug)]
pub(crate) struct List {
    /// As JSON, for programs
    #[arg(long)]
    pub(crate) json: bool,
}

/// How a log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// A line for people
    Text,
    /// A line with a JSON object
    Json,
}

impl Serve {
    /// The framing, which a handler needs.
    pub(crate) fn framing(&self) -> Framing {
        self.framing.unwrap_or_else(|| Framing::built_in()[0])
    }
}

impl std::fmt::Debug for Serve {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Serve").field("backend", &self.backend.name()).finish_non_exhaustive()
    }
}

/// Stands where the catalogue puts its values.
pub(crate) fn chosen<T>(name: &str) -> Result<T, String> {
    Err(format!("there is nothing to choose `{name}` from"))
}

fn overloads() -> impl TypedValueParser<Value = Overload> {
    PossibleValuesParser::new([
        PossibleValue::new("queue").help("they wait until somebody leaves"),
        PossibleValue::new("refuse").help("they are told so, and let go"),
    ])
    .map(|name| if name == "queue" { Overload::Queue } else { Overload::Refuse })
}

fn languages() -> impl TypedValueParser<Value = Language> {
    PossibleValuesParser::new(["zh", "en"])
        .map(|name| if name == "en" { Language::English } else { Language::Chinese })
}

fn log_levels() -> impl TypedValueParser<Value = LevelFilter> {
    PossibleValuesParser::new(["off", "error", "warn", "info", "debug", "trace"])
        .try_map(|name| name.parse::<LevelFilter>())
}

const EXIT_CODES: &str = "\
Exit codes: 0, it went well; 1, it went wrong; 2, wrong usage. \
The help of a command says more.";

const SERVE_EXIT_CODES: &str = "\
Once it listens it says `listening on ADDRESS:PORT` on standard output; its log goes to standard error. \
SIGINT, SIGTERM or SIGHUP lets the clients drain; another one, a second later or more, ends at once. Under \
`nohup` SIGHUP does nothing.

Exit codes: 0, every client came to an end of its own or was drained; 1, clients had to be cut off, or \
serving failed or could not begin, such as on an address that is in use; 2, wrong usage.";

const CLIENT_EXIT_CODES: &str = "\
At a terminal, messages are typed at a prompt and replies shown as they come; `exit` or Ctrl-D ends, \
Ctrl-C at once. Otherwise every line of standard input is a message, and every reply a line of standard output. At a \
terminal, what could direct it is shown escaped, such as `\\x1b`; a pipe or a file gets the bytes as they came.

Exit codes: 0, the conversation came to its end; 1, there is no server, or it vanished, ended with an error (`ERR …`) for \
its last reply, without any reply, or before it took or answered the messages, was silent for too long, or said what is no \
reply; 2, wrong usage.";

const LOAD_EXIT_CODES: &str = "\
Every reply is verified. A table goes to standard output; at a terminal, a line on standard error tells how \
it goes. Ctrl-C ends early, and shows what there is.

Exit codes, the first that applies: 2, wrong usage; 4, replies were lost, doubled, reordered, foreign, wrong, or \
more than were asked for; 1, the --slo was missed, connections failed, or no reply came; 0.";

const COMPARE_EXIT_CODES: &str = "\
Every reply is verified. A table goes to standard output, and the reports to the folder of --output: report.html, \
report.md and report.json. Ctrl-C ends early, and shows what there is; its reports are called report-interrupted, so \
that complete ones stay. A backend that this machine can't run is listed as not available, and fails nothing.

Exit codes, the first that applies: 2, wrong usage, or a --baseline that nothing here can be held against; 4, \
replies were lost, doubled, reordered, foreign, wrong, or more than were asked for, or a server failed; 1, the \
objective was missed, something has regressed, or nothing was measured; 3, the rounds differ too much to tell; 0.";

/// The headings of the help.
const LIMITS: &str = "Limits";
const HANDLERS_OWN: &str = "Of one handler";
const BOOKS: &str = "Log and receipt";

#[cfg(test)]
mod tests {
    use crate::catalogue::Catalogue;

    #[test]
    fn the_command_line_is_sound() {
        Catalogue::built_in().command("anyloop").debug_assert();
    }
}
