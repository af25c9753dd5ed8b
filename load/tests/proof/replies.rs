//! Faults in replies.

use std::thread;

use anyloop_load::plan::{Expect, Plan};

use super::faulty::{Faulty, Replies};
use super::{LAST, ask, open, plan, run};

#[test]
fn a_carriage_return_before_the_line_end_belongs_to_it() {
    let server = Faulty::each_connection(|replies, line| {
        // The line end arrives whole or in two pieces.
        replies.say_part(&[line, b"\r"].concat());
        if replies.count() % 2 == 0 {
            thread::yield_now();
        }
        replies.say(b"");
        replies.skip();
    });
    assert_eq!(ask(&server).expect("it is known"), Expect::Echo);
    let m = run(&plan(&server));
    assert_eq!((m.verification.bad(), m.failures.connections()), (0, 0), "{m:?}");
    assert!(m.verification.replies > 0);
}

#[test]
fn a_lost_reply_is_found() {
    let m = run(&plan(&Faulty::each_connection(|replies, _| {
        if replies.count() == LAST {
            replies.skip();
        }
    })));
    assert_eq!(m.verification.lost, 2, "{m:?}");
    assert_eq!(m.verification.bad(), 2, "{m:?}");
    // The messages of a connection are counted from 0.
    let examples = [0, 1].map(|number| format!("lost: connection {number}, message 49: no reply came"));
    let mut told = m.verification.examples;
    told.sort();
    assert_eq!(told, examples);
}

#[test]
fn replies_that_all_stop_coming_are_lost() {
    let server = Faulty::each_connection(|replies, _| {
        if replies.count() >= LAST {
            replies.skip();
        }
    });
    let m = run(&Plan { depth: 1, ..plan(&server) });
    assert_eq!((m.verification.lost, m.verification.bad()), (2, 2), "{m:?}");
}

#[test]
fn a_doubled_reply_is_found() {
    let m = run(&plan(&Faulty::each_connection(|replies, line| {
        if replies.count() == LAST {
            replies.say(line);
        }
    })));
    assert_eq!((m.verification.doubled, m.verification.bad()), (2, 2), "{m:?}");
}

#[test]
fn an_extra_reply_is_found_if_replies_do_not_identify_their_message() {
    for expect in [Expect::Any, Expect::Greeted] {
        let fault = |replies: &mut Replies, _: &[u8]| {
            replies.say(b"+OK");
            if replies.count() != LAST {
                replies.skip();
            }
        };
        let server = match expect {
            Expect::Greeted => Faulty::greeting("hello", fault),
            _ => Faulty::each_connection(fault),
        };
        let m = run(&Plan { expect: expect.clone(), ..plan(&server) });
        assert_eq!((m.verification.extra, m.verification.bad()), (2, 2), "{expect:?}: {m:?}");
        assert!(m.verification.examples[0].starts_with("not asked for: connection "), "{m:?}");
    }
}

#[test]
fn a_greeting_that_shifts_all_replies_is_found() {
    for (expect, greeting) in
        [(Expect::Any, "hello"), (Expect::Greeted, "hello\nhow are you?"), (Expect::Any, "one\ntwo\nthree")]
    {
        let server = Faulty::greeting(greeting, |_, _| ());
        for messages_per_connection in [None, Some(3)] {
            let m = run(&Plan { expect: expect.clone(), messages_per_connection, ..plan(&server) });
            assert!(m.verification.extra >= 2, "{expect:?}, {messages_per_connection:?}: {m:?}");
            assert_eq!(m.verification.bad(), m.verification.extra, "{expect:?}: {m:?}");
        }
        // Almost nothing is sent, but replies are still checked.
        let m = run(&Plan { expect: expect.clone(), pace: open(0.1), ..plan(&server) });
        assert!(m.verification.extra >= 2, "{expect:?}: {m:?}");
        let early = |example: &String| example.contains("before its first message");
        assert!(m.verification.examples.iter().any(early), "one message is due at the start: {m:?}");
    }
}

#[test]
fn reordered_replies_are_found() {
    let m = run(&plan(&Faulty::each_connection(|replies, line| {
        if replies.count() == LAST {
            replies.hold(line);
        }
    })));
    assert_eq!((m.verification.reordered, m.verification.bad()), (2, 2), "{m:?}");
}

#[test]
fn a_corrupted_reply_is_found_wherever_the_error_is() {
    for at in [0, 9, 20, 30] {
        let m = run(&plan(&Faulty::each_connection(move |replies, line| {
            if replies.count() == LAST {
                let mut line = line.to_vec();
                line[at] = b'#';
                replies.say(&line);
                replies.skip();
            }
        })));
        assert_eq!((m.verification.wrong, m.verification.bad()), (2, 2), "at {at}: {m:?}");
    }
}

#[test]
fn a_reply_of_another_length_is_found() {
    let m = run(&plan(&Faulty::each_connection(|replies, line| {
        if replies.count() == LAST {
            replies.say(&line[..line.len() - 1]);
            replies.skip();
        }
    })));
    assert_eq!((m.verification.wrong, m.verification.bad()), (2, 2), "{m:?}");
}

#[test]
fn a_foreign_reply_is_found() {
    let m = run(&plan(&Faulty::each_connection(|replies, line| {
        if replies.count() == LAST {
            let mut line = line.to_vec();
            line[8] = if line[8] == b'7' { b'8' } else { b'7' };
            replies.say(&line);
        }
    })));
    assert_eq!((m.verification.foreign, m.verification.bad()), (2, 2), "{m:?}");
    assert!(m.verification.examples[0].starts_with("foreign: connection "), "{m:?}");
}

#[test]
fn replies_of_the_built_in_handlers_are_known() {
    let counter = |greeting: &'static str, before: &'static str, behind: &'static str| {
        Faulty::greeting(greeting, move |replies, line| {
            let number = replies.count();
            replies.say(format!("{before}{number}{behind}{}", String::from_utf8_lossy(line)).as_bytes());
            replies.skip();
        })
    };
    for (expect, server) in [
        (Expect::Counter, counter("連接成功!", "第", "條信息:")),
        (Expect::CounterEnglish, counter("Connected!", "Message ", ": ")),
        (
            Expect::Ack,
            Faulty::greeting("Hello World!", |replies, _| {
                replies.say(b"417:ACK!");
                replies.skip();
            }),
        ),
        (Expect::Echo, Faulty::good()),
    ] {
        assert_eq!(ask(&server).expect("it is known"), expect);
        let m = run(&Plan { expect: expect.clone(), ..plan(&server) });
        assert_eq!(m.verification.bad(), 0, "{expect:?}: {m:?}");
        assert!(m.verification.replies > 0, "{expect:?}: {m:?}");
    }
}

#[test]
fn any_line_is_accepted_with_expect_any() {
    let server = Faulty::each_connection(|replies, _| {
        replies.say(b"+PONG");
        replies.skip();
    });
    let error = ask(&server).expect_err("nobody knows this");
    assert!(error.to_string().contains("`+PONG`") && error.to_string().contains("--expect any"), "{error}");
    assert_eq!(run(&Plan { expect: Expect::Any, ..plan(&server) }).verification.bad(), 0);
    assert!(run(&plan(&server)).verification.wrong > 0);
}
