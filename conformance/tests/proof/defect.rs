//! Defects of backends.

/// A defect of a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Defect {
    // Messages and replies.
    /// Sends no greeting before the first message.
    NoGreeting,
    /// Sends some bytes twice.
    DuplicatesWrites,
    /// Doesn't send some bytes.
    LosesWrites,
    /// Reorders replies that are written together.
    ReordersWrites,
    /// Sends only the first reply to a message.
    SendsOnlyTheFirstReply,
    /// Shares one session among all clients.
    SharesOneSession,
    /// Answers one message of each read.
    AnswersOneMessagePerRead,
    /// Discards an incomplete message at the end of a read.
    DiscardsPartialMessages,
    /// Copies all kept input at each read.
    CopiesInput,
    /// Removes all carriage returns.
    StripsCarriageReturns,
    /// Reads one byte at a time.
    ReadsByteByByte,
    /// Reads at most a thousand bytes at a time.
    ReadsAtMost1000Bytes,
    /// Treats bytes that are not UTF-8 as a broken connection.
    FailsOnInvalidUtf8,

    // Ends of conversations.
    /// Continues after an exit.
    IgnoresExit,
    /// Discards unsent replies at an exit.
    DiscardsRepliesAtExit,
    /// Ignores the end of a client's input.
    IgnoresEndOfInput,
    /// Closes a socket although there is unread input.
    ClosesWithoutLingering,
    /// Calls `closed` of a session twice.
    CallsClosedTwice,
    /// Never calls `closed` of a session.
    NeverCallsClosed,
    /// Doesn't notice that a client was reset while its answer is pending.
    IgnoresFailuresWhilePending,
    /// Keeps a client whose connection was reset.
    IgnoresResets,
    /// Switches keepalive off.
    NoKeepalive,

    // Limits and deadlines.
    /// Accepts messages that are one byte too long.
    LimitOffByOne,
    /// Ignores invalid messages.
    IgnoresInvalidMessages,
    /// Ends conversations without error replies.
    SendsNoErrorReplies,
    /// Does not limit replies.
    UnboundedReplies,
    /// Continues to read while replies are unsent.
    ReadsDespiteUnsentReplies,
    /// Treats a short write as a complete one.
    IgnoresShortWrites,
    /// Times a client out that has not received all its replies in time, in spite of progress.
    IgnoresWriteProgress,
    /// Has no idle deadline.
    NoIdleDeadline,
    /// Has no message deadline.
    NoMessageDeadline,
    /// Has no write deadline.
    NoWriteDeadline,
    /// Has no minimum rate.
    NoMinimumRate,
    /// Fires all deadlines too early.
    FiresDeadlinesEarly,
    /// Runs the message deadline between messages too.
    MessageDeadlineAlwaysRuns,
    /// Runs the idle deadline within messages too.
    IdleDeadlineAlwaysRuns,
    /// Drops clients whose handler took long.
    DropsClientsOfSlowHandlers,

    // Pushed messages.
    /// Does not deliver every second pushed message.
    LosesPushes,
    /// Delivers every second pushed message twice.
    DuplicatesPushes,
    /// Reorders pushed messages.
    ReordersPushes,
    /// Delivers pushed messages only after the reply to the next message.
    HoldsPushes,
    /// Does not deliver pushed messages after a stop.
    LosesPushesAtStop,
    /// Delivers the messages that are pushed to the first client to the second one.
    PushesToAnotherClient,
    /// Opens sessions with handles that reach no client.
    HandlesReachNobody,
    /// Sends the unsent output of a client to the next one.
    SendsOutputToTheNextClient,
    /// Sends the end of long replies after the next output.
    SplitsReplies,
    /// Reports that no input has arrived.
    ReportsNoInput,
    /// Does not limit mailboxes.
    UnlimitedMailboxes,
    /// Does something else at a full mailbox than it was told.
    IgnoresMailboxFull,
    /// Does not tell a session that pushed messages were dropped.
    HidesDroppedPushes,
    /// Counts one pushed message too many.
    MiscountsPushes,

    // Answers that are given later.
    /// Sends answers twice.
    DuplicatesAnswers,
    /// Sends an answer when the next message is answered.
    AnswersTheNextMessage,
    /// Has no answer timeout.
    NoAnswerTimeout,
    /// Sends an answer to a client whose answer has timed out.
    AnswersDespiteTimeout,
    /// Runs the idle deadline while an answer is pending.
    IdleDeadlineRunsWhilePending,
    /// Reads without a limit while an answer is pending.
    ReadsWhilePending,
    /// Drops a client that ends its input while an answer is pending.
    EndsWhilePending,
    /// Waits for an answer in a busy loop.
    SpinsWhilePending,

    // Timers of sessions.
    /// Fires timers too early.
    FiresTimersEarly,
    /// Fires no timers.
    FiresNoTimers,
    /// Fires timers twice.
    FiresTimersTwice,
    /// Fires the timer of a session once and never again.
    FiresTimersOnce,
    /// Fires timers that were cancelled.
    FiresCancelledTimers,

    // Protocols that are not codecs.
    /// Treats each message as begun, regardless of the protocol.
    NeverEndsMessages,
    /// Discards output that answers no message.
    DiscardsOutputWithoutMessage,
    /// Reads nothing after urgent data.
    StallsAtUrgentData,

    // Transforms and preambles.
    /// Sends output without sealing it.
    SendsPlaintext,
    /// Treats a handshake as complete before it has begun.
    SkipsTheHandshake,
    /// Omits the final output of a transform.
    OmitsTheFinalOutput,
    /// Reads a preamble, and discards its information.
    DiscardsThePreamble,

    // Admission.
    /// Serves one client more than allowed.
    ConnectionLimitOffByOne,
    /// Refuses clients that should wait.
    RefusesInsteadOfQueueing,
    /// Counts a client as connected until some time after its end.
    FreesConnectionsLate,
    /// Counts clients as connected forever.
    LeaksConnections,
    /// Reports a limit of two clients, and serves more.
    ExceedsReportedMaxConnections,
    /// Ends when it has no descriptors.
    EndsWithoutDescriptors,
    /// Retries in a busy loop when it has no descriptors.
    SpinsWithoutDescriptors,
    /// Drops a client without an error reply when it has no thread for it.
    DropsClientsWithoutThread,
    /// Ends when it has no thread.
    EndsWithoutThread,

    // Resources.
    /// Reads in a busy loop.
    Spins,
    /// Has small stacks.
    SmallStacks,
    /// Leaves descriptors open when it fails.
    LeaksDescriptorsOnFailure,
    /// Leaks a descriptor when it was stopped.
    LeaksDescriptorsOnStop,
    /// Ends without an error when it fails.
    HidesFailures,

    // Isolation.
    /// Ends when a session panics.
    EndsAtPanics,
    /// Serves one client at a time.
    ServesOneClientAtATime,
    /// Serves no other client until one has to wait.
    ServesAClientUntilItWaits,

    // Stopping.
    /// Does not stop.
    IgnoresStop,
    /// Doesn't tell sessions of a stop.
    HidesStops,
    /// Tells sessions of a stop twice.
    TellsOfStopsTwice,
    /// Cuts all clients off immediately at a stop.
    CutsOffAtStop,
    /// Treats a request for an immediate stop as one to drain.
    IgnoresImmediateStop,
    /// Wakes no waiting thread.
    WakesNoThread,
    /// Closes the listener without accepting the clients in the backlog.
    DropsTheBacklog,
    /// Accepts the clients in a shared backlog at a stop.
    AcceptsFromASharedBacklog,
    /// Serves new clients after a stop.
    ServesNewClientsAfterStop,
    /// Drains without a deadline.
    NoDrainDeadline,
    /// Waits for handlers beyond the drain deadline.
    WaitsForHandlers,
    /// Counts one client too many.
    MiscountsClients,
    /// Reports no statistics before it ends.
    HidesStatistics,
    /// Shuts the listener down.
    ShutsTheListenerDown,
    /// Leaves the listener open.
    LeavesTheListenerOpen,

    // Capabilities.
    /// Ignores unsupported settings.
    IgnoresUnsupportedSettings,
    /// Reports that the number of workers is configurable, and rejects the setting.
    RejectsConfiguredWorkers,
    /// Reports that the number of workers is configurable, and ignores the setting.
    IgnoresConfiguredWorkers,
}
