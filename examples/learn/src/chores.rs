//! A handler whose messages say how long it is busy, in two versions: [`CARELESS`] and [`DECLARED`].

use std::time::{Duration, Instant};
use std::{hint, thread};

use anyloop::{Blocking, Client, Flow, Handler, Replies, Session};

/// Answers `compute 500` after it has computed for 500 ms, `sleep 500` after it has slept for 500 ms, and any other
/// message at once, each with the message itself.
#[derive(Clone, Copy, Debug)]
pub struct Chores {
    declared: Blocking,
}

/// Fault: it says that it never blocks, so that a backend calls it on the thread that serves the other clients.
pub const CARELESS: Chores = Chores { declared: Blocking::Never };

/// It says that it may block, so that a backend calls it where no other client waits for it.
pub const DECLARED: Chores = Chores { declared: Blocking::MayBlock };

/// The longest chore.
const MOST: Duration = Duration::from_secs(10);

impl Handler for Chores {
    fn open(&self, _client: &Client, _out: &mut Replies<'_>) -> Box<dyn Session> {
        Box::new(*self)
    }

    fn blocking(&self) -> Blocking {
        self.declared
    }
}

impl Session for Chores {
    fn message(&mut self, message: &[u8], out: &mut Replies<'_>) -> Flow {
        let text = String::from_utf8_lossy(message);
        match text.split_once(' ').map(|(chore, time)| (chore, time.parse().map(Duration::from_millis))) {
            Some(("compute", Ok(time))) => {
                let end = Instant::now() + time.min(MOST);
                while Instant::now() < end {
                    hint::spin_loop();
                }
            }
            Some(("sleep", Ok(time))) => thread::sleep(time.min(MOST)),
            _ => {}
        }
        out.send(message);
        Flow::Continue
    }
}
