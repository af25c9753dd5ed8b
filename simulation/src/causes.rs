//! Checks at the end of a conversation that it has ended for a reason that there was, and not before its time.

use common::{CloseReason, ErrorReply};

use crate::book::{Account, Book};
use crate::client::Tail;
use crate::format::Format;
use crate::kernel::{Wire, locked};
use crate::records::announces_end;
use crate::session::Shared;
use crate::timing;

/// Checks the reason with which the session of a client is closed.
pub(crate) fn check(shared: &Shared, client: usize, why: CloseReason) {
    let kernel = &mut *locked(&shared.kernel);
    let book = &mut *shared.book();
    kernel.wires[client].ended_at.get_or_insert(shared.clock.elapsed());
    let is_told_first =
        matches!(why, CloseReason::IdleTimeout | CloseReason::MessageTimeout | CloseReason::AnswerTimeout);
    if !is_told_first {
        check_time(shared, &kernel.wires, book, client, why);
    }
    let (account, wire) = (&book.clients[client], &kernel.wires[client]);
    let must_announce = shared.options.transform && (announces_end(client) || account.must_announce_end);
    if !is_caused(why, account, wire, book, must_announce) {
        return book.violate(client, || format!("it ends for {why}, and there was no reason for that"));
    }
    // A job that is dropped may be the one that would have told it.
    let was_dropped = account.was_lost && account.error.is_none();
    if !was_dropped && !is_told(why, account.error.as_ref()) {
        let error = account.error.clone();
        return book.violate(client, || format!("it ends for {why}, and the client is told {error:?}"));
    }
    let arrived = if why == CloseReason::Stopping { account.arrived_at_stop } else { wire.taken };
    let whole = account.input.whole(arrived);
    let is_graceful = matches!(why, CloseReason::EndOfInput | CloseReason::Truncated | CloseReason::Stopping);
    if is_graceful && book.format != Format::Raw && account.handled < whole {
        let handled = account.handled;
        book.violate(client, || format!("it ends for {why}, and {handled} of {whole} messages were handled"));
    }
}

/// Checks the time at which the core ends a conversation with an error.
pub(crate) fn check_error(shared: &Shared, client: usize, error: &ErrorReply) {
    let why = match error {
        ErrorReply::IdleTimeout => CloseReason::IdleTimeout,
        ErrorReply::MessageTimeout => CloseReason::MessageTimeout,
        ErrorReply::AnswerTimeout => CloseReason::AnswerTimeout,
        _ => return,
    };
    let kernel = locked(&shared.kernel);
    check_time(shared, &kernel.wires, &mut shared.book(), client, why);
}

fn check_time(shared: &Shared, wires: &[Wire], book: &mut Book, client: usize, why: CloseReason) {
    let now = shared.clock.elapsed();
    let account = &book.clients[client];
    let (cut_at, options) = (book.cut_at, &shared.options);
    let earliest = timing::earliest(why, account, &wires[client], &book.limits, cut_at, options);
    if let Some(earliest) = earliest
        && now < earliest
    {
        return book.violate(client, || format!("it ends for {why} at {now:?}, before {earliest:?}"));
    }
    if why == CloseReason::WriteTimeout {
        // What is passed on to where it may block is judged before that, or it stalls while it waits for that.
        let may_end =
            account.passed_on == Some(true) || timing::may_time_out_writing(&wires[client], options, now);
        return book
            .check(client, may_end, || format!("it ends for {why} at {now:?}, and receives its replies"));
    }
    // What has arrived in time is handled before, and an answer that was given is sent.
    if let Some(earliest) = earliest
        && matches!(why, CloseReason::IdleTimeout | CloseReason::MessageTimeout)
        && book.format != Format::Raw
    {
        let (handled, whole) = (account.handled, account.input.whole(wires[client].arrived_before(earliest)));
        book.check(client, handled >= whole, || {
            format!("it ends for {why}, and {handled} of {whole} messages were handled that came in time")
        });
    } else if why == CloseReason::AnswerTimeout {
        // An answer that is refused comes too late: a protocol that may block writes the error after the timeout.
        let is_awaiting = account.mailbox.is_awaiting || account.is_answer_refused;
        book.check(client, is_awaiting, || format!("it ends for {why}, and its answer was given"));
    }
}

/// Whether the conversation of a client with a session may end for this reason. `must_announce` if its transform expects
/// that the end of the input is announced.
fn is_caused(why: CloseReason, account: &Account, wire: &Wire, book: &Book, must_announce: bool) -> bool {
    let tail = account.input.tail;
    match why {
        CloseReason::Exit | CloseReason::Rejected => account.asked == Some(why),
        CloseReason::EndOfInput => {
            let has_ended = (wire.end_arrived && !must_announce) || tail == Tail::EndRecord;
            let is_whole = !tail.is_incomplete() || book.format == Format::Raw;
            has_ended && is_whole && account.pending.is_none() && Book::has_handled(account, book.format)
        }
        CloseReason::Stopping => {
            account.is_told_of_stop && account.pending.is_none() && !account.mailbox.has_push()
        }
        CloseReason::Cut => book.is_stopping,
        CloseReason::Closed | CloseReason::MailboxFull => account.mailbox.causes(why),
        CloseReason::Unanswered => account.was_unanswered,
        CloseReason::IdleTimeout | CloseReason::MessageTimeout => account.pending.is_none(),
        CloseReason::AnswerTimeout => account.pending.is_some(),
        CloseReason::WriteTimeout => true,
        CloseReason::Incomplete => wire.end_arrived && tail.is_incomplete() && !must_announce,
        CloseReason::Truncated => wire.end_arrived && tail != Tail::EndRecord && must_announce,
        CloseReason::TooLong => tail == Tail::TooLong || book.format == Format::Raw,
        CloseReason::Malformed => matches!(tail, Tail::Malformed | Tail::BadRecord),
        CloseReason::Panicked => account.has_panicked,
        CloseReason::ReplyTooLong => account.has_overflowed,
        CloseReason::Lost => wire.reset || account.was_lost,
        CloseReason::HandshakeFailed => account.is_refused_after_check,
        // These end a conversation before there is a session.
        CloseReason::Busy | CloseReason::Unserved | CloseReason::TooLate | CloseReason::HandshakeTimeout => {
            false
        }
        _ => true,
    }
}

/// Whether the last error reply is the one that belongs to the reason.
fn is_told(why: CloseReason, error: Option<&ErrorReply>) -> bool {
    match why {
        CloseReason::Exit | CloseReason::Rejected | CloseReason::Closed | CloseReason::EndOfInput => {
            error.is_none()
        }
        CloseReason::Stopping => matches!(error, None | Some(ErrorReply::ShuttingDown)),
        CloseReason::IdleTimeout => error == Some(&ErrorReply::IdleTimeout),
        CloseReason::MessageTimeout => error == Some(&ErrorReply::MessageTimeout),
        CloseReason::AnswerTimeout => error == Some(&ErrorReply::AnswerTimeout),
        CloseReason::Truncated => matches!(error, None | Some(ErrorReply::Incomplete)),
        CloseReason::Incomplete => error == Some(&ErrorReply::Incomplete),
        CloseReason::TooLong => matches!(error, Some(ErrorReply::TooLong { .. })),
        CloseReason::Malformed => matches!(error, None | Some(ErrorReply::Malformed(_))),
        CloseReason::HandshakeFailed => matches!(error, Some(ErrorReply::Malformed(_))),
        CloseReason::Unanswered | CloseReason::ReplyTooLong => error == Some(&ErrorReply::Internal),
        _ => true, // it ends at once, or its transform has failed
    }
}
