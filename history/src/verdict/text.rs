//! The text of a verdict.

use std::fmt;

use super::{Fault, MAX_VIOLATIONS, Place, Verdict, Violation};
use crate::numbers::{grouped, noun};
use crate::record::Digest;

/// How many violations the text describes.
const SHOWN: usize = 20;

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { description, seconds, connections, requests, answered, refused, unknown, failed, .. } =
            self;
        let Self { alike_in_flight, alike_elsewhere, accepted, .. } = self;
        let its = noun(*connections, "connection");
        writeln!(f, "{description}; {seconds:.1} s, {} {its}", grouped(*connections))?;
        if self.is_stopped() {
            let most = grouped(MAX_VIOLATIONS as u64);
            writeln!(f, "the judge stopped at {most} violations; these are the counts up to there:")?;
        }
        writeln!(f, "{:>16} {}", grouped(*requests), noun(*requests, "request"))?;
        let inexact = [
            (alike_in_flight, "alike and in flight at once on a connection: this does not show their order"),
            (alike_elsewhere, "alike on several connections: this does not show whose a reply was"),
            (accepted, "accepted by a rule of the client, which alone knows whether they were in order"),
        ];
        let how = match inexact.iter().all(|(count, _)| **count == 0) {
            true => "each by its own reply, in order and unaltered",
            false => "each by the expected reply",
        };
        writeln!(f, "{:>16} answered, {how}", grouped(*answered))?;
        for (count, text) in inexact {
            if *count > 0 {
                writeln!(f, "{:>16} {text}", grouped(*count))?;
            }
        }
        let unanswered = match self.is_complete {
            true => "unknown: unanswered when their connection ended",
            false => "unknown: unanswered when their connection or the file ended",
        };
        for (count, text) in
            [(refused, "refused by an error reply"), (unknown, unanswered), (failed, "failed")]
        {
            if *count > 0 {
                writeln!(f, "{:>16} {text}", grouped(*count))?;
            }
        }
        for violation in self.violations.iter().take(SHOWN) {
            writeln!(f, "VIOLATION: {violation}")?;
        }
        match self.violations.len() {
            0 if *requests == 0 => writeln!(f, "the history has no message, so it shows nothing")?,
            0 if *answered == 0 => writeln!(f, "no message was answered, so the history shows nothing")?,
            0 => writeln!(f, "no violation")?,
            shown if shown <= SHOWN => {}
            all => {
                let more = (all - SHOWN) as u64;
                writeln!(f, "and {} more {}", grouped(more), noun(more, "violation"))?;
            }
        }
        if self.handled.is_some() && self.has_unrecorded {
            f.write_str(
                "whether the server handled other messages has no verdict: hostile clients, subscribers or ",
            )?;
            writeln!(f, "other shards sent some that are not in the history")?;
        }
        if !self.is_complete && !self.is_stopped() {
            writeln!(f, "the end of the history is missing: the file was cut off, and may lack replies")?;
        }
        Ok(())
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, fault } = self;
        let Some(Place { connection, client, request, seconds }) = place else { return fault.fmt(f) };
        write!(f, "connection {connection}")?;
        if *client != u64::from(*connection) {
            write!(f, " (the client's {client})")?;
        }
        write!(f, ", request {request}, at {seconds:.3} s: {fault}")
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost => f.write_str("lost: no reply came"),
            Self::Reordered => f.write_str("reordered: its reply came after the reply to a later request"),
            Self::Doubled => f.write_str("doubled: its reply came again"),
            Self::AfterRefusal => {
                f.write_str("answered after a refusal: its reply came, and it had been refused")
            }
            Self::Foreign { of_connection, of_request } => {
                write!(f, "foreign: the reply to request {of_request} of connection {of_connection} came")
            }
            Self::Altered { expected, came } => {
                write!(f, "another reply: {came} came, and not {expected}")
            }
            Self::Rejected { came } => write!(f, "rejected: {came} came, which is no answer to it"),
            Self::Unasked { came } => {
                write!(f, "not asked for: {came} came while no request waited for a reply")
            }
            Self::AfterFarewell { came } => {
                write!(
                    f,
                    "after the end: {came} came after the server had announced the end of the connection"
                )
            }
            Self::Unaccounted { handled, accounted } => {
                let (count, what) = match handled.checked_sub(*accounted) {
                    Some(more) => (more, "handled and not answered"),
                    None => (accounted - handled, "answered and not handled"),
                };
                let messages = noun(*handled, "message");
                let verb = if count == 1 { "was" } else { "were" };
                let (handled, count) = (grouped(*handled), grouped(count));
                write!(f, "the server handled {handled} {messages}: {count} {verb} {what}")
            }
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { length, hash } = self;
        write!(f, "{length} {} with the hash {hash:016x}", noun(u64::from(*length), "byte"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A verdict on a message that was answered.
    fn verdict(violations: Vec<Violation>) -> Verdict {
        Verdict {
            violations,
            connections: 1,
            requests: 1,
            answered: 1,
            is_complete: true,
            ..Verdict::default()
        }
    }

    #[test]
    fn what_shows_nothing_is_said_to_do_so() {
        let one = verdict(Vec::new());
        assert!(
            one.to_string().contains(" 1 connection\n") && one.to_string().contains(" 1 request\n"),
            "{one}"
        );
        let unanswered = Verdict { answered: 0, unknown: 1, ..one };
        let empty = Verdict { requests: 0, unknown: 0, ..unanswered.clone() };
        for (verdict, expected) in [
            (unanswered, "no message was answered, so the history shows nothing\n"),
            (empty, "the history has no message, so it shows nothing\n"),
        ] {
            let text = verdict.to_string();
            assert!(text.ends_with(expected) && !text.contains("no violation"), "{text}");
        }
    }

    #[test]
    fn what_the_server_handled_is_a_violation_or_open() {
        let compared = |verdict: Verdict, handled| {
            let mut verdict = verdict;
            verdict.compare_handled(handled);
            (verdict.to_string(), verdict.violations.len())
        };
        let sound = || verdict(Vec::new());
        assert_eq!(compared(sound(), 1), (sound().to_string(), 0));
        for (handled, expected) in [
            (0, "VIOLATION: the server handled 0 messages: 1 was answered and not handled\n"),
            (3, "VIOLATION: the server handled 3 messages: 2 were handled and not answered\n"),
        ] {
            let (text, violations) = compared(sound(), handled);
            assert!(text.ends_with(expected) && !text.contains("no violation") && violations == 1, "{text}");
        }
        let (text, violations) = compared(Verdict { has_unrecorded: true, ..sound() }, 3);
        assert!(text.contains("has no verdict: hostile clients") && violations == 0, "{text}");
    }

    #[test]
    fn the_text_has_at_most_twenty_violations() {
        let place = Place { connection: 5, client: 5, request: 12, seconds: 1.2344 };
        let violation = Violation { place: Some(place), fault: Fault::Lost };
        let line = "VIOLATION: connection 5, request 12, at 1.234 s: lost: no reply came\n";
        for (count, shown, rest) in [
            (0, 0, "no violation\n"),
            (20, 20, ""),
            (21, 20, "and 1 more violation\n"),
            (1000, 20, "and 980 more violations\n"),
        ] {
            let violations = vec![violation.clone(); count];
            let text = verdict(violations).to_string();
            assert!(text.ends_with(&format!("{}{rest}", line.repeat(shown))), "{text}");
            assert_eq!(
                text.contains("stopped at 1 000 violations; these are the counts up to there"),
                count == 1000
            );
        }
        let cut = Verdict::default().to_string();
        assert!(cut.contains("the file was cut off"), "{cut}");
    }
}
