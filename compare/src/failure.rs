//! Why a server has failed under a load: by its replies, its connections, how its process ended, and what it wrote.

use std::io;
use std::time::Duration;

use super::laboratory::Running;
use load::measurement::Measurement;

/// How long is waited for the end of a process whose connections broke: the kernel closes them first.
pub(super) const EXIT: Duration = Duration::from_millis(200);

/// Why a server has failed whatever the load: its replies were bad, or its process has ended.
pub(super) fn in_any_case(server: &mut dyn Running, measured: &io::Result<Measurement>) -> Option<String> {
    let is_doubtful = |of: &Measurement| bad_replies(of).is_some() || broken_connections(of).is_some();
    let patience = if measured.as_ref().map_or(true, is_doubtful) { EXIT } else { Duration::ZERO };
    let ended = server.failure(patience);
    match (measured.as_ref().ok().and_then(bad_replies), ended) {
        (Some(bad), Some(ended)) => Some(format!("{bad}; {ended}")),
        (Some(bad), None) => Some(quoted(server, bad)),
        (None, ended) => ended,
    }
}

/// Why a server has failed that runs still, with the panic that it has told of, if it has.
pub(super) fn quoted(server: &dyn Running, why: String) -> String {
    match server.said() {
        Some(panic) => format!("{why}; it wrote: {panic}"),
        None => why,
    }
}

/// Why a measurement shows that a server doesn't do its duty: replies that are not as they should be.
fn bad_replies(measurement: &Measurement) -> Option<String> {
    let verification = &measurement.verification;
    let bad = verification.bad();
    (bad > 0).then(|| {
        let what = format!("{bad} bad replies, of {} in all", verification.replies);
        with_example(what, &verification.examples)
    })
}

/// Why a measurement with nothing but good clients shows it: connections that were refused or ended, or no
/// replies at all, not even before or after what was measured. Refusals are replies.
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

/// More than this share of refusals is told.
const FEW: f64 = 0.01;

/// What is to be told of refusals, if there are more than a few.
pub(super) fn refusals(measurement: &Measurement) -> Option<String> {
    let share = measurement.refused_share();
    (share > FEW).then(|| {
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
    fn failures_are_told_with_an_example() {
        assert_eq!((bad_replies(&measurement()), broken_connections(&measurement())), (None, None));

        let mut bad = measurement();
        bad.verification.lost = 2;
        bad.verification.examples = vec!["connection 3, message 7".into()];
        let text = bad_replies(&bad).unwrap();
        assert_eq!(text, "2 bad replies, of 1200 in all: connection 3, message 7");

        let mut broken = measurement();
        broken.failures.ended = 1;
        assert_eq!(broken_connections(&broken).as_deref(), Some("the server ended 1 connections"));
        broken.failures.connect = 5;
        assert_eq!(broken_connections(&broken).as_deref(), Some("5 connections could not be made"));

        // On a busy machine a server may get no core as long as a short slot is, and reply later.
        let late = Measurement { latency: Default::default(), ..measurement() };
        assert_eq!(broken_connections(&late), None);
        let silent = Measurement { verification: Verification::default(), ..late };
        assert_eq!(broken_connections(&silent).as_deref(), Some("no replies came"));
    }

    #[test]
    fn refusals_are_counted_apart_and_told() {
        let refused = |refused| {
            let refusal = Some("ERR rate-limited".to_owned());
            let verification = Verification { replies: 1000, refused, refusal, ..Verification::default() };
            Measurement { verification, ..measurement() }
        };
        assert_eq!(refusals(&refused(10)), None);
        let told = "99.9 % of the replies were refusals, such as `ERR rate-limited`";
        assert_eq!(refusals(&refused(999)).as_deref(), Some(told));
        // Who answers all with refusals has answered.
        let silent = Measurement { latency: Default::default(), ..refused(1000) };
        assert_eq!(broken_connections(&silent), None);
    }
}
