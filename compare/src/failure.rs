//! Why a server failed under a load: bad replies, broken connections, the end of its process, and what it wrote to
//! standard error.

use std::io;
use std::time::Duration;

use super::testbed::RunningServer;
use load::measurement::{Measurement, Pushes};

/// How long to wait for the end of a process whose connections broke: at an exit the kernel closes the connections
/// first.
pub(super) const EXIT: Duration = Duration::from_millis(200);

/// Why a server failed, by what counts as a failure under every load: bad replies, or the end of its process.
pub(super) fn under_any_load(
    server: &mut dyn RunningServer,
    measured: &io::Result<Measurement>,
) -> Option<String> {
    let is_doubtful = |of: &Measurement| bad_replies(of).is_some() || broken_connections(of).is_some();
    let patience = if measured.as_ref().map_or(true, is_doubtful) { EXIT } else { Duration::ZERO };
    let ended = server.failure(patience);
    match (measured.as_ref().ok().and_then(bad_replies), ended) {
        (Some(bad), Some(ended)) => Some(format!("{bad}; {ended}")),
        (Some(bad), None) => Some(quoted(server, bad)),
        (None, ended) => ended,
    }
}

/// Adds the panic message that a running server has written, if any.
pub(super) fn quoted(server: &dyn RunningServer, why: String) -> String {
    match server.panic_message() {
        Some(panic) => format!("{why}; it wrote: {panic}"),
        None => why,
    }
}

/// The bad replies and pushes of a measurement, if there are any. That no push comes at all is as bad.
fn bad_replies(measurement: &Measurement) -> Option<String> {
    let verification = &measurement.verification;
    let replies = (verification.bad() > 0).then(|| {
        let what = format!("{} bad replies, of {} in all", verification.bad(), verification.replies);
        with_example(what, &verification.examples)
    });
    let pushes = measurement.pushes.as_ref().filter(|pushes| pushes.bad() > 0).map(|pushes| {
        let what = format!("{} bad pushes, and {} good ones", pushes.bad(), pushes.delivered);
        with_example(what, &pushes.examples)
    });
    let is_silent = |pushes: &&Pushes| pushes.delivered == 0 && measurement.failures.connections() == 0;
    let silent = measurement.pushes.as_ref().filter(is_silent).map(|_| "no push came".to_owned());
    let bad: Vec<_> = replies.into_iter().chain(pushes).chain(silent).collect();
    (!bad.is_empty()).then(|| bad.join("; "))
}

/// The broken connections of a measurement without hostile clients: connections that were refused or ended, or no
/// replies at all, warm-up included. Refusals are replies.
pub(super) fn broken_connections(measurement: &Measurement) -> Option<String> {
    let failures = &measurement.failures;
    let what = match (failures.connect, failures.ended, failures.unserved) {
        (0, 0, 0) if measurement.verification.replies == 0 => "no replies came".to_owned(),
        (0, 0, 0) => return None,
        (0, 0, unserved) => format!("{unserved} connections were never served"),
        (0, ended, _) => format!("the server ended {ended} connections"),
        (refused, ..) => format!("{refused} connections could not be made"),
    };
    Some(with_example(what, &failures.examples))
}

/// Refusals are reported above this share of the replies.
const REPORTED_SHARE: f64 = 0.01;

/// A description of the refusals, if there are more than a few.
pub(super) fn refusals(measurement: &Measurement) -> Option<String> {
    let share = measurement.refused_share();
    (share > REPORTED_SHARE).then(|| {
        let what = format!("{:.1} % of the replies were refusals", share * 100.0);
        match &measurement.verification.refusal {
            Some(refusal) => format!("{what}, such as `{refusal}`"),
            None => what,
        }
    })
}

fn with_example(what: String, examples: &[String]) -> String {
    match examples.first() {
        Some(example) => format!("{what}: {example}"),
        None => what,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use load::measurement::Verification;
    use load::testing::measurement;

    #[test]
    fn failures_have_an_example() {
        assert_eq!((bad_replies(&measurement()), broken_connections(&measurement())), (None, None));

        let mut bad = measurement();
        bad.verification.lost = 2;
        bad.verification.examples = vec!["connection 3, message 7".into()];
        let text = bad_replies(&bad).unwrap();
        assert_eq!(text, "2 bad replies, of 1200 in all: connection 3, message 7");

        let pushes = Pushes { delivered: 9, doubled: 3, examples: vec!["x".into()], ..Pushes::default() };
        let none = Measurement { pushes: Some(Pushes::default()), ..measurement() };
        assert_eq!(bad_replies(&none).as_deref(), Some("no push came"));
        let doubled = Measurement { pushes: Some(pushes), ..measurement() };
        assert_eq!(bad_replies(&doubled).as_deref(), Some("3 bad pushes, and 9 good ones: x"));

        let mut broken = measurement();
        broken.failures.ended = 1;
        assert_eq!(broken_connections(&broken).as_deref(), Some("the server ended 1 connections"));
        broken.failures.connect = 5;
        assert_eq!(broken_connections(&broken).as_deref(), Some("5 connections could not be made"));

        // On a busy machine a server may get no core for the whole of a short measurement, and reply later.
        let late = Measurement { latency: Default::default(), ..measurement() };
        assert_eq!(broken_connections(&late), None);
        let silent = Measurement { verification: Verification::default(), ..late };
        assert_eq!(broken_connections(&silent).as_deref(), Some("no replies came"));
    }

    #[test]
    fn refusals_are_reported_apart_from_failures() {
        let refused = |refused| {
            let refusal = Some("ERR rate-limited".to_owned());
            let verification = Verification { replies: 1000, refused, refusal, ..Verification::default() };
            Measurement { verification, ..measurement() }
        };
        assert_eq!(refusals(&refused(10)), None);
        let told = "99.9 % of the replies were refusals, such as `ERR rate-limited`";
        assert_eq!(refusals(&refused(999)).as_deref(), Some(told));
        // A server that answers everything with refusals has answered.
        let silent = Measurement { latency: Default::default(), ..refused(1000) };
        assert_eq!(broken_connections(&silent), None);
    }
}
