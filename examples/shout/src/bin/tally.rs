//! The first handler of `docs/write-a-handler.md`, as a program.

use std::collections::HashMap;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use anyloop::{Client, CloseReason, Flow, Handler, Replies, Session};
use anyloop_cli::Expect;

/// Counts things, for everybody together: `apples 3`.
#[derive(Default)]
struct Tally {
    counts: Arc<Mutex<HashMap<String, u64>>>,
}

/// One client's conversation.
struct Counting {
    counts: Arc<Mutex<HashMap<String, u64>>>,
    entries: u64,
}

impl Handler for Tally {
    fn open(&self, _client: &Client, out: &mut Replies<'_>) -> Box<dyn Session> {
        out.send(b"What do you have?"); // a greeting; leave it out if there is none
        Box::new(Counting { counts: Arc::clone(&self.counts), entries: 0 })
    }
}

impl Session for Counting {
    fn message(&mut self, message: &[u8], out: &mut Replies<'_>) -> Flow {
        if message == b"done" {
            out.write(format_args!("{} entries, thank you", self.entries));
            return Flow::Close; // what was said so far is delivered, then the conversation ends
        }
        let entry = std::str::from_utf8(message).ok().and_then(|text| {
            let (name, count) = text.split_once(' ')?;
            Some((name, count.parse::<u64>().ok()?))
        });
        let Some((name, count)) = entry else {
            out.reject("not-an-entry"); // the client's mistake: it is told, and the conversation goes on
            return Flow::Continue;
        };
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let total = counts.entry(name.to_owned()).or_default();
        *total = total.saturating_add(count);
        self.entries += 1;
        out.write(format_args!("{name}: {total}"));
        Flow::Continue
    }

    fn closed(&mut self, why: CloseReason) {
        let _ = why; // the client is gone, for this reason: give back what it held
    }
}

fn main() -> ExitCode {
    anyloop_cli::Command::new()
        .handler("tally", "counts things, for everybody together", || Arc::new(Tally::default()))
        .replies(Expect::Greeted)
        // What `load` and `compare` send, and which replies are right.
        .messages(|client, number, entry| {
            entry.extend_from_slice(format!("apples-{client} {}", number % 10).as_bytes());
        })
        .expecting(|entry, reply| {
            let name = entry.split(|&byte| byte == b' ').next().unwrap_or_default();
            reply.starts_with(name) && reply[name.len()..].starts_with(b": ")
        })
        .run()
}

#[cfg(test)]
mod tests {
    use anyloop::testing::Client;
    use anyloop::{Framing, Service};

    use super::*;

    // A test needs no socket: a client says its lines, and hears what is said to them.
    #[test]
    fn entries_add_up() {
        let mut client = Client::connect(Service::framed(Arc::new(Tally::default()), Framing::Line));
        client.say("apples 3\napples 4\npears\ndone\n");
        assert_eq!(
            client.heard(),
            "What do you have?\napples: 3\napples: 7\nERR not-an-entry\n2 entries, thank you\n"
        );
        assert_eq!(client.over(), Some(CloseReason::Exit));
    }
}
