//! The loops in which clients are accepted: on a thread that does nothing else, in a task, and beside other work.

use std::io;
use std::task::{Context, Poll, ready};

use common::Address;

use crate::{Accepting, Acceptor, Admission, Conversation, Listener, Notifier, Socket};

impl Acceptor {
    /// For a thread that does nothing else: accepts until the server stops, and hands the clients that are to be served to
    /// `admit`. Then the listener is closed.
    ///
    /// # Errors
    /// If the listener can't be waited for.
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
                    drop(listener); // before the acceptor, which tells the server
                    return Ok(());
                }
            }
        }
    }

    /// For a task: accepts until the server stops, and hands the clients that are to be served to `admit`. `accept` doesn't
    /// wait, and `poll_readable` waits for the listener.
    ///
    /// # Errors
    /// If the listener can't be waited for.
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

/// Accepting in a loop that serves clients as well. When it is dropped, the listener is closed, and then the server told.
#[derive(Debug)]
pub struct AcceptLoop {
    listener: Listener,
    acceptor: Acceptor,
}

/// So many clients are accepted in one turn.
const TURN: usize = 16;

impl AcceptLoop {
    /// Accepts from `listener`, as `acceptor` says.
    pub fn new(listener: Listener, acceptor: Acceptor) -> Self {
        Self { listener, acceptor }
    }

    /// What is to be waited for after a [`turn`](Self::turn) that says so.
    pub fn listener(&self) -> &Listener {
        &self.listener
    }

    /// What is to be registered with whatever wakes the loop.
    pub fn acceptor(&mut self) -> &mut Acceptor {
        &mut self.acceptor
    }

    /// Accepts the clients that have connected, not too many at once, and hands those that are to be served to `admit`.
    /// `accept` doesn't wait. Returns whether the listener is to be waited for ([`Accept`](Accepting::Accept)), or only the
    /// acceptor's waker ([`Wait`](Accepting::Wait)), or whether this was the last turn.
    pub fn turn(
        &mut self,
        accept: fn(&Listener) -> io::Result<(Socket, Address)>,
        mut admit: impl FnMut(Socket, Conversation),
    ) -> Accepting {
        for _ in 0..TURN {
            match self.acceptor.what_now() {
                Accepting::Accept => match self.acceptor.admit(accept(&self.listener)) {
                    Admission::Client(socket, conversation) => admit(socket, conversation),
                    Admission::None => {}
                    Admission::WouldBlock => return Accepting::Accept,
                },
                other => return other,
            }
        }
        Accepting::Accept
    }
}
