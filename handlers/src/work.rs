//! `work`: computes or blocks for a given time, for comparing concurrency models.

use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use common::{Blocking, Client, Flow, Handler, Replies, Session};

/// Computes or blocks for a given time, and then returns the message.
///
/// ```
/// use std::time::Duration;
///
/// use anyloop::handlers::{Load, Work};
/// use anyloop::{Blocking, Handler};
///
/// let query = Work::new(Load::Block(Duration::from_millis(2)));
/// assert_eq!(query.blocking(), Blocking::MayBlock);
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Work {
    /// What it does for each message.
    pub load: Load,
}

/// What [`Work`] does for each message, as its example shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    /// Keeps a core busy for this time.
    Cpu(Duration),
    /// Waits for this time, as a query to another server would.
    Block(Duration),
}

impl Work {
    /// Creates the handler; it runs this load for each message.
    pub fn new(load: Load) -> Self {
        Self { load }
    }
}

/// A computation of this length or more is declared as blocking: it delays other clients of the thread for longer than
/// a move of the connection to another thread takes.
const LONG: Duration = Duration::from_micros(100);

impl Handler for Work {
    fn open(&self, _client: &Client, _out: &mut Replies<'_>) -> Box<dyn Session> {
        Box::new(*self)
    }

    fn blocking(&self) -> Blocking {
        match self.load {
            Load::Cpu(time) if time < LONG => Blocking::Never,
            Load::Cpu(_) | Load::Block(_) => Blocking::MayBlock,
        }
    }
}

impl Session for Work {
    fn message(&mut self, message: &[u8], out: &mut Replies<'_>) -> Flow {
        match self.load {
            Load::Cpu(time) => {
                let start = Instant::now();
                while start.elapsed() < time {
                    std::hint::spin_loop();
                }
            }
            Load::Block(time) => thread::sleep(time),
        }
        out.send(message);
        Flow::Continue
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu(time) => write!(f, "cpu:{time:?}"),
            Self::Block(time) => write!(f, "block:{time:?}"),
        }
    }
}
