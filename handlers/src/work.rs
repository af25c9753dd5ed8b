//! `work`: computes, blocks or waits for a given time, for comparing concurrency models.

use std::fmt;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use common::{Blocking, Client, Flow, Handler, Later, Replies, Session};

/// Computes, blocks or waits for a given time, and then returns the message.
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
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Work {
    /// What it does for each message.
    pub load: Load,
    /// The thread that answers later, if messages wait.
    answers: Option<Sender<Answer>>,
}

/// When a message is answered, the message, and its answer.
type Answer = (Instant, Vec<u8>, Later);

/// What [`Work`] does for each message, as its example shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    /// Keeps a core busy for this time.
    Cpu(Duration),
    /// Blocks the thread for this time, as a query to another server would.
    Block(Duration),
    /// Answers [later](Later), after this time, and blocks no thread meanwhile.
    Wait(Duration),
}

impl Work {
    /// Creates the handler; it runs this load for each message.
    pub fn new(load: Load) -> Self {
        Self { load, answers: matches!(load, Load::Wait(_)).then(start_answering) }
    }
}

/// Starts the thread that answers later. All messages wait for the same time, so they are due in their order. If the system
/// has no thread left, answers are dropped, which clients are told.
fn start_answering() -> Sender<Answer> {
    let (answers, due) = channel::<Answer>();
    let _ = thread::Builder::new().name("answers".into()).spawn(move || {
        for (time, message, later) in due {
            thread::sleep(time.saturating_duration_since(Instant::now()));
            let _ = later.send(message); // fails if the client has left
        }
    });
    answers
}

/// A computation of this length or more is declared as blocking: it delays other clients of the thread for longer than
/// a move of the connection to another thread takes.
const LONG: Duration = Duration::from_micros(100);

impl Handler for Work {
    fn open(&self, _client: &Client, _out: &mut Replies<'_>) -> Box<dyn Session> {
        Box::new(self.clone())
    }

    fn blocking(&self) -> Blocking {
        match self.load {
            Load::Wait(_) => Blocking::Never,
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
            Load::Wait(time) => {
                let answer = (Instant::now() + time, message.to_vec(), out.later());
                if let Some(answers) = &self.answers {
                    let _ = answers.send(answer);
                }
                return Flow::Continue;
            }
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
            Self::Wait(time) => write!(f, "wait:{time:?}"),
        }
    }
}
