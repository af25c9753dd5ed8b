//! The chat as a product: a command with its own name, flags and handler, and no others.

use std::convert::Infallible;
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::Arc;

use anyloop::Handler;
use anyloop_cli::clap;
use chat::Chat;

/// The flags of the chat.
#[derive(clap::Args)]
struct Flags {
    /// Most members of a room
    #[arg(long, value_name = "COUNT", default_value_t = Chat::MAX_MEMBERS)]
    max_members: NonZeroUsize,
}

fn open(flags: &Flags) -> Result<Arc<dyn Handler>, Infallible> {
    Ok(Arc::new(Chat::new(flags.max_members)))
}

fn main() -> ExitCode {
    anyloop_cli::Command::new()
        .name("chat")
        .about("A chat with rooms, for `nc` and for `chat client`")
        .version(env!("CARGO_PKG_VERSION"))
        .without_builtins()
        .try_handler("chat", "passes each line to the others in the room", open)
        .run()
}
