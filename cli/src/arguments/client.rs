//! The arguments of `client`.

use clap::Args;

use super::chosen;
use crate::address::Target;
use crate::catalogue::Framing;
use crate::client;
use crate::connector::Secure;
use crate::quantity::{Size, Time, size_above_zero};

/// The arguments of `client`.
#[derive(Args, Debug)]
pub(crate) struct Client {
    /// Address of the server
    #[arg(value_name = "HOST:PORT|unix:PATH")]
    pub(crate) address: Target,

    /// Framing of the messages; with `raw` client and server alternate: a reply, a message, a reply
    #[arg(long, env, default_value = common::Framing::ALL[0].name(), value_parser = chosen::<Framing>)]
    pub(crate) framing: Framing,

    /// Longest reply to accept
    #[arg(long, env, value_name = "SIZE", value_parser = size_above_zero,
          default_value_t = Size(client::max_reply()))]
    pub(crate) max_reply: Size,

    /// Longest time to wait for the server after the end of the input, and in `raw` after each line of a pipe; 0 waits
    /// for ever
    #[arg(long, env, value_name = "TIME", default_value_t = Time(client::REPLY_TIMEOUT))]
    pub(crate) reply_timeout: Time,

    #[command(flatten)]
    pub(crate) secure: Secure,
}
