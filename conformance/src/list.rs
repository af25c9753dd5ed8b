//! The list of cases: name, behaviour, needs, and description. A case is the function of this name in the module
//! `cases::…` that it is listed under.
//!
//! The cases that are marked with `sampled` are the sample, which a variant runs by default: over Unix sockets, through a
//! transform, or another way to run a backend. Together they touch each mechanism that a variant could break.

/// Passes the list of cases to the named macro: `for_each_case! { my_macro }`.
#[doc(hidden)]
#[macro_export]
macro_rules! for_each_case {
    ($($then:tt)*) => {
        $($then)*! {
            order {
                greets [Conversation] [] "a client receives a greeting before it sends anything";
                replies_in_order [Conversation] [] "each message gets its reply before the next one is sent";
                replies_in_order_when_pipelined [Conversation] [] sampled "pipelined messages are answered in order, without loss and duplicates";
                any_number_of_replies_per_message [Conversation] [] "a message may get no reply, one, or several";
                each_client_has_its_own_session [Conversation] [TwoClients] "the messages of a client don't affect other clients";
                random_conversations_match_the_oracle [Conversation] [] sampled "random conversations get the replies that the pure core computes in memory";
            }
            framing {
                split_at_every_byte [Framing] [] sampled "a message may be split between any two bytes";
                one_byte_at_a_time [Framing] [] "a conversation may arrive byte by byte";
                coalesced_messages [Framing] [] "several messages, and a part of one, may arrive at once";
                a_long_message_costs_linear_work [Framing] [] "a long message that arrives byte by byte costs linear time";
                line_endings [Framing] [] "a line ends with a line feed, and a carriage return before it is removed";
                length_prefixes [Framing] [] "in `length`, a message may contain any bytes, or none";
            }
            raw {
                raw_treats_each_read_as_a_message [Framing] [] "in `raw`, the bytes of each read are a message";
                raw_splits_reads_at_1024_bytes [Framing] [] "in `raw`, a long read is split at 1,024 bytes, and never inside a character";
            }
            closing {
                exit_ends_the_conversation [Closing] [] "earlier replies are delivered before the end; later messages are ignored";
                half_close_is_answered [Closing] [] sampled "a client that ends its input receives all its replies, then the end";
                half_close_without_a_message [Closing] [] "a client that ends its input immediately receives the end";
                half_close_within_a_message [Closing] [] "an incomplete message gets `ERR incomplete`";
                last_reply_is_not_lost_to_a_reset [Closing] [] sampled "a client that keeps sending and reads late receives its last replies and a clean end";
                error_reply_is_not_lost_to_a_reset [Closing] [] "a client that has more to send receives an error reply and a clean end";
                closed_is_called_once [Closing] [] "`closed` of a session is called once, with the reason";
                closed_is_called_when_cut_off [Closing] [TwoClients, HandlersOnOtherThreads] "`closed` of each session is called once when its client is cut off, also if its handler or worker was blocked";
            }
            limits {
                line_framing_enforces_max_message [Limits] [] "in `line`, a message of the maximum length is accepted, a longer one rejected, and the server continues";
                length_framing_enforces_max_message [Limits] [] "in `length`, a message of the maximum length is accepted, a longer one rejected, and the server continues";
                raw_framing_enforces_max_message [Limits] [] "in `raw`, a message of the maximum length is accepted, a longer one rejected, and the server continues";
                too_long_message_is_rejected_early [Limits] [] "a message that is too long is rejected before its end";
                malformed_message_ends_the_conversation [Limits] [] sampled "an invalid message gets one error reply, and the conversation ends";
                rejection_does_not_end_the_conversation [Limits] [] "a rejection by the handler, such as `ERR not-utf8`, does not end the conversation";
                max_reply_is_enforced [Limits] [] "a reply over the limit becomes `ERR internal`, and the conversation ends";
            }
            backpressure {
                reading_pauses_while_replies_are_unsent [Backpressure] [] sampled "from a client that sends and never reads, no more is read than fits the memory bound, and the write deadline ends it";
                large_replies_are_bounded [Backpressure] [] "no more messages are answered than fit the memory bound, however large the replies are";
                reading_resumes [Backpressure] [] sampled "a client that starts to read late receives all replies in order";
                minimum_rate [Deadlines] [] "a client that receives its replies more slowly than the minimum rate times out, not early";
                slow_reader_does_not_time_out [Backpressure] [] "a client that reads slowly but steadily does not time out";
            }
            deadlines {
                idle_deadline [Deadlines] [] "an idle client gets `ERR timeout idle`, not early";
                message_restarts_the_idle_deadline [Deadlines] [] "the idle deadline runs from the last message";
                message_deadline [Deadlines] [] sampled "a message must end in time, even if bytes keep arriving; not early";
                no_message_deadline_between_messages [Deadlines] [] "between two messages only the idle deadline runs";
                no_idle_deadline_within_a_message [Deadlines] [] "within a message only the message deadline runs";
                write_deadline [Deadlines] [] sampled "a client that receives none of its replies times out, not early";
                no_deadline_while_a_handler_runs [Deadlines] [] "no deadline of a client runs while its message is being answered";
                no_deadline_while_open_runs [Deadlines] [] "no deadline of a client runs while its session is being opened";
                idle_deadline_runs_from_the_reply [Deadlines] [] "the idle deadline runs from the end of the handler, not from the last read";
                received_input_is_read_before_a_deadline_fires [Deadlines] [TwoClients] "input that has arrived is read before a deadline fires, also if the worker was busy with other clients";
                message_deadline_restarts_when_reading_resumes [Deadlines] [] "the timeout of a message restarts when reading resumes after unsent replies";
            }
            protocols {
                message_without_a_reply_stops_its_deadline [Protocols] [] "a message that ends without a reply leaves no deadline running";
                output_without_a_message [Protocols] [] "a protocol may send output that answers no message";
                finish_is_called_only_within_a_message [Protocols] [] "`finish` is called only within a message";
            }
            transforms {
                transform_is_applied_to_all_bytes [Protocols] [] "a transform is applied once to all bytes, including error replies";
                handshake_precedes_the_greeting [Protocols] [] "nothing is sent before the handshake of a transform is complete, however it arrives";
                failed_handshake_ends_the_connection [Protocols] [] "an invalid handshake gets the answer of the transform, then the end";
                handshake_deadline [Deadlines] [] "a handshake must be complete in time from the accept, even if bytes keep arriving; not early";
                blocked_handshakes_delay_no_other_client [Fairness] [TwoClients] "while handshakes block, another client is answered";
                final_output_of_a_transform_is_sent [Closing] [] "a transform writes its final output at each kind of end at which something can be sent";
                preamble_precedes_open [Protocols] [] "the information of a preamble is available when the session is opened, however it arrives";
                invalid_preamble_gets_an_error_reply [Protocols] [] "an invalid preamble gets one error reply, then the end";
                preamble_deadline [Deadlines] [] "a preamble must be complete in time from the accept; not early";
            }
            admission {
                refuses_beyond_the_limit [Admission] [TwoClients] sampled "with `refuse`, the maximal number of clients is served, and others get `ERR busy` and the end";
                queues_beyond_the_limit [Admission] [] "with `queue`, one client too many waits, and is served when another leaves";
                limit_is_exact_under_concurrent_connects [Admission] [TwoClients] "of many clients that connect at once, exactly the maximal number is served";
                client_can_reconnect_immediately [Admission] [] "a client that has received the end can reconnect immediately";
                reported_max_connections_is_not_exceeded [Admission] [] "no more clients are served at once than the backend's capabilities allow";
            }
            exhaustion {
                out_of_descriptors [AcceptErrors] [TwoClients] "without descriptors the server keeps running, does not spin, counts the errors, and serves clients again when descriptors are free";
                out_of_threads [AcceptErrors] [] "without threads a client is refused, or served without one, and the server keeps running";
            }
            panics {
                panic_in_a_message [Panics] [] sampled "a panic in `message` ends only that conversation, with `ERR internal`";
                panic_in_open [Panics] [] "a panic in `open` ends only that conversation, with `ERR internal`";
                panic_in_closed [Panics] [] "a panic in `closed` has no effect on others";
                panic_does_not_affect_other_clients [Panics] [TwoClients] "a panic does not end other conversations";
                panic_in_refuse [Panics] [TwoClients] "a panic in `refuse` ends only that connection";
                panic_in_open_and_refuse [Panics] [] "panics in `open` and then in `refuse` end only that connection";
                panic_in_error [Panics] [] "a panic in a protocol's `error` has no effect on others";
                panic_in_blocking [Panics] [] "a panic in `blocking` has no effect on others";
                panic_in_a_destructor [Panics] [] "a panic in a session's destructor has no effect on others, also when its client is cut off";
                panic_in_a_destructor_when_cut_off [Panics] [TwoClients, HandlersOnOtherThreads] "a panic in a session's destructor has no effect on others if the client was cut off within a handler";
                invalid_progress_ends_only_that_conversation [Panics] [] "a protocol that returns that it has used more bytes than there are ends only that conversation";
                a_thousand_panics [Panics] [] "after a thousand panics the server still serves clients";
            }
            stop {
                stop_serves_no_new_clients [Stop] [] "after a stop no more clients are served";
                stop_ends_an_idle_client [Stop] [] "at a stop an idle client receives the end, without an error reply";
                stop_ends_every_idle_client [Stop] [TwoClients] "at a stop all idle clients receive the end";
                stop_answers_received_messages [Stop] [] sampled "complete messages that had arrived are answered, then the conversation ends";
                stop_within_a_message [Stop] [] "an incomplete message gets `ERR shutting-down`";
                stop_under_a_pipelining_client [Stop] [] "a client that keeps sending receives its replies in order, and a clean end";
                drain_deadline_cuts_off_a_client_that_does_not_read [Stop] [] sampled "a client that does not receive its replies is cut off at the drain deadline, not early";
                drain_deadline_does_not_wait_for_a_handler [Stop] [HandlersOnOtherThreads] "at the drain deadline the server ends even if a handler still runs";
                immediate_stop_waits_for_no_client [Stop] [] "after an immediate stop the server waits for no client";
                report_counts_each_client_once [Stop] [] "each accepted client is counted once in the report, with the right outcome";
                drain_delivers_the_replies_to_all_handled_messages [Stop] [] "after a clean drain, no message was handled without its reply being delivered";
                the_listener_is_closed_not_shut_down [Stop] [] "the listener is closed, and its duplicates continue to listen";
            }
            statistics {
                statistics_are_current [Statistics] [] "a running server reports its statistics so far";
                statistics_count_each_byte [Statistics] [] "all bytes that clients have sent and received are counted";
                final_statistics_equal_the_report [Statistics] [] "after a server has ended, its statistics equal its report";
                statistics_count_refused_clients [Statistics] [TwoClients] "refused clients are counted, with the bytes of their error replies";
                final_statistics_equal_the_report_when_cut_off [Statistics] [HandlersOnOtherThreads] "statistics equal the report if clients were cut off, also within a handler";
            }
            backlog {
                stop_refuses_the_backlog [Stop] [] "clients in the backlog get `ERR shutting-down`";
                stop_leaves_a_shared_backlog [Stop] [] "clients in a shared backlog are left to the other server";
                the_listener_is_closed_while_clients_drain [Stop] [HandlersOnOtherThreads] "no client can connect while others drain";
                a_listener_may_be_shared [Stop] [] "servers that share a listener each greet the clients that they accept, and one continues when the other stops";
            }
            disconnects {
                reset_frees_the_connection [Disconnects] [] "a client that was reset no longer counts as connected";
                reset_with_unsent_replies_frees_the_connection [Disconnects] [] "a client that was reset with unsent replies no longer counts as connected";
                keepalive_is_enabled [Disconnects] [] "keepalive is enabled, so that unreachable clients are detected";
            }
            fairness {
                flooding_client_does_not_starve_others [Fairness] [TwoClients] sampled "clients are answered while another one sends without end";
                client_with_much_input_does_not_go_first [Fairness] [TwoClients] "a client is answered before all that another one has sent is handled";
                idle_clients_do_not_delay_an_active_one [Fairness] [TwoClients] "a client is answered while a thousand others are idle";
            }
            blocking {
                blocking_handlers_keep_order [Conversation] [] "pipelined messages are answered in order by handlers that may block";
                blocked_handlers_delay_no_other_client [Fairness] [TwoClients] sampled "while handlers block, another client is answered";
                blocked_open_delays_no_other_client [Fairness] [TwoClients] "while handlers block in `open`, another client is answered";
                max_blocking_threads_is_exact [Fairness] [] "the allowed number of handlers blocks at once, and the next one waits";
                handlers_are_not_interrupted_by_signals [Stop] [] "the server does not interrupt system calls of handlers with signals";
                blocked_closed_delays_no_other_client [Fairness] [TwoClients] "while handlers block in `closed`, another client is answered";
            }
            urgent {
                urgent_data_does_not_delay_messages [Urgent] [] "messages after urgent data are answered";
                end_of_input_after_urgent_data_is_noticed [Urgent] [] "the end of the input after urgent data is noticed";
                stop_answers_messages_after_urgent_data [Urgent] [] "at a stop, messages that had arrived after urgent data are answered";
            }
            idle {
                idle_server_uses_no_cpu_time [Idle] [] "an idle server uses no CPU time";
            }
            start {
                a_handler_may_use_a_mebibyte_of_stack [Start] [] "a handler may use 1 MiB of stack";
                a_broken_listener_is_an_error [Start] [] "a listener that can't accept connections ends the server with an error";
                ended_server_leaks_nothing [Start] [] "a server that failed, or was stopped with a client, leaves no threads and no descriptors behind";
                start_fails_with_too_few_descriptors [Start] [] "without enough descriptors a server does not start, and reports how many it needs";
                few_descriptors_suffice_for_error_replies [Start] [TwoClients] "with few descriptors, refused clients get an error reply";
            }
            pushes {
                pushes_of_many_senders_keep_their_order [Pushes] [] "messages that ten threads push to a client arrive once and whole, in the order of each thread";
                pushes_reach_an_idle_client [Pushes] [] "a pushed message is delivered to an idle client without waiting for a sweep";
                pushes_do_not_split_a_reply [Pushes] [] "messages that are pushed while a reply is unsent are delivered after it";
                pushes_arrive_within_a_partial_message [Pushes] [] "messages are delivered while a part of a client's message has arrived";
                pushes_alternate_with_replies [Pushes] [] sampled "replies and pushed messages keep their order, and both are delivered";
                pushes_without_end_do_not_starve_messages [Fairness] [] sampled "a client whose mailbox is never empty gets replies to its messages";
                pushes_wait_for_a_running_handler [Pushes] [] "messages that are pushed while a handler runs are delivered after its reply";
                pushes_are_delivered_while_other_handlers_block [Pushes] [TwoClients] "pushed messages are delivered while the handlers of other clients block";
                pushes_from_a_session_to_itself [Pushes] [] "a session may push to its own client, and `closed` gets `Gone`";
                pushes_from_closed_reach_others [Pushes] [TwoClients] "`closed` of a session may push to other clients";
                pushes_before_a_close_are_delivered [Pushes] [] "`Handle::close` ends the conversation after the messages that were pushed before";
                pushes_restart_the_idle_deadline [Deadlines] [] "the idle deadline runs from the last pushed message";
                pushes_do_not_extend_the_message_deadline [Deadlines] [] "a message must end in time, even if pushed messages are delivered meanwhile";
            }
            mailboxes {
                pushes_beyond_the_mailbox_end_the_client [Pushes] [] "with `close`, a push that exceeds the mailbox gets `Full`, and the client's conversation ends as failed";
                pushes_beyond_one_mailbox_disturb_no_other_client [Pushes] [TwoClients] "while the mailbox of a client is full, others are served";
                pushes_beyond_the_mailbox_are_refused [Pushes] [] "with `refuse`, a push that exceeds the mailbox gets `Full`, and exactly the accepted messages are delivered";
                pushes_beyond_the_mailbox_drop_the_oldest [Pushes] [] "with `drop-oldest`, the newest messages are delivered, and the session is told how many are missing";
                pushes_to_a_client_that_leaves_are_counted [Pushes] [] "each push to a client that leaves is delivered, dropped or refused, and counted as such";
                pushes_before_a_stop_are_delivered [Pushes] [] sampled "messages that were accepted before a stop are delivered, and later ones get `Gone`";
                pushes_to_a_client_that_has_left_reach_no_other [Pushes] [] "the handle of a client that has left never reaches the client that has taken its place";
            }
            groups {
                pushes_to_a_group_arrive_once [Pushes] [TwoClients] "each of a thousand idle clients of a group receives each message once";
                pushes_to_a_group_skip_clients_that_have_left [Pushes] [] "clients leave a group when their conversation ends";
                pushes_between_two_groups_are_bounded [Pushes] [TwoClients] "two groups whose sessions push to each other neither deadlock nor grow beyond their mailboxes";
            }
            later {
                later_answers_keep_the_order [Later] [] sampled "pipelined messages are answered in order by other threads, one at a time";
                later_answers_keep_the_order_where_handlers_block [Later] [] "the same for handlers that may block";
                later_pauses_reading [Later] [] "while an answer is pending, no more is read than fits the memory bound";
                later_does_not_delay_pushes [Later] [] "pushed messages are delivered while an answer is pending";
                later_answered_within_the_call [Later] [] "a message may be answered by a `Later` within the call";
                later_twice_is_an_internal_error [Later] [] "a second `later` for a message panics, and the client gets `ERR internal`";
                later_dropped_is_an_internal_error [Later] [] "the client of an answer that is dropped gets `ERR internal`, after the replies that were sent before";
                later_must_not_exceed_max_reply [Limits] [] "an answer over the limit becomes `ERR internal`, and the conversation ends";
                later_may_reject_or_close [Later] [] "an answer may be an error reply, or end the conversation";
                later_before_the_end_of_a_conversation [Later] [] "with `Flow::Close` the answer is delivered before the end, with `Flow::Fail` it is not";
                later_in_open [Later] [] "a greeting may come later, before the replies to messages";
                later_in_notified_and_timer [Later] [] "`notified` and `timer` may answer later";
            }
            pending {
                later_times_out [Deadlines] [] "an answer that is not given in time becomes `ERR timeout answer`, not early";
                later_races_its_timeout [Deadlines] [] "an answer at the moment of its timeout is delivered, or `Gone`";
                later_stops_other_deadlines [Deadlines] [] "no other deadline runs while an answer is pending, and the idle deadline runs from the answer";
                later_after_the_end_of_input [Closing] [] sampled "a client that has ended its input receives its pending answer";
                later_is_awaited_by_a_stop [Stop] [] "at a stop, a pending answer is awaited and delivered";
                later_ends_when_cut_off [Stop] [] "at the drain deadline, a pending answer becomes `Gone`";
                later_after_a_reset [Later] [] "a client that was reset while its answer is pending no longer counts as connected";
                later_is_gone_after_a_reset [Later] [] sampled "a reset while an answer is pending ends the conversation at once, and the answer is `Gone`";
                later_pending_uses_no_cpu_time [Idle] [] sampled "a server uses no CPU time while an answer is pending, also after the client's end or reset";
            }
            stopping {
                later_may_be_answered_at_a_stop [Stop] [] sampled "a session is told of a stop while its answer is pending, and may give it then";
                stop_is_told_between_pushes_and_messages [Stop] [] "a session is told of a stop after earlier pushes, and before the messages that have arrived";
                stop_is_told_once_to_each_session [Stop] [TwoClients] "each session is told of a stop once";
            }
            timers {
                timer_expires_once [Timers] [] sampled "the timer of a session expires once on an idle connection, not early";
                timer_may_be_cancelled_or_replaced [Timers] [] "a timer may be cancelled, or replaced with a shorter or a longer one";
                timer_may_be_repeated [Timers] [] "a timer may set itself again, also while messages arrive";
                timer_expires_while_other_handlers_block [Timers] [TwoClients] "a timer expires while the handlers of other clients block";
                timer_expires_while_an_answer_is_pending [Timers] [] "a timer expires while an answer is pending";
                timer_does_not_split_a_reply [Timers] [] "a timer that expires while a reply is unsent is handled after it";
            }
            capabilities {
                unsupported_settings_are_rejected [Capabilities] [] "a number of threads or a stack size that the backend does not support is a usage error that says so";
                configured_number_of_workers_is_started [Capabilities] [] "if the number of workers is configurable, the number of threads grows with it";
            }
        }
    };
}
