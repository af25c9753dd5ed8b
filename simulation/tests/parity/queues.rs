//! What the server writes, and the queues between it and the client.

use std::io::ErrorKind::{BrokenPipe, WouldBlock};

use crate::Situation;

pub(crate) const ALL: &[Situation] = &[
    ("a write reaches the client", |c| {
        assert_eq!(c.writes("hello"), Ok(5));
        assert_eq!(c.receives(9), Ok("hello".into()));
    }),
    ("an empty write", |c| assert_eq!(c.writes(""), Ok(0))),
    ("two writes arrive as one", |c| {
        assert_eq!((c.writes("one"), c.writes("two")), (Ok(3), Ok(3)));
        c.until(|c| c.queued() == 0);
        assert_eq!(c.receives(9), Ok("onetwo".into()));
    }),
    ("the client reads a byte at a time", |c| {
        assert_eq!(c.writes("abc"), Ok(3));
        assert_eq!(
            (c.receives(1), c.receives(1), c.receives(9)),
            (Ok("a".into()), Ok("b".into()), Ok("c".into()))
        );
    }),
    ("nothing is queued at first", |c| assert_eq!(c.queued(), 0)),
    ("what has arrived at the client is not queued", |c| {
        assert_eq!(c.writes("hello"), Ok(5));
        c.until(|c| c.queued() == 0);
        assert_eq!(c.receives(9), Ok("hello".into()));
    }),
    ("input is not queued", |c| {
        c.sends("hello");
        assert_eq!((c.queued(), c.reads(9), c.queued()), (0, Ok("hello".into()), 0));
    }),
    ("a long write is accepted in part", |c| {
        let long = "x".repeat(10_000_000);
        let written = c.writes(&long).unwrap();
        assert!(0 < written && written < long.len(), "{written}");
    }),
    ("full queues accept nothing", |c| {
        c.fill();
        c.until(|c| c.writes("x") == Err(WouldBlock));
        assert_eq!(c.writes(""), Ok(0));
        assert!(!c.has_failed());
    }),
    ("full queues contain what was written", |c| {
        let written = c.fill();
        c.end_writing();
        let (received, error) = c.receives_all();
        assert_eq!((received.len(), error), (written, None));
    }),
    ("output is queued while the client does not read", |c| {
        c.fill();
        assert!(c.queued() > 0);
        c.pass();
        assert!(c.queued() > 0);
    }),
    ("output leaves the queue when the client reads", |c| {
        let mut left = c.fill();
        let queued = c.queued();
        while left > 0 {
            left -= c.receives(65536).unwrap().len();
        }
        assert!(queued > 0);
        c.until(|c| c.queued() == 0);
    }),
    ("there is room when the client has read", |c| {
        let mut left = c.fill();
        while left > 0 {
            left -= c.receives(65536).unwrap().len();
        }
        c.until(|c| c.writes("more") == Ok(4));
        assert_eq!(c.receives(9), Ok("more".into()));
    }),
    ("input arrives while the queues are full", |c| {
        c.fill();
        c.sends("hello");
        assert_eq!((c.reads(9), c.reads(9)), (Ok("hello".into()), Err(WouldBlock)));
    }),
    ("the end of the output is no output", |c| {
        assert_eq!(c.writes("bye"), Ok(3));
        c.end_writing();
        c.until(|c| c.queued() == 0);
        assert_eq!(c.receives_all(), ("bye".into(), None));
    }),
    ("a write after the end of the output", |c| {
        c.end_writing();
        assert_eq!((c.writes("a"), c.writes("a")), (Err(BrokenPipe), Err(BrokenPipe)));
    }),
    ("the end of the output comes twice", |c| {
        assert_eq!(c.writes("bye"), Ok(3));
        c.end_writing();
        c.end_writing();
        assert_eq!(c.receives_all(), ("bye".into(), None));
    }),
    ("a refused client is told", |c| {
        assert_eq!(c.refuse(b"busy").unwrap(), 4);
        c.end_writing();
        c.close_server();
        assert_eq!(c.receives_all(), ("busy".into(), None));
    }),
];
