//! The rows of the table: each fault, and what shows how every backend takes it.

use crate::table::Here;
use crate::{accept, backlog, calls, clock, crowds, handshakes, output, resources, start, vanished};

/// A test on every backend.
const fn each(run: fn(&str)) -> Option<Here> {
    Some(Here { run, several: false })
}

/// A test on every backend that serves several clients at once.
const fn several(run: fn(&str)) -> Option<Here> {
    Some(Here { run, several: true })
}

rows! {
    row_01_too_long "a message longer than the limit" => "`ERR too-long max=…` as soon as the limit is exceeded, then the end" {
        kit: &["line_framing_enforces_max_message", "length_framing_enforces_max_message", "raw_framing_enforces_max_message", "too_long_message_is_rejected_early", "a_long_message_costs_linear_work"],
        tests: &["cli/tests/it/limits.rs::a_message_may_be_as_long_as_the_limit_and_no_longer"],
    }
    row_02_grammar "CR, LF, NUL, invalid UTF-8" => "a line has any bytes but LF, and loses one CR before it; `counter` answers `ERR not-utf8`" {
        kit: &["line_endings", "length_prefixes", "rejection_does_not_end_the_conversation", "malformed_message_ends_the_conversation"],
        tests: &["fuzz/tests/corpus.rs::no_input_of_the_corpus_finds_a_fault"],
    }
    row_03_splits "bytes split and coalesced" => "the same replies, however the bytes arrive" {
        kit: &["split_at_every_byte", "one_byte_at_a_time", "coalesced_messages", "random_conversations_match_the_oracle"],
        tests: &["fuzz/tests/corpus.rs::no_input_of_the_corpus_finds_a_fault"],
    }
    row_04_slow_senders "a message that arrives byte by byte and never ends" => "`ERR timeout message` from its first byte on; others are served" {
        kit: &["message_deadline"],
        tests: &["cli/tests/it/limits.rs::a_message_has_to_be_ended_in_time"],
        here: several(crowds::slow_senders),
    }
    row_05_silence "a client that connects and says nothing" => "`ERR timeout idle`" {
        kit: &["idle_deadline", "handshake_deadline", "preamble_deadline"],
        tests: &["cli/tests/it/limits.rs::an_idle_client_is_closed"],
    }
    row_06_never_readers "a client that sends and never reads" => "nothing is read while a reply is unsent; the end by `--write-timeout` or `--min-rate`; others are served" {
        kit: &["reading_pauses_while_replies_are_unsent", "large_replies_are_bounded", "write_deadline", "minimum_rate"],
        tests: &[
            "cli/tests/it/limits.rs::a_client_that_reads_no_reply_is_closed",
            "cli/tests/it/limits.rs::a_client_that_reads_steadily_into_a_small_buffer_is_served",
        ],
        here: several(crowds::never_readers),
    }
    row_07_hogs "a client that pipelines without end" => "a turn ends after 64 messages or 64 KiB; others are served" {
        kit: &[
            "flooding_client_does_not_starve_others",
            "client_with_much_input_does_not_go_first",
            "pushes_without_end_do_not_starve_messages",
        ],
        here: several(crowds::hogs),
    }
    row_08_accept_exhausted "`accept` without descriptors or memory" => "accepting pauses for 100 ms to 1 s, without CPU time; clients are served again afterwards" {
        kit: &["out_of_descriptors"],
        tests: &["cli/tests/it/history_faults.rs::a_server_without_descriptors_breaks_no_history"],
        here: each(accept::exhausted),
    }
    row_09_accept_transient "`accept` of a connection that has failed" => "the next one is accepted at once; it is not counted as an error" {
        tests: &["serving/src/accept_errors.rs::the_64th_consecutive_transient_error_pauses"],
        here: each(accept::transient),
    }
    row_10_accept_broken "a listener that is none (any more)" => "the clients drain, and the server ends with exit code 1" {
        kit: &["a_broken_listener_is_an_error", "ended_server_leaks_nothing"],
        here: each(accept::broken),
    }
    row_11_no_threads "a thread that can't be started" => "`ERR busy` where a client needs one; the handler runs on another thread elsewhere" {
        kit: &["out_of_threads"],
        here: each(resources::no_threads),
    }
    row_12_lingering "a server that closes with unread input" => "the last replies arrive, then a clean end" {
        kit: &["last_reply_is_not_lost_to_a_reset", "error_reply_is_not_lost_to_a_reset"],
    }
    row_13_half_close "a client that ends its input" => "all messages are answered; a partial one gets `ERR incomplete`" {
        kit: &["half_close_is_answered", "half_close_without_a_message", "half_close_within_a_message", "later_after_the_end_of_input"],
    }
    row_14_resets "a client that resets or vanishes" => "its place is free at once after a reset; the idle and the write timeout find the vanished, and without these keepalive and the user timeout of TCP" {
        kit: &["reset_frees_the_connection", "reset_with_unsent_replies_frees_the_connection", "keepalive_is_enabled", "later_is_gone_after_a_reset"],
        tests: &["cli/tests/faults/vanished.rs::the_kernel_finds_the_vanished"],
        here: each(vanished::found),
    }
    row_15_broken_pipe "SIGPIPE: output that nobody reads" => "the server goes on; `client` ends quietly" {
        tests: &["cli/tests/it/client.rs::a_closed_stdout_is_no_failure_of_the_client"],
        here: each(output::broken_pipe),
    }
    row_16_panics "a handler that panics" => "`ERR internal`, and the end of that conversation alone" {
        kit: &["panic_in_a_message", "panic_in_open", "panic_in_closed", "panic_in_a_destructor", "a_thousand_panics"],
    }
    row_17_blocking "a handler that blocks" => "other clients are served; idle clients occupy no worker" {
        kit: &["blocked_handlers_delay_no_other_client", "blocked_open_delays_no_other_client", "max_blocking_threads_is_exact", "idle_clients_do_not_delay_an_active_one"],
    }
    row_18_too_many "more clients than the limit" => "`ERR busy`, or the backlog with `queue`; the limit is exact" {
        kit: &["refuses_beyond_the_limit", "queues_beyond_the_limit", "limit_is_exact_under_concurrent_connects", "client_can_reconnect_immediately"],
        tests: &["cli/tests/it/limits.rs::a_client_beyond_the_limit_is_queued"],
    }
    row_19_storm "connections that come and go without end" => "connected clients are served meanwhile" {
        here: several(crowds::storm),
    }
    row_20_backlog "more connections at once than are accepted" => "they wait in the backlog, and all are served, or beyond the limit get `ERR busy`" {
        kit: &["queues_beyond_the_limit"],
        here: each(backlog::burst),
    }
    row_21_ports "a client machine without free ports" => "on loopback the load generator spreads its source addresses; elsewhere it says what to do" {
        skip: Some("a fault of the load generator, which has no backend: `a_load_without_free_ports_says_what_to_do` in `cli/tests/faults/ports.rs`"),
        tests: &["load/src/engine/sources.rs::bind_allocates_no_port", "load/src/engine/sources.rs::the_first_connections_come_from_127_0_0_1", "cli/tests/faults/ports.rs::a_load_without_free_ports_says_what_to_do"],
    }
    row_22_stop "a stop under load" => "complete messages are answered, partial ones get `ERR shutting-down`; the rest is cut off at `drain_timeout`" {
        kit: &["stop_answers_received_messages", "stop_within_a_message", "stop_under_a_pipelining_client", "drain_delivers_the_replies_to_all_handled_messages", "drain_deadline_cuts_off_a_client_that_does_not_read", "stop_refuses_the_backlog"],
        tests: &["cli/tests/it/history_faults.rs::what_a_drain_did_not_answer_was_not_handled", "cli/tests/it/stop.rs::a_second_signal_ends_at_once", "cli/tests/it/stop.rs::clients_beyond_the_drain_timeout_are_cut_and_change_the_code"],
    }
    row_23_killed "kill -9" => "no reply is wrong; a new server takes the address over at once" {
        tests: &["cli/tests/it/history_faults.rs::a_server_that_is_killed_and_restarted_breaks_no_history", "cli/tests/it/serve.rs::a_port_can_be_taken_over_at_once"],
    }
    row_24_memory "little memory, and none for sockets" => "the memory of a connection is bounded, so that `memory` of `--show-config` is enough for all of them; clients beyond `--max-connections` get `ERR busy`, and no history breaks" {
        kit: &["large_replies_are_bounded", "pushes_between_two_groups_are_bounded"],
        tests: &["cli/tests/it/memory.rs::a_server_that_is_full_stays_within_its_memory", "cli/tests/it/history_faults.rs::a_server_without_memory_breaks_no_history"],
    }
    row_25_resets_in_between "connections that are cut and reset in between" => "each message is answered by its own reply, or its connection has ended" {
        tests: &["cli/tests/it/history_faults.rs::a_disturbed_network_breaks_no_history"],
    }
    row_26_disturbed "bytes that are delayed, split, stalled and throttled" => "each message is answered by its own reply" {
        tests: &["cli/tests/it/history_faults.rs::a_disturbed_network_breaks_no_history"],
    }
    row_27_interrupted "system calls that are interrupted or do less than asked" => "nothing is lost and nothing is doubled: strace interrupts each second call to receive, send and wait (of `uring`, those to enter the ring), and a tracer has each transfer a single byte, the operations of a ring too" {
        kit: &["one_byte_at_a_time", "large_replies_are_bounded", "reading_resumes", "handlers_are_not_interrupted_by_signals", "urgent_data_does_not_delay_messages"],
        here: each(|backend| {
            calls::interrupted(backend);
            calls::shortened(backend);
        }),
    }
    row_28_clock "a clock that jumps" => "deadlines go by the monotonic clock" {
        here: each(clock::jumps),
    }
    row_29_full_disk "a log that is closed, full, too large (`ulimit -f`) or not read; a full disk for the receipt" => "the server goes on; exit code 1 if the receipt is lost" {
        tests: &["cli/tests/it/log.rs::a_blocked_log_does_not_block_the_server", "serving/src/accept_errors.rs::a_log_message_is_limited_to_one_in_five_seconds"],
        here: each(output::full),
    }
    row_30_log_injection "bytes of a client in the log" => "an event is one line of plain text" {
        tests: &["cli/src/log.rs::one_event_is_one_line_of_plain_text"],
        here: each(output::injection),
    }
    row_31_terminal "control sequences in a reply" => "`client` escapes them on a terminal" {
        skip: Some("a fault of the client, which has no backend: `control_sequences_from_the_server_are_escaped` in `cli/tests/it/terminal.rs`"),
        tests: &["cli/tests/it/terminal.rs::control_sequences_from_the_server_are_escaped", "load/src/escape.rs::no_control_or_format_character_gets_through"],
    }
    row_32_evil_server "a server that attacks its clients" => "replies, silence and their number are limited" {
        skip: Some("a fault of the client and the load generator, which have no backend: `a_reply_without_end_is_limited` in `cli/tests/it/client.rs`"),
        tests: &["cli/tests/it/client.rs::a_reply_without_end_is_limited", "cli/tests/it/unanswered.rs::a_silent_server_is_left_after_a_timeout", "fuzz/tests/corpus.rs::no_input_of_the_corpus_finds_a_fault"],
    }
    row_33_unauthenticated "memory that a client uses before it is known" => "with TLS, at most what `--show-config` counts for a connection; the end by `--message-timeout`" {
        kit: &["handshake_deadline"],
        tests: &[
            "tls/tests/memory/main.rs::a_client_whose_first_message_never_ends",
            "tls/tests/memory/main.rs::a_client_that_presents_very_many_certificates",
        ],
        here: each(handshakes::bounded),
    }
    row_34_upgrade "plain text before an upgrade to TLS" => "" {
        skip: Some("there is no upgrade within a connection; a transform is there from the first byte, or not at all"),
    }
    row_35_start "an address in use, a wrong configuration, a bad key file" => "one line that says what to do, exit code 1 or 2, before a client is accepted" {
        kit: &["start_fails_with_too_few_descriptors", "unsupported_settings_are_rejected"],
        tests: &["cli/tests/it/tls.rs::faults_of_certificates_are_found_before_it_listens"],
        here: each(start::fails),
    }
}
