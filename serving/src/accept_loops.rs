//! The loops in which clients are accepted: on a thread that does nothing else, in a task, and beside other work.

use std::io;
use std::task::{Context, Poll, ready};

use common::Address;

use crate::{Accepting, Acceptor, Admission, Bell, Conversation, Listener, Socket};

/// A loop that does other work as well accepts so many clients, and then sees to the others.
const ACCEPTS_IN_A_TURN: usize = 16;

impl Acceptor {
    /// For a loop that does other work as well: accepts who is there, not too many at once, and hands those who are
    /// let in to `admit`. Tells whether the listener is to be waited for ([`Accept`](Accepting::Accept)), or the waker
    /// alone, or whether the accepting has ended. `accept` doesn't wait.
    pub fn accept_turn(
        &mut self,
        mut accept: impl FnMut() -> io::Result<(Socket, Address)>,
        mut admit: impl FnMut(Socket, Conversation),
    ) -> Accepting {
        for _ in 0..ACCEPTS_IN_A_TURN {
            match self.what_now() {
                Accepting::Accept => match self.admit(accept()) {
                    Admission::Client(socket, conversation) => admit(socket, conversation),
                    Admission::None => {}
                    Admission::Nobody => return Accepting::Accept,
                },
                other => return other,
            }
        }
        Accepting::Accept
    }

    /// For a thread that does nothing else: accepts until the server stops, and hands those who are let in to `admit`.
    /// Then the listener is closed.
    ///
    /// # Errors
    /// If the listener can't be waited for.
    pub fn accept_all(
        mut self,
        listener: Listener,
        accept: fn(&Listener) -> io::Result<(Socket, Address)>,
        mut admit: impl FnMut(Socket, Conversation),
    ) -> io::Result<()> {
        let bell = Bell::new()?;
        self.register(&bell.waker());
        loop {
            match self.what_now() {
                Accepting::Accept => match self.admit(accept(&listener)) {
                    Admission::Client(socket, conversation) => admit(socket, conversation),
                    Admission::None => {}
                    Admission::Nobody => bell.wait_readable(&listener)?,
                },
                Accepting::Wait => bell.wait()?,
                Accepting::Stopped => {
                    drop(listener); // before the acceptor, which tells the server
                    return Ok(());
                }
            }
        }
    }

    /// For a task: accepts until the server stops, and hands those who are let in to `admit`. `accept` doesn't wait, and
    /// `poll_readable` waits for the listener.
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
                    Admission::Nobody => ready!(poll_readable(cx))?,
                },
                Accepting::Wait => return Poll::Pending,
                Accepting::Stopped => return Poll::Ready(Ok(())),
            }
        }
    }
}
