//! For each case, the defects that it must find, which shows that the case tests something.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use anyloop_conformance::{CASES, Subject, case};

use crate::defect::Defect;
use crate::plain::Plain;

/// The timeout of waits, which many defects let expire.
const TIMEOUT: Duration = Duration::from_millis(600);

/// A defect that depends on the scheduling of threads may need several attempts.
const ATTEMPTS: usize = 5;

fn assert_finds(name: &str, defect: Defect, test: &str) {
    let case = case(name);
    let subject = || Subject::new(Arc::new(Plain::with(defect))).with_timeout(TIMEOUT).with_test_path(test);
    let fails = || catch_unwind(AssertUnwindSafe(|| (case.run)(&subject()))).is_err();
    assert!((0..ATTEMPTS).any(|_| fails()), "`{name}` passes in spite of the defect {defect:?}");
}

macro_rules! mutants {
    ($($case:ident: $($defect:ident)+;)*) => {
        $(mod $case {
            $(
                #[test]
                #[expect(non_snake_case, reason = "the name is that of the defect")]
                fn $defect() {
                    let test = concat!(module_path!(), "::", stringify!($defect));
                    super::assert_finds(stringify!($case), crate::defect::Defect::$defect, test);
                }
            )+
        })*

        #[test]
        fn every_case_can_fail() {
            let tried = [$(stringify!($case)),*];
            let missing: Vec<_> = CASES.iter().filter(|case| !tried.contains(&case.name)).collect();
            assert!(missing.is_empty(), "there is no defect for {missing:?}");
        }
    };
}

