//! The list of cases: name, behaviour, needs, and description. A case is the function of this name in the module
//! `cases::…` that it is listed under.

/// Passes the list of cases to the named macro: `for_each_case! { my_macro }`.
#[doc(hidden)]
#[macro_export]
macro_rules! for_each_case {
    ($($then:tt)*) => {
        $($then)*! {
            order {
                greets [Conversation] [] "a client receives a greeting before it sends anything";
                replies_in_order [Conversation] [] "each message gets its reply before the next one is sent";
                replies_in_order_when_pipelined [Conversation] [] "pipelined messages are answered in order, without loss and duplicates";
                no_reply_one_reply_several_replies [Conversation] [] "a message may get no reply, one, or several";
                each_client_has_its_own_session [Conversation] [TwoClients] "the messages of a client don't affect other clients";
                agrees_with_the_oracle [Conversation] [] "random conversations get the replies that the pure core computes in memory";
            }
            framing {
                split_at_every_byte [Framing] [] "a message may be split between any two bytes";
                one_byte_at_a_time [Framing] [] "a conversation may arrive byte by byte";
                coalesced [Framing] [] "several messages, and a part of one, may arrive at once";
                a_long_message_costs_linear_work [Framing] [] "a long message that arrives byte by byte costs linear time";
                line_ends [Framing] [] "a line ends with a line feed, and a carriage return before it is removed";
                length_prefixes [Framing] [] "in `length`, a message may contain any bytes, or none";
            }
            raw {
                raw_takes_turns [Framing] [] "in `raw`, the bytes of each read are a message";
                raw_cuts_at_1024 [Framing] [] "in `raw`, a long read is split at 1,024 bytes, and never inside a character";
            }
            closing {
                exit_ends_the_conversation [Closing] [] "earlier replies are delivered before the end; later messages are ignored";
                half_close_is_answered [Closing] [] "a client that ends its input receives all its replies, then the end";
                half_close_without_a_word [Closing] [] "a client that ends its input immediately receives the end";
                half_close_within_a_message [Closing] [] "an incomplete message gets `ERR incomplete`";
                no_reset_eats_the_last_reply [Closing] [] "a client that keeps sending and reads late receives its last replies and a clean end";
                no_reset_eats_an_error_reply [Closing] [] "a client that has more to send receives an error reply and a clean end";
                closed_is_told_once [Closing] [] "`closed` of a session is called once, with the reason";
                closed_is_told_at_the_cut [Closing] [TwoClients, HandlersElsewhere] "`closed` of each session is called once at the cut, also if its handler or worker was blocked";
            }
            limits {
                line_limit [Limits] [] "in `line`, a message of the maximum length is accepted, a longer one rejected, and the server continues";
                length_limit [Limits] [] "in `length`, a message of the maximum length is accepted, a longer one rejected, and the server continues";
                raw_limit [Limits] [] "in `raw`, a message of the maximum length is accepted, a longer one rejected, and the server continues";
                too_long_before_the_end [Limits] [] "a message that is too long is rejected before its end";
                malformed_messages [Limits] [] "an invalid message gets one error reply, and the conversation ends";
                objections_continue [Limits] [] "a rejection by the handler, such as `ERR not-utf8`, does not end the conversation";
                reply_limit [Limits] [] "a reply over the limit becomes `ERR internal`, and the conversation ends";
            }
            backpressure {
                reading_stops_while_nobody_reads [Backpressure] [] "from a client that sends and never reads, no more is read than fits the memory bound, and the write deadline ends it";
                large_replies_are_bounded [Backpressure] [] "no more messages are answered than fit the memory bound, however large the replies are";
                reading_resumes [Backpressure] [] "a client that starts to read late receives all replies in order";
                a_steady_reader_is_not_cut [Backpressure] [] "a client that reads slowly but steadily does not time out";
            }
            deadlines {
                idle_deadline [Deadlines] [] "an idle client gets `ERR timeout idle`, not early";
                idle_deadline_begins_anew [Deadlines] [] "the idle deadline runs from the last message";
                message_deadline [Deadlines] [] "a message must end in time, even if bytes keep arriving; not early";
                message_deadline_needs_a_message [Deadlines] [] "between two messages only the idle deadline runs";
                idle_deadline_needs_silence [Deadlines] [] "within a message only the message deadline runs";
                write_deadline [Deadlines] [] "a client that receives none of its replies times out, not early";
                a_running_handler_is_not_idle [Deadlines] [] "no deadline of a client runs while its message is being answered";
                a_running_open_is_not_idle [Deadlines] [] "no deadline of a client runs while its session is being opened";
                idle_deadline_runs_from_the_reply [Deadlines] [] "the idle deadline runs from the end of the handler, not from the last read";
                time_that_others_take_is_not_a_clients [Deadlines] [TwoClients] "input that has arrived is read before a deadline fires, also if the worker was busy with other clients";
                a_begun_message_waits_while_nothing_is_read [Deadlines] [] "the timeout of a message restarts when reading resumes after unsent replies";
            }
            protocols {
                a_message_that_ends_without_an_answer [Protocols] [] "a message that ends without a reply leaves no deadline running";
                a_word_without_a_message [Protocols] [] "a protocol may send output that answers no message";
                only_what_has_begun_is_finished [Protocols] [] "`finish` is called only within a message";
            }
            transforms {
                a_transform_of_all_bytes [Protocols] [] "a transform is applied once to all bytes, including error replies";
                a_handshake_goes_before_the_greeting [Protocols] [] "nothing is sent before the handshake of a transform is complete, however it arrives";
                a_handshake_may_fail [Protocols] [] "an invalid handshake gets the answer of the transform, then the end";
                a_handshake_has_a_deadline [Deadlines] [] "a handshake must be complete in time from the accept, even if bytes keep arriving; not early";
                a_handshake_may_block [Fairness] [TwoClients] "while handshakes block, another client is answered";
                the_last_word_of_a_transform [Closing] [] "a transform writes its final output at each kind of end at which something can be sent";
                a_preamble_goes_before_all [Protocols] [] "the information of a preamble is available when the session is opened, however it arrives";
                a_broken_preamble_is_told [Protocols] [] "an invalid preamble gets one error reply, then the end";
                a_preamble_has_a_deadline [Deadlines] [] "a preamble must be complete in time from the accept; not early";
            }
            admission {
                refuses_beyond_the_limit [Admission] [TwoClients] "with `refuse`, the maximal number of clients is served, and others get `ERR busy` and the end";
                queues_beyond_the_limit [Admission] [] "with `queue`, one client too many waits, and is served when another leaves";
                exact_in_a_stampede [Admission] [TwoClients] "of many clients that connect at once, exactly the maximal number is served";
                a_place_is_free_before_the_end [Admission] [] "a client that has received the end can reconnect immediately";
                holds_what_it_says [Admission] [] "no more clients are served at once than the backend's capabilities allow";
            }
            starved {
                out_of_descriptors [AcceptErrors] [TwoClients] "without descriptors the server keeps running, does not spin, counts the errors, and serves clients again when descriptors are free";
                out_of_threads [AcceptErrors] [] "without threads a client is refused, or served without one, and the server keeps running";
            }
            panics {
                panic_in_a_message [Panics] [] "a panic in `message` ends only that conversation, with `ERR internal`";
                panic_in_open [Panics] [] "a panic in `open` ends only that conversation, with `ERR internal`";
                panic_in_closed [Panics] [] "a panic in `closed` has no effect on others";
                panic_beside_others [Panics] [TwoClients] "a panic does not end other conversations";
                panic_in_refuse [Panics] [TwoClients] "a panic in `refuse` ends only that connection";
                panic_in_open_and_refuse [Panics] [] "panics in `open` and then in `refuse` end only that connection";
                panic_in_error [Panics] [] "a panic in a protocol's `error` has no effect on others";
                panic_in_blocking [Panics] [] "a panic in `blocking` has no effect on others";
                panic_in_a_destructor [Panics] [] "a panic in a session's destructor has no effect on others, also at the cut";
                panic_in_a_destructor_at_the_cut [Panics] [TwoClients, HandlersElsewhere] "a panic in a session's destructor has no effect on others if the client was cut off within a handler";
                more_used_than_there_is [Panics] [] "a protocol that returns that it has used more bytes than there are ends only that conversation";
                a_thousand_panics [Panics] [] "after a thousand panics the server still serves clients";
            }
            stop {
                stop_lets_nobody_in [Stop] [] "after a stop no more clients are served";
                stop_ends_the_idle [Stop] [] "at a stop an idle client receives the end, without an error reply";
                stop_ends_every_idle_client [Stop] [TwoClients] "at a stop all idle clients receive the end";
                stop_answers_what_has_arrived [Stop] [] "complete messages that had arrived are answered, then the conversation ends";
                stop_within_a_message [Stop] [] "an incomplete message gets `ERR shutting-down`";
                stop_under_a_pipelining_client [Stop] [] "a client that keeps sending receives its replies in order, and a clean end";
                the_drain_deadline_cuts_who_does_not_read [Stop] [] "a client that does not receive its replies is cut off at the drain deadline, not early";
                the_drain_deadline_cuts_a_running_handler [Stop] [HandlersElsewhere] "at the drain deadline the server ends even if a handler still runs";
                a_second_press_ends_at_once [Stop] [] "after an immediate stop the server waits for no client";
                the_receipt_adds_up [Stop] [] "each accepted client is counted once in the report, with the right outcome";
                a_clean_drain_handles_only_what_it_answers [Stop] [] "after a clean drain, no message was handled without its reply being delivered";
                the_listener_is_closed_not_shut_down [Stop] [] "the listener is closed, and its duplicates continue to listen";
            }
            statistics {
                statistics_tell_what_happens [Statistics] [] "a running server reports its statistics so far";
                statistics_count_each_byte [Statistics] [] "all bytes that clients have sent and received are counted";
                statistics_become_the_report [Statistics] [] "after a server has ended, its statistics equal its report";
                statistics_count_who_is_refused [Statistics] [TwoClients] "refused clients are counted, with the bytes of their error replies";
                statistics_become_the_report_at_the_cut [Statistics] [HandlersElsewhere] "statistics equal the report if clients were cut off, also within a handler";
            }
            backlog {
                stop_tells_who_waits [Stop] [] "clients in the backlog get `ERR shutting-down`";
                stop_leaves_a_shared_backlog [Stop] [] "clients in a shared backlog are left to the other server";
                the_listener_is_closed_while_clients_drain [Stop] [HandlersElsewhere] "no client can connect while others drain";
                a_listener_may_be_shared [Stop] [] "servers that share a listener each greet the clients that they accept, and one continues when the other stops";
            }
            vanishing {
                a_reset_frees_the_place [Vanishing] [] "a client that was reset no longer counts as connected";
                a_reset_under_unread_replies_frees_the_place [Vanishing] [] "a client that was reset with unsent replies no longer counts as connected";
                vanished_clients_are_looked_for [Vanishing] [] "keepalive is enabled, so that unreachable clients are detected";
            }
            fairness {
                a_hog_takes_turns [Fairness] [TwoClients] "clients are answered while another one sends without end";
                a_crowd_is_no_burden [Fairness] [TwoClients] "a client is answered while a thousand others are idle";
            }
            blocking {
                blocking_handlers_keep_order [Conversation] [] "pipelined messages are answered in order by handlers that may block";
                a_blocked_handler_holds_up_nobody [Fairness] [TwoClients] "while handlers block, another client is answered";
                open_may_block [Fairness] [TwoClients] "while handlers block in `open`, another client is answered";
                as_many_blocking_handlers_as_allowed [Fairness] [] "the allowed number of handlers blocks at once, and the next one waits";
                a_handler_is_not_interrupted [Stop] [] "the server does not interrupt system calls of handlers with signals";
                closed_may_block [Fairness] [TwoClients] "while handlers block in `closed`, another client is answered";
            }
            urgent {
                urgent_data_delays_nothing [Urgent] [] "messages after urgent data are answered";
                the_end_behind_urgent_data_is_seen [Urgent] [] "the end of the input after urgent data is noticed";
                stop_answers_behind_urgent_data [Urgent] [] "at a stop, messages that had arrived after urgent data are answered";
            }
            quiet {
                nothing_runs_while_nothing_happens [Quiet] [] "an idle server uses no CPU time";
            }
            start {
                a_handler_may_use_a_mebibyte_of_stack [Start] [] "a handler may use 1 MiB of stack";
                a_broken_listener_is_an_error [Start] [] "a listener that can't accept connections ends the server with an error";
                a_failed_server_leaves_nothing [Start] [] "a server that failed leaves no threads and no descriptors behind";
                too_few_descriptors_to_begin_with [Start] [] "without enough descriptors a server does not start, and reports how many it needs";
                few_descriptors_refuse_with_a_word [Start] [TwoClients] "with few descriptors, refused clients get an error reply";
            }
            capabilities {
                means_it_cannot_have_are_refused [Capabilities] [] "a number of threads or a stack size that the backend does not support is a usage error that says so";
                works_with_the_workers_asked_for [Capabilities] [] "if the number of workers is configurable, the number of threads grows with it";
            }
        }
    };
}
