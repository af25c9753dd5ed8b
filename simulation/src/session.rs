//! The handler that the simulation serves: each message tells its session what to do.

use std::panic::panic_any;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Blocking, Client, CloseReason, Flow, Handle, Handler, Later, Replies, SendError, Session};

use crate::book::Book;
use crate::clock::VirtualClock;
use crate::kernel::locked;
use crate::options::Operation;

/// What the sessions of a run share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) book: Mutex<Book>,
    pub(crate) clock: VirtualClock,
    /// The answers that are awaited, with the number of their client.
    pub(crate) laters: Mutex<Vec<(usize, Later)>>,
    pub(crate) handles: Mutex<Vec<(usize, Handle)>>,
    pub(crate) blocking: bool,
    pub(crate) max_reply: usize,
}

/// The payload of panics on purpose.
pub(crate) struct OnPurpose;

impl Shared {
    /// Pushes a message to a client, and keeps account of it.
    pub(crate) fn push(&self, to: usize, handle: &Handle) {
        let message = locked(&self.book).compose_push();
        self.pushed(to, message.clone(), handle.send(message.into_bytes()));
    }

    fn pushed(&self, to: usize, message: String, result: Result<(), SendError>) {
        locked(&self.book).pushed(to, message, result);
    }

    /// A client's handle, or another's.
    pub(crate) fn handle(&self, index: usize) -> Option<(usize, Handle)> {
        let handles = locked(&self.handles);
        (!handles.is_empty()).then(|| handles[index % handles.len()].clone())
    }
}

#[derive(Debug)]
pub(crate) struct SimHandler(pub(crate) Arc<Shared>);

impl Handler for SimHandler {
    fn open(&self, client: &Client, out: &mut Replies<'_>) -> Box<dyn Session> {
        let wire = client.peer.ip().map_or(usize::MAX, |address| usize::from(address.port()));
        let shared = Arc::clone(&self.0);
        locked(&shared.handles).push((wire, client.handle()));
        locked(&shared.book).opened(wire);
        out.send(b"hello");
        Box::new(SimSession { shared, wire, ticks: 0 })
    }

    fn blocking(&self) -> Blocking {
        if self.0.blocking { Blocking::MayBlock } else { Blocking::Never }
    }
}

struct SimSession {
    shared: Arc<Shared>,
    wire: usize,
    ticks: u32,
}

impl Session for SimSession {
    fn message(&mut self, message: &[u8], out: &mut Replies<'_>) -> Flow {
        let Self { shared, wire, .. } = self;
        locked(&shared.book).handled(*wire, message);
        let operation = Operation::from_letter(message.first().copied().unwrap_or(0));
        let target = message.get(1).map_or(0, |&digit| usize::from(digit.wrapping_sub(b'0')));
        let mut replies: Vec<Vec<u8>> = vec![[b"R", message].concat()];
        let mut flow = Flow::Continue;
        match operation {
            Operation::Echo => {}
            Operation::Twice => replies.push([b"S", message].concat()),
            Operation::Silent => replies.clear(),
            Operation::Exit => flow = Flow::Close,
            Operation::Reject | Operation::Fail => {
                replies.clear();
                out.reject("no");
                locked(&shared.book).replied(*wire, b"ERR no".to_vec());
                if operation == Operation::Fail {
                    flow = Flow::Fail;
                }
            }
            Operation::Panic => {
                out.send(b"withdrawn");
                panic_any(OnPurpose);
            }
            Operation::Overflow => {
                out.send(&vec![b'x'; shared.max_reply / 2]);
                out.send(&vec![b'x'; shared.max_reply / 2 + 1]);
                replies.clear();
            }
            Operation::Later | Operation::Never => {
                let later = out.later();
                replies.clear();
                let kept = if operation == Operation::Later { *wire } else { usize::MAX };
                locked(&shared.laters).push((kept, later));
            }
            Operation::Drop => {
                replies.clear();
                drop(out.later());
            }
            Operation::Slow => shared.clock.advance(Duration::from_millis(60)),
            Operation::Timer => out.set_timer(Duration::from_millis(30)),
            Operation::Push => {
                if let Some((to, handle)) = shared.handle(target) {
                    shared.push(to, &handle);
                }
            }
            Operation::Publish => {
                let handles = locked(&shared.handles).clone();
                handles.iter().for_each(|(to, handle)| shared.push(*to, handle));
            }
            Operation::Close => {
                if let Some((to, handle)) = shared.handle(target) {
                    handle.close();
                    locked(&shared.book).close_requested(to);
                }
            }
        }
        for reply in replies {
            out.send(&reply);
            locked(&shared.book).replied(*wire, reply);
        }
        flow
    }

    fn notified(&mut self, message: &[u8], out: &mut Replies<'_>) -> Flow {
        locked(&self.shared.book).notified(self.wire, message);
        out.send(message);
        Flow::Continue
    }

    fn missed(&mut self, count: u64, out: &mut Replies<'_>) -> Flow {
        out.write(format_args!("M{count}"));
        locked(&self.shared.book).missed(self.wire, count);
        Flow::Continue
    }

    fn timer(&mut self, out: &mut Replies<'_>) -> Flow {
        self.ticks += 1;
        out.write(format_args!("T{}", self.ticks));
        locked(&self.shared.book).replied(self.wire, format!("T{}", self.ticks).into_bytes());
        Flow::Continue
    }

    fn closed(&mut self, why: CloseReason) {
        locked(&self.shared.book).closed(self.wire, why);
    }
}
