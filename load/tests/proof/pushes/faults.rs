//! Pushes that are faults of the server.

use anyloop_load::plan::{Messages, Plan, Sizes};

use super::super::{LAST, open, run};
use super::fanout::Fanout;
use super::{assert_faults, plan, pushes, with_fault};

#[test]
fn a_doubled_push_is_found() {
    let m = with_fault(|subscriber, line| {
        subscriber.push(line);
        if subscriber.count() == LAST {
            subscriber.push(line);
        }
    });
    assert_faults(&m, [0, 3, 0, 0]);
    let example = &pushes(&m).examples[0];
    assert!(example.starts_with("doubled: subscriber ") && example.contains(" of connection "), "{example}");
}

#[test]
fn a_push_that_is_doubled_after_the_last_one_is_found() {
    let server = Fanout::pushing(|subscriber, line| {
        subscriber.push(line);
        subscriber.push(line);
    });
    // One message on each connection.
    let m = run(&Plan { pace: open(4.0), ..plan(&server) });
    let p = pushes(&m);
    assert_eq!((p.doubled, p.delivered > 0), (p.delivered, true), "{m:?}");
}

#[test]
fn reordered_pushes_of_a_connection_are_found() {
    let m = run(&Plan {
        connections: 1,
        ..plan(&Fanout::pushing(|subscriber, line| match subscriber.count() {
            LAST => drop(subscriber.hold(line)),
            count => {
                subscriber.push(line);
                if count == LAST + 1 {
                    let held = subscriber.hold(b"");
                    subscriber.push(&held);
                }
            }
        }))
    });
    assert_faults(&m, [0, 0, 3, 0]);
    assert!(pushes(&m).examples[0].starts_with("reordered: subscriber "), "{m:?}");
}

#[test]
fn the_order_of_different_connections_is_free() {
    // The connection's number follows the message's.
    let m = with_fault(|subscriber, line| {
        if line[8] == b'0' {
            return subscriber.push(line);
        }
        let held = subscriber.hold(line);
        if !held.is_empty() {
            subscriber.push(&held);
        }
    });
    // The last one of the second connection stays behind.
    assert_faults(&m, [0, 0, 0, 3]);
}

#[test]
fn an_altered_push_is_found_wherever_the_error_is() {
    for at in [0, 9, 17, 25, 28, 31, 40, 62] {
        let server = Fanout::pushing(move |subscriber, line| {
            let mut line = line.to_vec();
            if subscriber.count() == LAST {
                line[at] = b'#';
            }
            subscriber.push(&line);
        });
        let m = run(&Plan { messages: Messages::Made(Sizes::Fixed(64)), ..plan(&server) });
        assert_faults(&m, [3, 0, 0, 3]);
        assert!(pushes(&m).examples[0].starts_with("wrong: subscriber "), "{m:?}");
    }
}

#[test]
fn a_push_that_is_not_whole_is_found() {
    let m = with_fault(|subscriber, line| match subscriber.count() {
        LAST => subscriber.push(&line[..line.len() - 1]),
        _ => subscriber.push(line),
    });
    assert_faults(&m, [3, 0, 0, 3]);
}

#[test]
fn mixed_pushes_are_found() {
    let server = Fanout::pushing(|subscriber, line| {
        let held = subscriber.hold(line);
        match subscriber.count() {
            LAST => subscriber.push(&[&line[..40], &held[40..]].concat()),
            _ => subscriber.push(line),
        }
    });
    let m = run(&Plan { messages: Messages::Made(Sizes::Fixed(64)), ..plan(&server) });
    assert_faults(&m, [3, 0, 0, 3]);
}

#[test]
fn a_message_of_an_earlier_run_is_wrong() {
    let first = std::sync::Mutex::new(Vec::new());
    let server = Fanout::pushing(move |subscriber, line| {
        let mut first = first.lock().expect("nobody panics");
        if first.is_empty() {
            *first = line.to_vec();
        } else if subscriber.number() == 3 && subscriber.count() == 1 {
            // The first subscriber of the second run.
            subscriber.push(&first);
        }
        subscriber.push(line);
    });
    assert_faults(&run(&plan(&server)), [0; 4]);
    assert_faults(&run(&plan(&server)), [1, 0, 0, 0]);
}
