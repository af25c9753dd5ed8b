//! The first handler of `docs/write-a-handler.md`, as a program.

use std::collections::HashMap;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use anyloop::Expect;
use common::{CloseReason, Flow, Handler, Peer, Replies, Session};

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
    fn open(&self, _peer: &Peer, out: &mut Replies<'_>) -> Box<dyn Session> {
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
    anyloop::Command::new()
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
    use common::{Application, FramedHandler, Limits, Line, Outbox};

    use super::*;

    // A test needs no socket: open a conversation, hand it bytes, look at what it says.
    #[test]
    fn entries_add_up() {
        let application = FramedHandler::<Line>::new(Arc::new(Tally::default()));
        let mut out = Outbox::new();
        let mut client = application.open(([127, 0, 0, 1], 4000).into(), &Limits::default(), &mut out);
        for line in ["apples 3\n", "apples 4\n", "pears\n", "done\n"] {
            client.receive(line.as_bytes(), &mut out);
        }
        let said = String::from_utf8_lossy(out.bytes());
        assert_eq!(said, "What do you have?\napples: 3\napples: 7\nERR not-an-entry\n2 entries, thank you\n");
    }
}
