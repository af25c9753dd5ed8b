//! What can be wrong with a backend.

/// One thing that is wrong with a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Defect {
    // What it says, and what it hears.
    /// Says nothing until it is spoken to.
    NoGreeting,
    /// Sends some bytes twice.
    DoublesWrites,
    /// Doesn't send some bytes.
    LosesWrites,
    /// Exchanges replies that are written together.
    ReordersWrites,
    /// Sends the first reply to a message alone.
    OneReplyAMessage,
    /// Has one session for all.
    SharesTheSession,
    /// Answers one message of each read.
    OneMessageARead,
    /// Forgets the beginning of a message when the rest does not come with it.
    ForgetsPartialMessages,
    /// Copies all that was kept, at each read.
    CopiesInput,
    /// Drops all carriage returns.
    StripsCarriageReturns,
    /// Reads a byte at a time.
    ReadsByteByByte,
    /// Reads at most a thousand bytes at a time.
    ReadsLittle,
    /// Takes bytes that are no text for a broken connection.
    FailsOnOddBytes,

    // How it ends a conversation.
    /// Goes on after an exit.
    IgnoresExit,
    /// Forgets at an exit what was owed before it.
    ForgetsAtExit,
    /// Takes no notice of the end of a client's input.
    IgnoresEndOfInput,
    /// Closes a socket although there is unread input.
    ClosesAtOnce,
    /// Tells a session of its end twice.
    TellsOfTheEndTwice,
    /// Never tells a session of its end.
    NeverTellsOfTheEnd,
    /// Keeps a client for whom the connection was reset.
    IgnoresResets,
    /// Switches keepalive off.
    NoKeepalive,

    // Limits and deadlines.
    /// Lets messages pass that are one byte too long.
    LimitOffByOne,
    /// Overlooks what is no message.
    IgnoresBrokenMessages,
    /// Ends without a word where an error is to be told.
    EndsWithoutAWord,
    /// Bounds no reply.
    UnboundedReplies,
    /// Reads on while nobody reads its replies.
    ReadsRegardless,
    /// Takes a short write for a whole one.
    TrustsShortWrites,
    /// Gives a client up that has not taken all of its replies in time, whatever it has taken.
    IgnoresProgress,
    /// Knows no idle deadline.
    NoIdleDeadline,
    /// Knows no message deadline.
    NoMessageDeadline,
    /// Knows no write deadline.
    NoWriteDeadline,
    /// All of its deadlines are too early.
    Early,
    /// Has the message deadline run between messages too.
    MessageDeadlineAlwaysRuns,
    /// Has the idle deadline run within messages too.
    IdleDeadlineAlwaysRuns,
    /// Loses clients whose handler took long.
    LosesSlowHandlers,

    // Protocols that are no codecs.
    /// Takes every message for one that has begun, whatever the protocol says.
    NeverEndsMessages,
    /// Drops what is said without a message.
    DropsWords,
    /// Waits for ever in front of urgent data.
    StallsAtUrgentData,

    // What is below a protocol.
    /// Sends what is to be sealed as it is.
    SendsPlaintext,
    /// Takes a handshake for done before it has begun.
    OpensBeforeTheHandshake,
    /// Does not let a transform have the last word.
    ForgetsTheLastWord,
    /// Reads a preamble, and forgets what it has said.
    ForgetsThePreamble,

    // Who is let in.
    /// Serves one client more than allowed.
    SoftLimit,
    /// Refuses whom it should leave waiting.
    RefusesWaiting,
    /// Frees a place after the client was let go.
    FreesPlacesLate,
    /// Never frees a place.
    LeaksPlaces,
    /// Says that it can hold no more than two clients, and holds more.
    BoastsOfALimit,
    /// Ends when it has no descriptors.
    EndsWithoutDescriptors,
    /// Tries again and again when it has no descriptors.
    SpinsWithoutDescriptors,
    /// Drops a client without a word when it has no thread for it.
    DropsWithoutThread,
    /// Ends when it has no thread.
    EndsWithoutThread,

    // What it needs, and what it leaves.
    /// Tries again and again to read.
    Spins,
    /// Has small stacks.
    SmallStacks,
    /// Leaves descriptors open when it fails.
    LeaksWhenItFails,
    /// Ends as if nothing had happened when it fails.
    HidesFailures,

    // Faults of one that hurt others.
    /// Ends when a session panics.
    EndsAtPanics,
    /// Serves one client at a time.
    HoldsTheLoop,

    // How it stops.
    /// Does not stop.
    IgnoresStop,
    /// Cuts everybody off as soon as it is to stop.
    StopsImpatiently,
    /// Takes no notice of a second press.
    IgnoresTheSecondPress,
    /// Wakes nobody who waits.
    Deaf,
    /// Leaves those in the backlog to a reset.
    ForgetsTheBacklog,
    /// Takes those in the backlog from its successor.
    IgnoresTheSuccessor,
    /// Lets clients in after the stop.
    LetsInAfterTheStop,
    /// Drains for ever.
    DrainsForEver,
    /// Waits for handlers beyond the drain deadline.
    WaitsForHandlers,
    /// Counts one client too many.
    Miscounts,
    /// Tells nobody what it has counted before it ends.
    HidesStatistics,
    /// Shuts the listener down.
    ShutsTheListenerDown,
    /// Leaves the listener open.
    LeavesTheListenerOpen,

    // What it says of itself.
    /// Ignores that it is asked for what it can't have.
    IgnoresMeans,
    /// Says that its workers can be chosen, and refuses the choice.
    RefusesTheChoice,
    /// Says that its workers can be chosen, and has as many as it likes.
    IgnoresTheChoice,
}
