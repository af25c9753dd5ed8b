//! Serving one client on a thread that blocks: what the sequential and the threaded backend have in common.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::{RecvFlags, recv, send};

use crate::serving::buffers::Buffers;
use crate::serving::conversation::{Conversation, Wait};
use crate::serving::interrupt::Interrupt;
use crate::serving::socket::SEND;

/// Serves one client on this thread, to its end.
pub fn converse(
    socket: TcpStream,
    mut conversation: Conversation,
    interrupt: &Interrupt,
    buffers: &mut Buffers,
) {
    conversation.register(&interrupt.waker());
    let mut blocking = BlockingSocket(socket);
    loop {
        match conversation.advance(&mut blocking, buffers) {
            // The next advance waits in its read.
            Wait::Readable | Wait::Turn => {}
            Wait::Writable => blocking.wait_writable(),
            Wait::Blocking => conversation.run(buffers),
            Wait::Over => return conversation.end(blocking.0),
        }
    }
}

/// A socket whose reads block, until there is input or an [`Interrupt`]. Its writes do not, since a blocked
/// write would tell nothing of the progress that it makes.
struct BlockingSocket(TcpStream);

impl BlockingSocket {
    /// Waits until more can be written, or until an interrupt. Errors show in the write that follows.
    fn wait_writable(&self) {
        let _ = poll(&mut [PollFd::new(&self.0, PollFlags::OUT)], None);
    }
}

impl Read for BlockingSocket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(recv(&self.0, buffer, RecvFlags::empty())?.0)
    }
}

impl Write for BlockingSocket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(send(&self.0, bytes, SEND)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsFd for BlockingSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