mutants! {
    greets: NoGreeting IgnoresExit;
    replies_in_order: DuplicatesWrites LosesWrites;
    replies_in_order_when_pipelined: DuplicatesWrites LosesWrites ReordersWrites;
    any_number_of_replies_per_message: SendsOnlyTheFirstReply;
    each_client_has_its_own_session: SharesOneSession ServesOneClientAtATime;
    random_conversations_match_the_oracle: ReordersWrites LimitOffByOne SendsOnlyTheFirstReply;

    split_at_every_byte: DiscardsPartialMessages;
    one_byte_at_a_time: DiscardsPartialMessages;
    coalesced_messages: AnswersOneMessagePerRead ReordersWrites DiscardsPartialMessages;
    a_long_message_costs_linear_work: CopiesInput;
    line_endings: StripsCarriageReturns;
    length_prefixes: StripsCarriageReturns;
    raw_treats_each_read_as_a_message: ReadsByteByByte;
    raw_splits_reads_at_1024_bytes: ReadsAtMost1000Bytes;

    exit_ends_the_conversation: IgnoresExit DiscardsRepliesAtExit ReordersWrites;
    half_close_is_answered: IgnoresEndOfInput;
    half_close_without_a_message: IgnoresEndOfInput;
    half_close_within_a_message: IgnoresEndOfInput DiscardsPartialMessages SendsNoErrorReplies;
    last_reply_is_not_lost_to_a_reset: ClosesWithoutLingering;
    error_reply_is_not_lost_to_a_reset: ClosesWithoutLingering SendsNoErrorReplies;
    closed_is_called_once: CallsClosedTwice NeverCallsClosed;
    closed_is_called_when_cut_off: CallsClosedTwice NeverCallsClosed;

    line_framing_enforces_max_message: LimitOffByOne IgnoresInvalidMessages SendsNoErrorReplies;
    length_framing_enforces_max_message: LimitOffByOne IgnoresInvalidMessages SendsNoErrorReplies;
    raw_framing_enforces_max_message: LimitOffByOne IgnoresInvalidMessages SendsNoErrorReplies;
    too_long_message_is_rejected_early: LimitOffByOne IgnoresInvalidMessages;
    malformed_message_ends_the_conversation: IgnoresInvalidMessages SendsNoErrorReplies;
    rejection_does_not_end_the_conversation: FailsOnInvalidUtf8;
    max_reply_is_enforced: UnboundedReplies SendsNoErrorReplies;

    reading_pauses_while_replies_are_unsent: ReadsDespiteUnsentReplies NoWriteDeadline;
    large_replies_are_bounded: ReadsDespiteUnsentReplies NoWriteDeadline;
    reading_resumes: IgnoresShortWrites;
    minimum_rate: NoMinimumRate FiresDeadlinesEarly;
    slow_reader_does_not_time_out: IgnoresWriteProgress;

    idle_deadline: NoIdleDeadline FiresDeadlinesEarly;
    message_restarts_the_idle_deadline: NoIdleDeadline FiresDeadlinesEarly;
    message_deadline: NoMessageDeadline FiresDeadlinesEarly;
    no_message_deadline_between_messages: MessageDeadlineAlwaysRuns;
    no_idle_deadline_within_a_message: IdleDeadlineAlwaysRuns;
    write_deadline: NoWriteDeadline FiresDeadlinesEarly;
    no_deadline_while_a_handler_runs: DropsClientsOfSlowHandlers;
    no_deadline_while_open_runs: FiresDeadlinesEarly;
    idle_deadline_runs_from_the_reply: FiresDeadlinesEarly NoIdleDeadline;
    received_input_is_read_before_a_deadline_fires: FiresDeadlinesEarly ServesOneClientAtATime;
    message_deadline_restarts_when_reading_resumes: FiresDeadlinesEarly;

    message_without_a_reply_stops_its_deadline: NeverEndsMessages;
    output_without_a_message: DiscardsOutputWithoutMessage;
    finish_is_called_only_within_a_message: NeverEndsMessages DiscardsPartialMessages;

    transform_is_applied_to_all_bytes: SendsPlaintext LimitOffByOne SendsNoErrorReplies;
    handshake_precedes_the_greeting: SkipsTheHandshake SendsPlaintext;
    failed_handshake_ends_the_connection: SkipsTheHandshake IgnoresEndOfInput;
    handshake_deadline: NoMessageDeadline FiresDeadlinesEarly;
    blocked_handshakes_delay_no_other_client: ServesOneClientAtATime;
    final_output_of_a_transform_is_sent: OmitsTheFinalOutput IgnoresEndOfInput;
    preamble_precedes_open: DiscardsThePreamble;
    invalid_preamble_gets_an_error_reply: SendsNoErrorReplies DiscardsThePreamble;
    preamble_deadline: NoMessageDeadline FiresDeadlinesEarly;

    refuses_beyond_the_limit: ConnectionLimitOffByOne;
    queues_beyond_the_limit: ConnectionLimitOffByOne RefusesInsteadOfQueueing;
    limit_is_exact_under_concurrent_connects: ConnectionLimitOffByOne;
    client_can_reconnect_immediately: FreesConnectionsLate;
    reported_max_connections_is_not_exceeded: ExceedsReportedMaxConnections;

    out_of_descriptors: EndsWithoutDescriptors SpinsWithoutDescriptors;
    out_of_threads: DropsClientsWithoutThread EndsWithoutThread;

    panic_in_a_message: EndsAtPanics SendsNoErrorReplies;
    panic_in_open: EndsAtPanics;
    panic_in_closed: EndsAtPanics;
    panic_does_not_affect_other_clients: EndsAtPanics;
    panic_in_refuse: EndsAtPanics ConnectionLimitOffByOne;
    panic_in_open_and_refuse: EndsAtPanics;
    panic_in_error: EndsAtPanics;
    panic_in_blocking: EndsAtPanics;
    panic_in_a_destructor: EndsAtPanics;
    panic_in_a_destructor_when_cut_off: NeverCallsClosed;
    invalid_progress_ends_only_that_conversation: SendsNoErrorReplies;
    a_thousand_panics: LeaksConnections;

    stop_serves_no_new_clients: ServesNewClientsAfterStop;
    stop_ends_an_idle_client: IgnoresStop WakesNoThread;
    stop_ends_every_idle_client: IgnoresStop WakesNoThread;
    stop_answers_received_messages: CutsOffAtStop;
    stop_within_a_message: CutsOffAtStop DiscardsPartialMessages SendsNoErrorReplies;
    stop_under_a_pipelining_client: CutsOffAtStop IgnoresStop LosesWrites;
    drain_deadline_cuts_off_a_client_that_does_not_read: NoDrainDeadline FiresDeadlinesEarly;
    drain_deadline_does_not_wait_for_a_handler: WaitsForHandlers NoDrainDeadline FiresDeadlinesEarly;
    immediate_stop_waits_for_no_client: IgnoresImmediateStop;
    report_counts_each_client_once: MiscountsClients;
    statistics_are_current: HidesStatistics;
    statistics_count_each_byte: HidesStatistics LosesWrites;
    final_statistics_equal_the_report: HidesStatistics MiscountsClients;
    statistics_count_refused_clients: HidesStatistics ConnectionLimitOffByOne;
    final_statistics_equal_the_report_when_cut_off: HidesStatistics MiscountsClients;
    stop_refuses_the_backlog: DropsTheBacklog;
    stop_leaves_a_shared_backlog: AcceptsFromASharedBacklog;
    drain_delivers_the_replies_to_all_handled_messages: LosesWrites CutsOffAtStop;
    handlers_are_not_interrupted_by_signals: DropsClientsOfSlowHandlers;
    the_listener_is_closed_while_clients_drain: LeavesTheListenerOpen;
    a_listener_may_be_shared: ShutsTheListenerDown;
    the_listener_is_closed_not_shut_down: ShutsTheListenerDown LeavesTheListenerOpen;

    reset_frees_the_connection: IgnoresResets LeaksConnections;
    reset_with_unsent_replies_frees_the_connection: IgnoresResets LeaksConnections;
    keepalive_is_enabled: NoKeepalive;

    flooding_client_does_not_starve_others: ServesOneClientAtATime;
    client_with_much_input_does_not_go_first: ServesAClientUntilItWaits;
    idle_clients_do_not_delay_an_active_one: ServesOneClientAtATime;
    blocking_handlers_keep_order: ReordersWrites LosesWrites;
    blocked_handlers_delay_no_other_client: ServesOneClientAtATime;
    blocked_open_delays_no_other_client: ServesOneClientAtATime;
    blocked_closed_delays_no_other_client: ServesOneClientAtATime;
    max_blocking_threads_is_exact: IgnoresUnsupportedSettings;

    urgent_data_does_not_delay_messages: StallsAtUrgentData;
    end_of_input_after_urgent_data_is_noticed: StallsAtUrgentData;
    stop_answers_messages_after_urgent_data: StallsAtUrgentData;

    idle_server_uses_no_cpu_time: Spins;

    a_handler_may_use_a_mebibyte_of_stack: SmallStacks;
    a_broken_listener_is_an_error: HidesFailures;
    ended_server_leaks_nothing: LeaksDescriptorsOnFailure LeaksDescriptorsOnStop;
    start_fails_with_too_few_descriptors: HidesFailures;
    few_descriptors_suffice_for_error_replies: SendsNoErrorReplies;

    unsupported_settings_are_rejected: IgnoresUnsupportedSettings;
    configured_number_of_workers_is_started: RejectsConfiguredWorkers IgnoresConfiguredWorkers;

    pushes_of_many_senders_keep_their_order: LosesPushes DuplicatesPushes ReordersPushes;
    pushes_reach_an_idle_client: LosesPushes WakesNoThread HandlesReachNobody;
    pushes_do_not_split_a_reply: SplitsReplies ReordersPushes;
    pushes_arrive_within_a_partial_message: HoldsPushes ReordersPushes;
    pushes_alternate_with_replies: ReordersPushes DuplicatesPushes;
    pushes_without_end_do_not_starve_messages: ReportsNoInput;
    pushes_wait_for_a_running_handler: LosesPushes ReordersPushes;
    pushes_are_delivered_while_other_handlers_block: ServesOneClientAtATime PushesToAnotherClient;
    pushes_from_a_session_to_itself: ReordersPushes DuplicatesPushes HandlesReachNobody;
    pushes_from_closed_reach_others: NeverCallsClosed PushesToAnotherClient;
    pushes_before_a_close_are_delivered: LosesPushes HandlesReachNobody;
    pushes_restart_the_idle_deadline: NoIdleDeadline FiresDeadlinesEarly;
    pushes_do_not_extend_the_message_deadline: NoMessageDeadline FiresDeadlinesEarly;

    pushes_beyond_the_mailbox_end_the_client: UnlimitedMailboxes IgnoresMailboxFull ReordersPushes;
    pushes_beyond_one_mailbox_disturb_no_other_client: ServesOneClientAtATime PushesToAnotherClient;
    pushes_beyond_the_mailbox_are_refused: UnlimitedMailboxes IgnoresMailboxFull LosesPushes;
    pushes_beyond_the_mailbox_drop_the_oldest: IgnoresMailboxFull HidesDroppedPushes UnlimitedMailboxes;
    pushes_to_a_client_that_leaves_are_counted: MiscountsPushes LosesPushes;
    pushes_before_a_stop_are_delivered: LosesPushesAtStop CutsOffAtStop;
    pushes_to_a_client_that_has_left_reach_no_other: SendsOutputToTheNextClient HandlesReachNobody;

    pushes_to_a_group_arrive_once: DuplicatesPushes LosesPushes PushesToAnotherClient;
    pushes_to_a_group_skip_clients_that_have_left: HandlesReachNobody;
    pushes_between_two_groups_are_bounded: UnlimitedMailboxes ServesOneClientAtATime;

    later_answers_keep_the_order: DuplicatesAnswers AnswersTheNextMessage;
    later_answers_keep_the_order_where_handlers_block: DuplicatesAnswers AnswersTheNextMessage;
    later_pauses_reading: ReadsWhilePending;
    later_does_not_delay_pushes: HoldsPushes AnswersTheNextMessage;
    later_answered_within_the_call: DuplicatesAnswers AnswersTheNextMessage;
    later_twice_is_an_internal_error: SendsNoErrorReplies EndsAtPanics;
    later_dropped_is_an_internal_error: SendsNoErrorReplies;
    later_must_not_exceed_max_reply: UnboundedReplies SendsNoErrorReplies;
    later_may_reject_or_close: SendsNoErrorReplies AnswersTheNextMessage;
    later_before_the_end_of_a_conversation: DuplicatesAnswers IgnoresExit;
    later_in_open: NoGreeting DuplicatesAnswers;
    later_in_notified_and_timer: DuplicatesAnswers FiresNoTimers;

    later_times_out: NoAnswerTimeout FiresDeadlinesEarly SendsNoErrorReplies;
    later_races_its_timeout: AnswersDespiteTimeout DuplicatesAnswers;
    later_stops_other_deadlines: IdleDeadlineRunsWhilePending;
    later_after_the_end_of_input: EndsWhilePending;
    later_is_awaited_by_a_stop: CutsOffAtStop;
    later_ends_when_cut_off: NoDrainDeadline FiresDeadlinesEarly;
    later_after_a_reset: IgnoresResets LeaksConnections;
    later_is_gone_after_a_reset: IgnoresFailuresWhilePending LeaksConnections;
    later_pending_uses_no_cpu_time: SpinsWhilePending;

    later_may_be_answered_at_a_stop: HidesStops CutsOffAtStop WakesNoThread;
    stop_is_told_between_pushes_and_messages: HidesStops TellsOfStopsTwice LosesPushesAtStop;
    stop_is_told_once_to_each_session: HidesStops TellsOfStopsTwice;

    timer_expires_once: FiresTimersTwice FiresTimersEarly FiresNoTimers;
    timer_may_be_cancelled_or_replaced: FiresCancelledTimers FiresTimersEarly;
    timer_may_be_repeated: FiresTimersOnce FiresNoTimers;
    timer_expires_while_other_handlers_block: FiresNoTimers ServesOneClientAtATime;
    timer_expires_while_an_answer_is_pending: FiresNoTimers AnswersTheNextMessage;
    timer_does_not_split_a_reply: SplitsReplies FiresNoTimers;
}
