//! `anyloop client`: at a terminal a [`dialogue`], otherwise a [`pipe`]; and in a framing such as `raw`,
//! which can't tell where a reply ends, [`turns`].

mod dialogue;
mod pipe;
mod terminal;
mod turns;
mod wire;

use std::env;
use std::io::{self, IsTerminal};
use std::net::TcpStream;
use std::time::Duration;

use common::Limits;

use crate::address;
use crate::arguments::Client;
use crate::failure::Failure;

/// Talks to a server until one of the two ends the conversation.
pub(crate) fn client(arguments: &Client) -> Result<(), Failure> {
    let socket = connect(&arguments.address)?;
    let at_terminal = io::stdin().is_terminal()
        && io::stdout().is_terminal()
        && io::stderr().is_terminal() // where the editor shows what is typed
        && env::var_os("TERM").is_none_or(|kind| kind != "dumb"); // which has no cursor to direct
    let max_reply = arguments.max_reply.0;
    match arguments.framing {
        framing if framing.is_certain() && at_terminal => dialogue::converse(&socket, framing, max_reply),
        framing if framing.is_certain() => pipe::converse(&socket, framing, max_reply),
        _ if at_terminal => turns::at_terminal(&socket),
        _ => turns::through_pipe(&socket),
    }
}

fn connect(address: &str) -> Result<TcpStream, Failure> {
    let mut failure = format!("`{address}` has no address");
    for address in address::resolve(address).map_err(Failure::Failed)? {
        match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
            Ok(socket) => {
                // Messages are written whole, so there is nothing to collect; without it they are only slower.
                let _ = socket.set_nodelay(true);
                return Ok(socket);
            }
            Err(error) => failure = format!("no server answers at {address}: {error}"),
        }
    }
    Err(Failure::Failed(failure))
}

/// The server's end of the connection broke.
fn vanished(error: &io::Error) -> Failure {
    Failure::Failed(format!("the server has vanished: {error}"))
}

/// The longest reply that is taken by default: what a server says at most by default, and room for the end
/// of a line or a number in front.
pub(crate) fn max_reply() -> usize {
    Limits::default().max_reply + 1024
}

/// How long a connection attempt may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the server may take to end the conversation once we have said that we leave.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(5);
