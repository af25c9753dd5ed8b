//! Error replies: they are counted separately from refused or closed connections.

use std::sync::atomic::AtomicBool;

use anyloop_load::engine;
use anyloop_load::export::table;
use anyloop_load::plan::{Expect, Plan, ReplyHook};

use super::faulty::{Faulty, Replies};
use super::{LAST, plan, run};

/// Sends an error instead of a reply.
fn refuse(replies: &mut Replies, error: &[u8]) {
    replies.say(error);
    replies.skip();
}

#[test]
fn refusals_are_counted_separately_with_any_expectation() {
    let right = ReplyHook::new(|message, reply| message == reply);
    for expect in [Expect::Echo, Expect::Any, Expect::By(right)] {
        let server = Faulty::each_connection(|replies, _| {
            if replies.count() > 1 && replies.count() % 2 == 0 {
                refuse(replies, b"ERR rate-limited");
            }
        });
        let m = run(&Plan { expect: expect.clone(), ..plan(&server) });
        let v = &m.verification;
        assert_eq!((v.bad(), m.failures.connections()), (0, 0), "{expect:?}: {m:?}");
        assert!((m.refused_share() - 0.5).abs() < 0.01, "{expect:?}: {} of {}", v.refused, v.replies);
        assert_eq!(v.refusal.as_deref(), Some("ERR rate-limited"));
        let table = table(&m);
        assert!(table.contains(" % of the replies were refusals, such as `ERR rate-limited`"), "{table}");
        assert!(!table.contains("as they should be"), "{table}");
        assert_eq!(table.contains("counted, not verified"), expect == Expect::Any, "{table}");
    }
}

#[test]
fn the_first_message_may_be_refused_like_any_other() {
    let server = Faulty::each_connection(|replies, _| {
        if replies.count() == 1 {
            refuse(replies, b"ERR rate-limited");
        }
    });
    let m = run(&plan(&server));
    assert_eq!((m.verification.refused, m.verification.bad(), m.failures.connections()), (2, 0, 0), "{m:?}");
}

#[test]
fn a_refused_connection_is_not_a_refused_message() {
    // Like our server: before any message, and then it closes.
    let unasked = Faulty::greeting("ERR busy", |replies, _| replies.end());
    // As the reply to the first message, and instead of a greeting.
    let first: fn(&mut Replies, &[u8]) = |replies, _| {
        refuse(replies, b"ERR busy");
        replies.end();
    };
    for (expect, server) in [
        (Expect::Echo, unasked),
        (Expect::Any, Faulty::each_connection(first)),
        (Expect::Greeted, Faulty::greeting("ERR too-many-clients", |replies, _| replies.end())),
        (Expect::Ack, Faulty::greeting("ERR busy", |replies, _| replies.end())),
    ] {
        let plan = Plan { expect: expect.clone(), ..plan(&server) };
        let why = match engine::run(&plan, &AtomicBool::new(false), None) {
            // All were refused before the load began.
            Err(error) => error.to_string(),
            Ok(m) => {
                let v = &m.verification;
                assert_eq!((m.failures.ended, v.refused, v.bad()), (2, 0, 0), "{expect:?}: {v:?}");
                m.failures.examples[0].clone()
            }
        };
        assert!(why.contains("the server refuses: ERR "), "{expect:?}: {why}");
    }
}

#[test]
fn a_later_busy_refuses_the_message() {
    let server = Faulty::each_connection(|replies, _| {
        if replies.count() == LAST {
            refuse(replies, b"ERR busy");
        }
    });
    let m = run(&plan(&server));
    assert_eq!((m.verification.refused, m.failures.connections()), (2, 0), "{m:?}");
}

#[test]
fn a_refusal_followed_by_a_close_counts_as_both() {
    let server = Faulty::each_connection(|replies, _| {
        if replies.count() == LAST {
            refuse(replies, b"ERR too-long max=3");
            replies.end();
        }
    });
    let m = run(&Plan { depth: 1, ..plan(&server) });
    assert_eq!((m.verification.refused, m.failures.ended, m.verification.bad()), (2, 2, 0), "{m:?}");
    assert!(m.failures.examples[0].ends_with("the server closed it after a refusal"), "{m:?}");
}

#[test]
fn an_unexpected_error_is_an_extra_reply() {
    let m = run(&plan(&Faulty::each_connection(|replies, _| {
        if replies.count() == LAST {
            replies.say(b"ERR what");
        }
    })));
    // It counts as the reply to the next message, whose real reply is then an extra one.
    assert!(m.verification.refused == 2 && m.verification.bad() >= 2, "{m:?}");
}
