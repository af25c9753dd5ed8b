//! The first handler of `docs/write-a-handler.md`, as a program.

#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyloop::{Client, Flow, Handler, Replies, Session};
use anyloop_cli::Expect;

/// Adds up what all clients send.
#[derive(Default)]
struct Tally {
    total: Arc<AtomicU64>,
}

/// One client's conversation.
struct Counting {
    total: Arc<AtomicU64>,
    entries: u64,
}

impl Handler for Tally {
    fn open(&self, _client: &Client, out: &mut Replies<'_>) -> Box<dyn Session> {
        out.send(b"How many?"); // a greeting; leave it out if there is none
        Box::new(Counting { total: Arc::clone(&self.total), entries: 0 })
    }
}

impl Session for Counting {
    fn message(&mut self, message: &[u8], out: &mut Replies<'_>) -> Flow {
        if message == b"done" {
            out.write(format_args!("{} entries, thank you", self.entries));
            return Flow::Close; // what was said so far is delivered, then the conversation ends
        }
        let Some(count) = std::str::from_utf8(message).ok().and_then(|text| text.parse::<u32>().ok()) else {
            out.reject("not-a-number"); // the client's mistake: it is told, and the conversation goes on
            return Flow::Continue;
        };
        self.entries += 1;
        let total = self.total.fetch_add(count.into(), Ordering::Relaxed) + u64::from(count);
        out.write(format_args!("{total} in all"));
        Flow::Continue
    }
}

fn main() -> ExitCode {
    anyloop_cli::Command::new()
        .handler("tally", "adds up what all clients send", || Arc::new(Tally::default()))
        .replies(Expect::Greeted)
        // What `load` and `compare` send, and which replies are right.
        .messages(|_client, number, entry| entry.extend_from_slice((number % 10).to_string().as_bytes()))
        .expecting(|_entry, reply| reply.ends_with(b" in all"))
        .run()
}

#[cfg(test)]
mod tests {
    use anyloop::{CloseReason, Framing, Service, testing};

    use super::*;

    // A test needs no socket: a client says its lines, and hears what is said to them.
    #[test]
    fn entries_add_up() {
        let mut client =
            testing::TestClient::connect(Service::framed(Arc::new(Tally::default()), Framing::Line));
        client.say("3\n4\nmany\ndone\n");
        assert_eq!(client.heard(), "How many?\n3 in all\n7 in all\nERR not-a-number\n2 entries, thank you\n");
        assert_eq!(client.over(), Some(CloseReason::Exit));
    }
}
