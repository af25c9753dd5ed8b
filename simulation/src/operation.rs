//! What a message asks of the session.

/// What a message asks of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Operation {
    /// One reply.
    Echo,
    /// Two replies.
    Twice,
    /// No reply.
    Silent,
    /// A reply, and the end of the conversation.
    Exit,
    /// A rejection; the conversation goes on.
    Reject,
    /// A rejection, and the end of the conversation.
    Fail,
    /// A panic after a reply, which is withdrawn.
    Panic,
    /// Replies that exceed the limit.
    Overflow,
    /// Replies that just don't exceed the limit.
    Full,
    /// An answer that is given later.
    Later,
    /// An answer that is given later, and the end of the conversation.
    LaterExit,
    /// An answer that is announced and dropped.
    Drop,
    /// An answer that is announced and never given.
    Never,
    /// Two answers that are announced, which is a panic.
    TwoLaters,
    /// A reply after some time.
    Slow,
    /// A timer, which sends a message.
    Timer,
    /// A timer that has expired already.
    PastTimer,
    /// A message that is pushed to another client.
    Push,
    /// A message that is pushed to the group of all clients.
    Publish,
    /// The end of another client's conversation.
    Close,
}

impl Operation {
    pub(crate) const ALL: [Self; 20] = [
        Self::Echo,
        Self::Twice,
        Self::Silent,
        Self::Exit,
        Self::Reject,
        Self::Fail,
        Self::Panic,
        Self::Overflow,
        Self::Full,
        Self::Later,
        Self::LaterExit,
        Self::Drop,
        Self::Never,
        Self::TwoLaters,
        Self::Slow,
        Self::Timer,
        Self::PastTimer,
        Self::Push,
        Self::Publish,
        Self::Close,
    ];

    /// The letter that stands for it in a message.
    pub(crate) fn letter(self) -> u8 {
        b'a' + self as u8
    }

    /// The operation that a message asks for, of those that take part. Without a framing any byte may be the first one.
    pub(crate) fn of(message: &[u8], operations: &[Self], is_framed: bool) -> Self {
        let first = usize::from(message.first().copied().unwrap_or(0));
        let all = if is_framed { &Self::ALL } else { operations };
        all[first.wrapping_sub(usize::from(b'a')) % all.len()]
    }
}
