//! The handler of the guide: the guide shows its source, and it is loaded and compared with its own messages.

use std::io::{BufRead, BufReader, Write};

#[path = "../../testing/load.rs"]
mod load;
#[path = "../../testing/server.rs"]
mod server;

use self::load::load;
use self::server::Server;

const PROGRAM: &str = env!("CARGO_BIN_EXE_tally");

#[test]
fn the_guide_shows_it() {
    let (_, program) =
        include_str!("../src/bin/tally.rs").split_once("#![forbid(unsafe_code)]\n\n").expect("a program");
    assert!(include_str!("../../../docs/write-a-handler.md").contains(program));
}

#[test]
fn invalid_numbers_are_refused() {
    let server = Server::start(PROGRAM, "");
    let mut client = server.connect();
    client.write_all(b"many\n").unwrap();
    let replies = BufReader::new(client).lines().map_while(Result::ok);
    assert!(replies.take(2).any(|reply| reply == "ERR not-a-number"));
    let (code, text) = load(&server, "--message", &["many"]);
    assert!(code == Some(4) && text.contains("ERR not-a-number"), "{code:?}: {text}");
}
