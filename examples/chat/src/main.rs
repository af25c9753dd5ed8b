//! The chat as a product: a command with its own name, flags and handler, and no others.

#![forbid(unsafe_code)]

use std::io;
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use anyloop::{Exchange, Handler};
use anyloop_cli::clap;
use anyloop_exchange_redis::{Options, RedisExchange};
use chat::Chat;

/// The flags of the chat.
#[derive(clap::Args)]
struct Flags {
    /// Most members of a room in this process
    #[arg(long, value_name = "COUNT", default_value_t = Chat::MAX_MEMBERS)]
    max_members: NonZeroUsize,

    /// Redis that connects the rooms of several processes, such as redis://127.0.0.1:6379
    #[arg(long, value_name = "URL", hide_env_values = true)] // it may contain a password
    exchange: Option<String>,
}

/// How long Redis may take to connect at the start, and to confirm the last messages at the end.
const PATIENCE: Duration = Duration::from_secs(5);

/// Opens the chat. Its exchange is left in `used`, so that its last messages can be awaited.
fn open(flags: &Flags, used: &OnceLock<Arc<RedisExchange>>) -> io::Result<Arc<dyn Handler>> {
    let Some(url) = &flags.exchange else {
        return Ok(Arc::new(Chat::new(flags.max_members)));
    };
    let exchange = RedisExchange::open_with(url, Options::default().with_prefix("anyloop-chat:"))?;
    let exchange = Arc::clone(used.get_or_init(|| Arc::new(exchange)));
    wait_until_ready(&exchange);
    Ok(Arc::new(Chat::across_processes(flags.max_members, exchange)))
}

/// Waits for Redis, so that the first member is not told that it is unreachable. The exchange warns if that fails.
fn wait_until_ready(exchange: &RedisExchange) {
    let deadline = Instant::now() + PATIENCE;
    while !exchange.wait_until_ready(Duration::from_millis(10))
        && exchange.counts().failures == 0
        && Instant::now() < deadline
    {}
}

fn main() -> ExitCode {
    let used: Arc<OnceLock<Arc<RedisExchange>>> = Arc::default();
    let (opened, checked) = (Arc::clone(&used), Arc::clone(&used));
    let code = anyloop_cli::Command::new()
        .name("chat")
        .about("A chat with rooms, for `nc` and for `chat client`")
        .version(env!("CARGO_PKG_VERSION"))
        .without_builtins()
        .try_handler("chat", "passes each line to the others in the room", move |flags| open(flags, &opened))
        .default_idle_timeout(None) // members listen for hours
        .configure(move |service| match checked.get().cloned() {
            Some(exchange) => service.with_ready_check(move || exchange.is_ready()),
            None => service,
        })
        .run();
    if let Some(exchange) = used.get() {
        exchange.wait_until_sent(PATIENCE); // the others are told who has left
    }
    code
}
