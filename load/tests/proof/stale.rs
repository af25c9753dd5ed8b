//! Replies with the right length and identity that end in wrong bytes.

use std::sync::Mutex;

use anyloop_load::plan::{Messages, Plan, Sizes};

use super::faulty::Faulty;
use super::{LAST, plan, run};

/// The number of bytes that identify a message.
const IDENTITY: usize = 16;

#[test]
fn a_reply_that_ends_in_another_clients_bytes_is_found() {
    // The last line of all connections.
    let last = Mutex::new(Vec::new());
    let server = Faulty::each_connection(move |replies, line| {
        let mut last = last.lock().expect("nobody panics");
        // Only once, and only with another connection's line: the connection's number follows the message's.
        if replies.count() >= LAST && last.len() == line.len() && last[8..IDENTITY] != line[8..IDENTITY] {
            replies.say(&[&line[..IDENTITY], &last[IDENTITY..]].concat());
            replies.skip();
            last.clear();
        } else {
            *last = line.to_vec();
        }
    });
    let m = run(&plan(&server));
    assert!(m.verification.wrong > 0, "{m:?}");
    assert_eq!(m.verification.wrong, m.verification.bad(), "{m:?}");
    assert!(m.verification.examples[0].starts_with("wrong: connection "), "{m:?}");
}

#[test]
fn a_reply_that_ends_in_the_bytes_of_an_earlier_one_is_found() {
    for size in [20, 32, 4096] {
        let before = Mutex::new(Vec::new());
        let server = Faulty::each_connection(move |replies, line| {
            let mut before = before.lock().expect("nobody panics");
            if replies.count() == LAST {
                replies.say(&[&line[..IDENTITY], &before[IDENTITY..]].concat());
                replies.skip();
            }
            *before = line.to_vec();
        });
        let messages = Messages::Made(Sizes::Fixed(size));
        let m = run(&Plan { connections: 1, messages, ..plan(&server) });
        assert_eq!((m.verification.wrong, m.verification.bad()), (1, 1), "{size}: {m:?}");
    }
}
