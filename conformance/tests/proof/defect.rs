//! Defects of backends.

/// A defect of a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Defect {
    // Messages and replies.
    /// Sends no greeting before the first message.
    NoGreeting,
    /// Sends some bytes twice.
    DoublesWrites,
    /// Doesn't send some bytes.
    LosesWrites,
    /// Reorders replies that are written together.
    ReordersWrites,
    /// Sends only the first reply to a message.
    OneReplyAMessage,
    /// Shares one session among all clients.
    SharesTheSession,
    /// Answers one message of each read.
    OneMessageARead,
    /// Discards an incomplete message at the end of a read.
    ForgetsPartialMessages,
    /// Copies all kept input at each read.
    CopiesInput,
    /// Removes all carriage returns.
    StripsCarriageReturns,
    /// Reads one byte at a time.
    ReadsByteByByte,
    /// Reads at most a thousand bytes at a time.
    ReadsLittle,
    /// Treats bytes that are not text as a broken connection.
    FailsOnOddBytes,

    // Ends of conversations.
    /// Continues after an exit.
    IgnoresExit,
    /// Discards unsent replies at an exit.
    ForgetsAtExit,
    /// Ignores the end of a client's input.
    IgnoresEndOfInput,
    /// Closes a socket although there is unread input.
    ClosesAtOnce,
    /// Calls `closed` of a session twice.
    TellsOfTheEndTwice,
    /// Never calls `closed` of a session.
    NeverTellsOfTheEnd,
    /// Keeps a client whose connection was reset.
    IgnoresResets,
    /// Switches keepalive off.
    NoKeepalive,

    // Limits and deadlines.
    /// Accepts messages that are one byte too long.
    LimitOffByOne,
    /// Ignores invalid messages.
    IgnoresBrokenMessages,
    /// Ends conversations without error replies.
    EndsWithoutAWord,
    /// Does not limit replies.
    UnboundedReplies,
    /// Continues to read while replies are unsent.
    ReadsRegardless,
    /// Treats a short write as a complete one.
    TrustsShortWrites,
    /// Times a client out that has not received all its replies in time, in spite of progress.
    IgnoresProgress,
    /// Has no idle deadline.
    NoIdleDeadline,
    /// Has no message deadline.
    NoMessageDeadline,
    /// Has no write deadline.
    NoWriteDeadline,
    /// Fires all deadlines too early.
    Early,
    /// Runs the message deadline between messages too.
    MessageDeadlineAlwaysRuns,
    /// Runs the idle deadline within messages too.
    IdleDeadlineAlwaysRuns,
    /// Drops clients whose handler took long.
    LosesSlowHandlers,

    // Protocols that are not codecs.
    /// Treats each message as begun, regardless of the protocol.
    NeverEndsMessages,
    /// Discards output that answers no message.
    DropsWords,
    /// Waits forever at urgent data.
    StallsAtUrgentData,

    // Transforms and preambles.
    /// Sends output without sealing it.
    SendsPlaintext,
    /// Treats a handshake as complete before it has begun.
    OpensBeforeTheHandshake,
    /// Omits the final output of a transform.
    ForgetsTheLastWord,
    /// Reads a preamble, and discards its information.
    ForgetsThePreamble,

    // Admission.
    /// Serves one client more than allowed.
    SoftLimit,
    /// Refuses clients that should wait.
    RefusesWaiting,
    /// Counts a client as connected until some time after its end.
    FreesPlacesLate,
    /// Counts clients as connected forever.
    LeaksPlaces,
    /// Reports a limit of two clients, and serves more.
    BoastsOfALimit,
    /// Ends when it has no descriptors.
    EndsWithoutDescriptors,
    /// Retries in a busy loop when it has no descriptors.
    SpinsWithoutDescriptors,
    /// Drops a client without an error reply when it has no thread for it.
    DropsWithoutThread,
    /// Ends when it has no thread.
    EndsWithoutThread,

    // Resources.
    /// Reads in a busy loop.
    Spins,
    /// Has small stacks.
    SmallStacks,
    /// Leaves descriptors open when it fails.
    LeaksWhenItFails,
    /// Ends without an error when it fails.
    HidesFailures,

    // Isolation.
    /// Ends when a session panics.
    EndsAtPanics,
    /// Serves one client at a time.
    HoldsTheLoop,

    // Stopping.
    /// Does not stop.
    IgnoresStop,
    /// Cuts all clients off immediately at a stop.
    StopsImpatiently,
    /// Ignores a second request to stop.
    IgnoresTheSecondPress,
    /// Wakes no waiting thread.
    Deaf,
    /// Closes the listener without accepting the clients in the backlog.
    ForgetsTheBacklog,
    /// Accepts the clients in a shared backlog at a stop.
    IgnoresTheSuccessor,
    /// Serves new clients after a stop.
    LetsInAfterTheStop,
    /// Drains without a deadline.
    DrainsForEver,
    /// Waits for handlers beyond the drain deadline.
    WaitsForHandlers,
    /// Counts one client too many.
    Miscounts,
    /// Reports no statistics before it ends.
    HidesStatistics,
    /// Shuts the listener down.
    ShutsTheListenerDown,
    /// Leaves the listener open.
    LeavesTheListenerOpen,

    // Capabilities.
    /// Ignores unsupported settings.
    IgnoresMeans,
    /// Reports that the number of workers is configurable, and rejects the setting.
    RefusesTheChoice,
    /// Reports that the number of workers is configurable, and ignores the setting.
    IgnoresTheChoice,
}
