//! How connections end without a reset of the client, and what the server's close does to the client.

use std::io::ErrorKind::{ConnectionReset, WouldBlock};

use crate::Situation;

pub(crate) const ALL: &[Situation] = &[
    ("a client that has ended still receives", |c| {
        c.sends("request");
        c.end();
        assert_eq!((c.reads(9), c.reads_next()), (Ok("request".into()), Ok("".into())));
        assert_eq!((c.writes("reply"), c.receives(9)), (Ok(5), Ok("reply".into())));
    }),
    ("a server that has ended still reads", |c| {
        assert_eq!(c.writes("bye"), Ok(3));
        c.end_writing();
        assert_eq!(c.receives_all(), ("bye".into(), None));
        c.sends("late");
        assert_eq!((c.reads(9), c.reads(9)), (Ok("late".into()), Err(WouldBlock)));
        assert!(!c.has_failed());
    }),
    ("both have ended", |c| {
        c.end_writing();
        c.end();
        assert_eq!(c.reads_next(), Ok("".into()));
        assert!(c.has_failed(), "in both directions");
        assert_eq!(c.receives_all(), (String::new(), None));
    }),
    ("both have ended, and input is left", |c| {
        c.sends("last");
        c.end_writing();
        c.end();
        c.until(|c| c.has_failed());
        assert_eq!((c.arrived(), c.reads(9), c.reads(9)), (4, Ok("last".into()), Ok("".into())));
    }),
    ("the server closes", |c| {
        assert_eq!(c.writes("bye"), Ok(3));
        c.close_server();
        assert_eq!((c.receives_all(), c.receives(9)), (("bye".into(), None), Ok("".into())));
    }),
    ("the server closes after the end of the input", |c| {
        c.end();
        assert_eq!((c.reads_next(), c.writes("bye")), (Ok("".into()), Ok(3)));
        c.close_server();
        assert_eq!(c.receives_all(), ("bye".into(), None));
    }),
    ("the server closes with unread input", |c| {
        c.sends("unread");
        c.close_server();
        assert_eq!(c.receives_all(), (String::new(), Some(ConnectionReset)));
    }),
    ("the server closes with a part of the input unread", |c| {
        c.sends("unread");
        assert_eq!(c.reads(5), Ok("unrea".into()));
        c.close_server();
        assert_eq!(c.receives_all(), (String::new(), Some(ConnectionReset)));
    }),
    ("the server closes with unread input, and its output had arrived", |c| {
        assert_eq!(c.writes("bye"), Ok(3));
        c.until(|c| c.queued() == 0);
        c.sends("unread");
        c.close_server();
        assert_eq!(c.receives_all(), ("bye".into(), Some(ConnectionReset)));
    }),
    ("the server closes with unread input, and its output is lost", |c| {
        let written = c.fill();
        c.sends("unread");
        c.close_server();
        let (received, error) = c.receives_all();
        assert!(
            received.len() < written && error == Some(ConnectionReset),
            "{} of {written}",
            received.len()
        );
    }),
    ("input for a server that has closed", |c| {
        assert_eq!(c.writes("bye"), Ok(3));
        c.close_server();
        assert_eq!(c.receives_all(), ("bye".into(), None));
        c.send(b"late");
        c.pass();
        assert_eq!(c.receives(9), Ok("".into()), "the end was read before the reset");
    }),
    ("the server ends its output, and then closes with unread input", |c| {
        assert_eq!(c.writes("bye"), Ok(3));
        c.end_writing();
        assert_eq!(c.receives_all(), ("bye".into(), None));
        c.sends("unread");
        c.close_server();
        c.pass();
        assert_eq!(c.receives(9), Ok("".into()));
    }),
    ("the server lingers until the client has ended", |c| {
        c.sends("unread");
        assert_eq!(c.writes("bye"), Ok(3));
        c.end_writing();
        assert_eq!(c.discard(100).unwrap(), 6);
        c.sends("more");
        assert_eq!((c.discard(100).unwrap(), c.discard(100).unwrap_err().kind()), (4, WouldBlock));
        c.end();
        assert_eq!(c.reads_next(), Ok("".into()));
        c.close_server();
        assert_eq!(c.receives_all(), ("bye".into(), None));
    }),
    ("the server lingers until its output is acknowledged", |c| {
        let written = c.fill();
        c.end_writing();
        c.sends("unread");
        assert_eq!(c.discard(100).unwrap(), 6);
        let mut received = 0;
        while received < written {
            received += c.receives(65536).unwrap().len();
        }
        c.until(|c| c.queued() == 0);
        c.close_server();
        assert_eq!(c.receives_all(), (String::new(), None));
    }),
];
