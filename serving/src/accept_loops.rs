//! Accept loops: on a dedicated thread, in a task, and as a part of a worker's loop.

use std::io;
use std::task::{Context, Poll, ready};

use common::Address;

use crate::{Accepting, Acceptor, Admission, Conversation, Listener, Notifier, Socket};

impl Acceptor {
    /// Accepts on a dedicated thread until the server stops, and passes the clients to serve to `admit`. Then it closes the
    /// listener.
    ///
    /// # Errors
    /// If waiting for the listener fails.
    pub fn accept_all(
        mut self,
        listener: Listener,
        accept: fn(&Listener) -> io::Result<(Socket, Address)>,
        mut admit: impl FnMut(Socket, Conversation),
    ) -> io::Result<()> {
        let notifier = Notifier::new()?;
        self.register(&notifier.waker());
        loop {
            match self.what_now() {
                Accepting::Accept => match self.admit(accept(&listener)) {
                    Admission::Client(socket, conversation) => admit(socket, conversation),
                    Admission::None => {}
                    Admission::WouldBlock => notifier.wait_readable(&listener)?,
                },
                Accepting::Wait => notifier.wait()?,
                Accepting::Stopped => {
                    drop(listener); // before the acceptor, whose drop lets the server end
                    return Ok(());
                }
            }
        }
    }

    /// Accepts in a task until the server stops, and passes the clients to serve to `admit`. `accept` must not block.
    /// `poll_readable` waits until the listener is readable.
    ///
    /// # Errors
    /// If waiting for the listener fails.
    pub fn poll_accept_all(
        &mut self,
        cx: &mut Context<'_>,
        mut accept: impl FnMut() -> io::Result<(Socket, Address)>,
        mut poll_readable: impl FnMut(&mut Context<'_>) -> Poll<io::Result<()>>,
        mut admit: impl FnMut(Socket, Conversation),
    ) -> Poll<io::Result<()>> {
        self.register(cx.waker());
        loop {
            match self.what_now() {
                Accepting::Accept => match self.admit(accept()) {
                    Admission::Client(socket, conversation) => admit(socket, conversation),
                    Admission::None => {}
                    Admission::WouldBlock => ready!(poll_readable(cx))?,
                },
                Accepting::Wait => return Poll::Pending,
                Accepting::Stopped => return Poll::Ready(Ok(())),
            }
        }
    }
}

/// Accepts as a part of a loop that also serves clients. Dropping it closes the listener and then ends accepting.
#[derive(Debug)]
pub struct AcceptLoop {
    listener: Listener,
    acceptor: Acceptor,
}

/// The most clients that one turn accepts.
const TURN: usize = 16;

impl AcceptLoop {
    /// Accepts from `listener` as `acceptor` decides.
    pub fn new(listener: Listener, acceptor: Acceptor) -> Self {
        Self { listener, acceptor }
    }

    /// The listener, to wait for when [`turn`](Self::turn) returns [`Accept`](Accepting::Accept).
    pub fn listener(&self) -> &Listener {
        &self.listener
    }

    /// The acceptor, to register the waker of the loop with.
    pub fn acceptor(&mut self) -> &mut Acceptor {
        &mut self.acceptor
    }

    /// Accepts a bounded number of clients, or all of the backlog if the server is [stopping](Acceptor::is_stopping), and passes
    /// those to serve to `admit`. `accept` must not block.
    ///
    /// After [`Accept`](Accepting::Accept), call it again when the listener is readable or the acceptor's waker was woken;
    /// after [`Wait`](Accepting::Wait), only when the waker was woken. [`Stopped`](Accepting::Stopped) is the last turn.
    pub fn turn(
        &mut self,
        accept: fn(&Listener) -> io::Result<(Socket, Address)>,
        mut admit: impl FnMut(Socket, Conversation),
    ) -> Accepting {
        let mut attempts = 0;
        loop {
            match self.acceptor.what_now() {
                Accepting::Accept if attempts == TURN && !self.acceptor.is_stopping() => {
                    return Accepting::Accept;
                }
                Accepting::Accept => {
                    attempts = TURN.min(attempts + 1);
                    match self.acceptor.admit(accept(&self.listener)) {
                        Admission::Client(socket, conversation) => admit(socket, conversation),
                        Admission::None => {}
                        Admission::WouldBlock => return Accepting::Accept,
                    }
                }
                other => return other,
            }
        }
    }
}
