//! The one list of cases: name, behaviour, needs, and what is expected. The name is that of the function in
//! the module `cases::…` under which it stands.

/// Hands the list of the cases to the macro that is named: `for_each_case! { my_macro }`.
#[doc(hidden)]
#[macro_export]
macro_rules! for_each_case {
    ($($then:tt)*) => {
        $($then)*! {
            order {
                greets [Conversation] [] "a client is greeted before it has said a word";
                replies_in_order [Conversation] [] "each message gets its reply before the next is sent";
                replies_in_order_when_pipelined [Conversation] [] "what is sent without waiting is answered in order, nothing lost, nothing doubled";
                no_reply_one_reply_several_replies [Conversation] [] "a message may be answered by none, by one, or by several";
                each_client_has_its_own_session [Conversation] [TwoClients] "what one client says changes nothing for another";
                agrees_with_the_oracle [Conversation] [] "random conversations are answered as the pure core answers them in memory";
            }
            framing {
                split_at_every_byte [Framing] [] "a message may be parted between any two of its bytes";
                one_byte_at_a_time [Framing] [] "a conversation may arrive a byte at a time";
                coalesced [Framing] [] "several messages, and a part of one, may arrive at once";
                a_long_message_costs_linear_work [Framing] [] "a long message that arrives a byte at a time is not copied over and over";
                line_ends [Framing] [] "a line is any bytes up to a line feed, one carriage return before it dropped";
                length_prefixes [Framing] [] "behind its length, a message is any bytes, or none";
            }
            raw {
                raw_takes_turns [Framing] [] "in `raw` what has arrived is a message, as the socket tutorial has it";
                raw_cuts_at_1024 [Framing] [] "in `raw` a long read is cut at 1,024 bytes, and never inside a character";
            }
            closing {
                exit_ends_the_conversation [Closing] [] "what was owed before an exit is delivered, then the end; what was sent behind it is not looked at";
                half_close_is_answered [Closing] [] "a client that ends its input gets everything it is owed, then the end";
                half_close_without_a_word [Closing] [] "a client that ends its input at once is let go";
                half_close_within_a_message [Closing] [] "a message that was not ended gets `ERR incomplete`";
                no_reset_eats_the_last_reply [Closing] [] "a client that keeps sending and reads late gets its last replies, and a clean end";
                no_reset_eats_an_error_reply [Closing] [] "an error reply reaches a client that has more to send, and a clean end";
                closed_is_told_once [Closing] [] "a session is told of its end once, and why";
                closed_is_told_at_the_cut [Closing] [TwoClients, HandlersElsewhere] "so is each one at the cut, even if its handler or its worker was held up then";
            }
            limits {
                line_limit [Limits] [] "in `line` a message of the limit passes; one byte more is too long, and the server goes on";
                length_limit [Limits] [] "in `length` a message of the limit passes; one byte more is too long, and the server goes on";
                raw_limit [Limits] [] "in `raw` a message of the limit passes; one byte more is too long, and the server goes on";
                too_long_before_the_end [Limits] [] "a message that is too long is not waited for";
                malformed_messages [Limits] [] "what is no message gets one error reply, and the conversation ends";
                objections_continue [Limits] [] "a handler's objection, such as `ERR not-utf8`, does not end the conversation";
                reply_limit [Limits] [] "a reply over its limit becomes `ERR internal`, and the conversation ends";
            }
            backpressure {
                reading_stops_while_nobody_reads [Backpressure] [] "of a client that sends and never reads no more is read than fits the memory bound, and the write deadline ends it";
                large_replies_are_bounded [Backpressure] [] "no more messages are answered than fit the memory bound, however large the replies";
                reading_resumes [Backpressure] [] "a client that reads at last gets every reply in order";
                a_steady_reader_is_not_cut [Backpressure] [] "a client that reads slowly and steadily is not taken for one that does not read";
            }
            deadlines {
                idle_deadline [Deadlines] [] "a silent client gets `ERR timeout idle`, and not early";
                idle_deadline_begins_anew [Deadlines] [] "the idle deadline runs from the last message";
                message_deadline [Deadlines] [] "a message must end in time, however many bytes keep coming; never early";
                message_deadline_needs_a_message [Deadlines] [] "between two messages only the idle deadline runs";
                idle_deadline_needs_silence [Deadlines] [] "within a message only the message deadline runs";
                write_deadline [Deadlines] [] "a client that takes none of its replies is given up, and not early";
                a_running_handler_is_not_idle [Deadlines] [] "no deadline of the client's runs while its message is being answered";
                a_running_open_is_not_idle [Deadlines] [] "nor while its session is being opened";
                idle_deadline_runs_from_the_reply [Deadlines] [] "a client is idle from the end of its handler, and not from the last read";
                time_that_others_take_is_not_a_clients [Deadlines] [TwoClients] "what has arrived is read before a deadline fires, however long the worker was held up by others";
                a_begun_message_waits_while_nothing_is_read [Deadlines] [] "a message has its time anew when reading goes on after replies that were not taken";
            }
            protocols {
                a_message_that_ends_without_an_answer [Protocols] [] "a message that was begun and ends without an answer leaves no deadline behind";
                a_word_without_a_message [Protocols] [] "a protocol may say something that answers no message";
                only_what_has_begun_is_finished [Protocols] [] "a protocol finishes what has begun, and is asked for nothing else";
            }
            transforms {
                a_transform_of_all_bytes [Protocols] [] "a transform changes all bytes, those of errors too, and each of them once";
                a_handshake_goes_before_the_greeting [Protocols] [] "nothing is said before the handshake of a transform is done, however it arrives";
                a_handshake_may_fail [Protocols] [] "a handshake that breaks the rules gets the answer of the transform, and the end";
                a_handshake_has_a_deadline [Deadlines] [] "a handshake must be done in time from the accept, however many bytes keep coming; never early";
                a_handshake_may_block [Fairness] [TwoClients] "while handshakes take long, another client is answered";
                the_last_word_of_a_transform [Closing] [] "a transform has the last word at every kind of end at which something can be said";
                a_preamble_goes_before_all [Protocols] [] "what a preamble tells of a client is known when its session is opened, however it arrives";
                a_broken_preamble_is_told [Protocols] [] "what is no preamble gets one error reply, and the end";
                a_preamble_has_a_deadline [Deadlines] [] "a preamble must be over in time from the accept; never early";
            }
            admission {
                refuses_beyond_the_limit [Admission] [TwoClients] "with `refuse` as many as allowed are served, and the others get `ERR busy` and the end";
                queues_beyond_the_limit [Admission] [] "with `queue` the one too many waits, and is served when another leaves";
                exact_in_a_stampede [Admission] [TwoClients] "of many that come at once exactly as many as allowed are served";
                a_place_is_free_before_the_end [Admission] [] "a client that was let go can come back at once";
                holds_what_it_says [Admission] [] "no more clients are served at once than the backend says it can hold";
            }
            starved {
                out_of_descriptors [AcceptErrors] [TwoClients] "without descriptors the server stays up, does not spin, counts the errors, and serves again when there are some";
                out_of_threads [AcceptErrors] [] "without threads a client is refused, or served without one; the server stays up";
            }
            panics {
                panic_in_a_message [Panics] [] "a panic in `message` ends that conversation alone, with `ERR internal`";
                panic_in_open [Panics] [] "a panic in `open` ends that conversation alone, with `ERR internal`";
                panic_in_closed [Panics] [] "a panic in `closed` harms nobody";
                panic_beside_others [Panics] [TwoClients] "a panic does not end the conversations of others";
                panic_in_refuse [Panics] [TwoClients] "a panic in `refuse` ends that client alone";
                panic_in_open_and_refuse [Panics] [] "so do panics in `open` and in `refuse`, one after the other";
                panic_in_error [Panics] [] "a panic in a protocol's `error` harms nobody";
                panic_in_blocking [Panics] [] "a panic in `blocking` harms nobody";
                panic_in_a_destructor [Panics] [] "a panic in a session's destructor harms nobody, at the cut as well";
                panic_in_a_destructor_at_the_cut [Panics] [TwoClients, HandlersElsewhere] "nor does one that panics when its client was cut off within a handler";
                more_used_than_there_is [Panics] [] "a protocol that claims to have used more than there is ends that conversation alone";
                a_thousand_panics [Panics] [] "a thousand panics leave the server well";
            }
            stop {
                stop_lets_nobody_in [Stop] [] "once the server stops nobody is let in";
                stop_ends_the_idle [Stop] [] "once the server stops a silent client sees the end, and no word of error";
                stop_ends_every_idle_client [Stop] [TwoClients] "once the server stops all silent clients see the end";
                stop_answers_what_has_arrived [Stop] [] "complete messages that had arrived are answered, then comes the end";
                stop_within_a_message [Stop] [] "a message that was not ended gets `ERR shutting-down`";
                stop_under_a_pipelining_client [Stop] [] "a client that keeps sending gets its replies in order, and a clean end";
                the_drain_deadline_cuts_who_does_not_read [Stop] [] "a client that does not take its replies is cut at the drain deadline, and not early";
                the_drain_deadline_cuts_a_running_handler [Stop] [HandlersElsewhere] "at the drain deadline the server ends, though a handler still runs";
                a_second_press_ends_at_once [Stop] [] "pressed a second time, the stop waits for nobody";
                the_receipt_adds_up [Stop] [] "everybody who was accepted is accounted for, once, and rightly";
                a_clean_drain_handles_only_what_it_answers [Stop] [] "after a clean drain, what was not answered was not handled";
                the_listener_is_closed_not_shut_down [Stop] [] "the listener is closed, and its duplicates go on listening";
            }
            statistics {
                statistics_tell_what_happens [Statistics] [] "while it serves, a server tells what it has counted up to now";
                statistics_count_each_byte [Statistics] [] "the bytes that clients have sent and heard are counted, all of them";
                statistics_become_the_report [Statistics] [] "once a server has ended, its statistics are its report";
                statistics_count_who_is_refused [Statistics] [TwoClients] "clients that are refused are counted, with what they are told";
                statistics_become_the_report_at_the_cut [Statistics] [HandlersElsewhere] "so they are where clients are cut off, even within a handler";
            }
            backlog {
                stop_tells_who_waits [Stop] [] "clients that had connected and were not accepted are told `ERR shutting-down`";
                stop_leaves_a_shared_backlog [Stop] [] "unless somebody else goes on to accept them";
                the_listener_is_closed_while_clients_drain [Stop] [HandlersElsewhere] "nobody can connect any more while the clients drain";
                a_listener_may_be_shared [Stop] [] "servers that share a listener each greet whom they accept, and one goes on when the other stops";
            }
            vanishing {
                a_reset_frees_the_place [Vanishing] [] "the place of a client that was reset is free again";
                a_reset_under_unread_replies_frees_the_place [Vanishing] [] "so is that of one that was reset while it was owed replies";
                vanished_clients_are_looked_for [Vanishing] [] "a client that vanishes is noticed, since keepalive is on";
            }
            fairness {
                a_hog_takes_turns [Fairness] [TwoClients] "clients are answered while another sends without end";
                a_crowd_is_no_burden [Fairness] [TwoClients] "a client is answered while a thousand others are silent";
            }
            blocking {
                blocking_handlers_keep_order [Conversation] [] "where a handler may block, pipelined messages are answered in order";
                a_blocked_handler_holds_up_nobody [Fairness] [TwoClients] "while handlers block, another client is answered";
                open_may_block [Fairness] [TwoClients] "while handlers block in `open`, another client is answered";
                as_many_blocking_handlers_as_allowed [Fairness] [] "as many handlers block at once as the service allows, and the next one waits";
                a_handler_is_not_interrupted [Stop] [] "no signal of the server's interrupts a handler's system call";
                closed_may_block [Fairness] [TwoClients] "while handlers block in `closed`, another client is answered";
            }
            urgent {
                urgent_data_delays_nothing [Urgent] [] "what stands behind urgent data is answered";
                the_end_behind_urgent_data_is_seen [Urgent] [] "the end of the input behind urgent data is seen";
                stop_answers_behind_urgent_data [Urgent] [] "at a stop, what had arrived behind urgent data is answered";
            }
            quiet {
                nothing_runs_while_nothing_happens [Quiet] [] "a server takes no processor time while nothing happens";
            }
            start {
                a_handler_may_use_a_mebibyte_of_stack [Start] [] "a handler may use 1 MiB of stack";
                a_broken_listener_is_an_error [Start] [] "a listener that can't be accepted from ends the server with an error";
                a_failed_server_leaves_nothing [Start] [] "a server that could not serve leaves no thread and no descriptor behind";
                too_few_descriptors_to_begin_with [Start] [] "without the descriptors that it needs a server does not begin, and says how many it needs";
                few_descriptors_refuse_with_a_word [Start] [TwoClients] "where descriptors are few, those who are refused are told so";
            }
            capabilities {
                means_it_cannot_have_are_refused [Capabilities] [] "threads or stacks that the backend can't have are a usage error that says so";
                works_with_the_workers_asked_for [Capabilities] [] "where the number of workers is chosen, there are as many threads more as there are workers more";
            }
        }
    };
}
