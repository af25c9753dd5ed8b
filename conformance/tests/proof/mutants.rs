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

fn finds(name: &str, defect: Defect, test: &str) {
    let case = case(name);
    let subject = || Subject::new(Arc::new(Plain::with(defect))).with_patience(TIMEOUT).tested_as(test);
    let fails = || catch_unwind(AssertUnwindSafe(|| (case.run)(&subject()))).is_err();
    assert!((0..ATTEMPTS).any(|_| fails()), "`{name}` passes although the backend {defect:?}");
}

macro_rules! mutants {
    ($($case:ident: $($defect:ident)+;)*) => {
        $(mod $case {
            $(
                #[test]
                #[expect(non_snake_case, reason = "the name is that of the defect")]
                fn $defect() {
                    let test = concat!(module_path!(), "::", stringify!($defect));
                    super::finds(stringify!($case), crate::defect::Defect::$defect, test);
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
    replies_in_order: DoublesWrites LosesWrites;
    replies_in_order_when_pipelined: DoublesWrites LosesWrites ReordersWrites;
    no_reply_one_reply_several_replies: OneReplyAMessage;
    each_client_has_its_own_session: SharesTheSession HoldsTheLoop;
    agrees_with_the_oracle: ReordersWrites LimitOffByOne OneReplyAMessage;

    split_at_every_byte: ForgetsPartialMessages;
    one_byte_at_a_time: ForgetsPartialMessages;
    coalesced: OneMessageARead ReordersWrites ForgetsPartialMessages;
    a_long_message_costs_linear_work: CopiesInput;
    line_ends: StripsCarriageReturns;
    length_prefixes: StripsCarriageReturns;
    raw_takes_turns: ReadsByteByByte;
    raw_cuts_at_1024: ReadsLittle;

    exit_ends_the_conversation: IgnoresExit ForgetsAtExit ReordersWrites;
    half_close_is_answered: IgnoresEndOfInput;
    half_close_without_a_word: IgnoresEndOfInput;
    half_close_within_a_message: IgnoresEndOfInput ForgetsPartialMessages EndsWithoutAWord;
    no_reset_eats_the_last_reply: ClosesAtOnce;
    no_reset_eats_an_error_reply: ClosesAtOnce EndsWithoutAWord;
    closed_is_told_once: TellsOfTheEndTwice NeverTellsOfTheEnd;
    closed_is_told_at_the_cut: TellsOfTheEndTwice NeverTellsOfTheEnd;

    line_limit: LimitOffByOne IgnoresBrokenMessages EndsWithoutAWord;
    length_limit: LimitOffByOne IgnoresBrokenMessages EndsWithoutAWord;
    raw_limit: LimitOffByOne IgnoresBrokenMessages EndsWithoutAWord;
    too_long_before_the_end: LimitOffByOne IgnoresBrokenMessages;
    malformed_messages: IgnoresBrokenMessages EndsWithoutAWord;
    objections_continue: FailsOnOddBytes;
    reply_limit: UnboundedReplies EndsWithoutAWord;

    reading_stops_while_nobody_reads: ReadsRegardless NoWriteDeadline;
    large_replies_are_bounded: ReadsRegardless NoWriteDeadline;
    reading_resumes: TrustsShortWrites;
    a_steady_reader_is_not_cut: IgnoresProgress;

    idle_deadline: NoIdleDeadline Early;
    idle_deadline_begins_anew: NoIdleDeadline Early;
    message_deadline: NoMessageDeadline Early;
    message_deadline_needs_a_message: MessageDeadlineAlwaysRuns;
    idle_deadline_needs_silence: IdleDeadlineAlwaysRuns;
    write_deadline: NoWriteDeadline Early;
    a_running_handler_is_not_idle: LosesSlowHandlers;
    a_running_open_is_not_idle: Early;
    idle_deadline_runs_from_the_reply: Early NoIdleDeadline;
    time_that_others_take_is_not_a_clients: Early HoldsTheLoop;
    a_begun_message_waits_while_nothing_is_read: Early;

    a_message_that_ends_without_an_answer: NeverEndsMessages;
    a_word_without_a_message: DropsWords;
    only_what_has_begun_is_finished: NeverEndsMessages ForgetsPartialMessages;

    a_transform_of_all_bytes: SendsPlaintext LimitOffByOne EndsWithoutAWord;
    a_handshake_goes_before_the_greeting: OpensBeforeTheHandshake SendsPlaintext;
    a_handshake_may_fail: OpensBeforeTheHandshake IgnoresEndOfInput;
    a_handshake_has_a_deadline: NoMessageDeadline Early;
    a_handshake_may_block: HoldsTheLoop;
    the_last_word_of_a_transform: ForgetsTheLastWord IgnoresEndOfInput;
    a_preamble_goes_before_all: ForgetsThePreamble;
    a_broken_preamble_is_told: EndsWithoutAWord ForgetsThePreamble;
    a_preamble_has_a_deadline: NoMessageDeadline Early;

    refuses_beyond_the_limit: SoftLimit;
    queues_beyond_the_limit: SoftLimit RefusesWaiting;
    exact_in_a_stampede: SoftLimit;
    a_place_is_free_before_the_end: FreesPlacesLate;
    holds_what_it_says: BoastsOfALimit;

    out_of_descriptors: EndsWithoutDescriptors SpinsWithoutDescriptors;
    out_of_threads: DropsWithoutThread EndsWithoutThread;

    panic_in_a_message: EndsAtPanics EndsWithoutAWord;
    panic_in_open: EndsAtPanics;
    panic_in_closed: EndsAtPanics;
    panic_beside_others: EndsAtPanics;
    panic_in_refuse: EndsAtPanics SoftLimit;
    panic_in_open_and_refuse: EndsAtPanics;
    panic_in_error: EndsAtPanics;
    panic_in_blocking: EndsAtPanics;
    panic_in_a_destructor: EndsAtPanics;
    panic_in_a_destructor_at_the_cut: NeverTellsOfTheEnd;
    more_used_than_there_is: EndsWithoutAWord;
    a_thousand_panics: LeaksPlaces;

    stop_lets_nobody_in: LetsInAfterTheStop;
    stop_ends_the_idle: IgnoresStop Deaf;
    stop_ends_every_idle_client: IgnoresStop Deaf;
    stop_answers_what_has_arrived: StopsImpatiently;
    stop_within_a_message: StopsImpatiently ForgetsPartialMessages EndsWithoutAWord;
    stop_under_a_pipelining_client: StopsImpatiently IgnoresStop LosesWrites;
    the_drain_deadline_cuts_who_does_not_read: DrainsForEver Early;
    the_drain_deadline_cuts_a_running_handler: WaitsForHandlers DrainsForEver Early;
    a_second_press_ends_at_once: IgnoresTheSecondPress;
    the_receipt_adds_up: Miscounts;
    statistics_tell_what_happens: HidesStatistics;
    statistics_count_each_byte: HidesStatistics LosesWrites;
    statistics_become_the_report: HidesStatistics Miscounts;
    statistics_count_who_is_refused: HidesStatistics SoftLimit;
    statistics_become_the_report_at_the_cut: HidesStatistics Miscounts;
    stop_tells_who_waits: ForgetsTheBacklog;
    stop_leaves_a_shared_backlog: IgnoresTheSuccessor;
    a_clean_drain_handles_only_what_it_answers: LosesWrites StopsImpatiently;
    a_handler_is_not_interrupted: LosesSlowHandlers;
    the_listener_is_closed_while_clients_drain: LeavesTheListenerOpen;
    a_listener_may_be_shared: ShutsTheListenerDown;
    the_listener_is_closed_not_shut_down: ShutsTheListenerDown LeavesTheListenerOpen;

    a_reset_frees_the_place: IgnoresResets LeaksPlaces;
    a_reset_under_unread_replies_frees_the_place: IgnoresResets LeaksPlaces;
    vanished_clients_are_looked_for: NoKeepalive;

    a_hog_takes_turns: HoldsTheLoop;
    a_crowd_is_no_burden: HoldsTheLoop;
    blocking_handlers_keep_order: ReordersWrites LosesWrites;
    a_blocked_handler_holds_up_nobody: HoldsTheLoop;
    open_may_block: HoldsTheLoop;
    closed_may_block: HoldsTheLoop;
    as_many_blocking_handlers_as_allowed: IgnoresMeans;

    urgent_data_delays_nothing: StallsAtUrgentData;
    the_end_behind_urgent_data_is_seen: StallsAtUrgentData;
    stop_answers_behind_urgent_data: StallsAtUrgentData;

    nothing_runs_while_nothing_happens: Spins;

    a_handler_may_use_a_mebibyte_of_stack: SmallStacks;
    a_broken_listener_is_an_error: HidesFailures;
    a_failed_server_leaves_nothing: LeaksWhenItFails;
    too_few_descriptors_to_begin_with: HidesFailures;
    few_descriptors_refuse_with_a_word: EndsWithoutAWord;

    means_it_cannot_have_are_refused: IgnoresMeans;
    works_with_the_workers_asked_for: RefusesTheChoice IgnoresTheChoice;
}
