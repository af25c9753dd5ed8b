//! Serves one client on a thread that blocks, for the backends `sequential` and `threads`.

use std::io::{self, ErrorKind};
use std::sync::Arc;

use rustix::event::{PollFd, PollFlags, poll};

use crate::buffers::Buffers;
use crate::conversation::{Conversation, Wait};
use crate::interrupt::Interrupt;
use crate::{Socket, Transport};
use common::Record;

/// Serves one client on this thread until its conversation ends.
pub fn serve(socket: Socket, mut conversation: Conversation, interrupt: &Interrupt, buffers: &mut Buffers) {
    interrupt.signal_again_by(&conversation.state.signalled);
    conversation.register(&interrupt.waker());
    let record = Arc::clone(conversation.record());
    let mut blocking = BlockingSocket { socket, interrupt, record, was_empty: false };
    loop {
        match conversation.advance(&mut blocking, buffers) {
            // The next advance waits in its read, unless the socket is non-blocking.
            Wait::Readable => {
                if blocking.was_empty {
                    blocking.wait(PollFlags::IN);
                }
                conversation.ready(false);
            }
            Wait::Turn => {}
            Wait::Writable if blocking.wait(PollFlags::OUT) => conversation.ready(false),
            Wait::Writable => {}
            // Without flags, only a failure of the socket is reported.
            Wait::Wakeup if blocking.wait(PollFlags::empty()) => conversation.ready(true),
            Wait::Wakeup => {}
            Wait::Blocking => conversation.run(buffers),
            Wait::Over => return conversation.end(blocking.socket),
        }
    }
}

/// A socket whose reads block until there is input or an [`Interrupt`]. Its writes don't block, since the progress of a
/// blocked write could not be observed.
struct BlockingSocket<'a> {
    socket: Socket,
    interrupt: &'a Interrupt,
    record: Arc<Record>,
    /// Whether the last read returned `WouldBlock`, so that the socket is non-blocking.
    was_empty: bool,
}

impl BlockingSocket<'_> {
    /// Waits for events or a failure of the socket, or until an interrupt. Returns whether it was not interrupted.
    fn wait(&self, events: PollFlags) -> bool {
        let wait = || Ok(poll(&mut [PollFd::new(&self.socket, events)], None)?);
        self.interrupt.call(|| self.record.cell.is_marked(), wait).is_ok()
    }
}

impl Transport for BlockingSocket<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let is_marked = || self.record.cell.is_marked();
        let read = if is_marked() && self.arrived() > 0 {
            (&self.socket).read(buffer) // it doesn't block, and input is read although messages are pushed continuously
        } else {
            self.interrupt.call(is_marked, || (&self.socket).read(buffer))
        };
        self.was_empty = read.as_ref().is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
        read
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&self.socket).write(bytes)
    }

    fn arrived(&self) -> usize {
        (&self.socket).arrived()
    }

    fn queued(&self) -> u64 {
        (&self.socket).queued()
    }

    fn has_failed(&self) -> bool {
        (&self.socket).has_failed()
    }
}
