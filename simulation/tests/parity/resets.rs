//! Resets by the client, and those that its system sends.

use std::io::ErrorKind::{BrokenPipe, ConnectionReset, WouldBlock};

use crate::{Connection, Situation};

/// The client resets the connection, and the reset arrives.
fn reset(c: &dyn Connection) {
    c.reset();
    c.until(|c| c.has_failed());
}

pub(crate) const ALL: &[Situation] = &[
    ("a reset is read once", |c| {
        reset(c);
        assert_eq!(
            (c.reads(9), c.reads(9), c.reads(9)),
            (Err(ConnectionReset), Ok("".into()), Ok("".into()))
        );
    }),
    ("a reset is written to once", |c| {
        reset(c);
        assert_eq!((c.writes("a"), c.writes("a")), (Err(ConnectionReset), Err(BrokenPipe)));
    }),
    ("a write after a reset was read", |c| {
        reset(c);
        assert_eq!((c.reads(9), c.writes("a")), (Err(ConnectionReset), Err(BrokenPipe)));
    }),
    ("a read after a reset was written to", |c| {
        reset(c);
        assert_eq!((c.writes("a"), c.reads(9)), (Err(ConnectionReset), Ok("".into())));
    }),
    ("a reset stays a failure", |c| {
        reset(c);
        assert_eq!((c.reads(9), c.has_failed()), (Err(ConnectionReset), true));
    }),
    ("input before a reset is read", |c| {
        c.sends("last");
        reset(c);
        assert_eq!(
            (c.arrived(), c.reads(2), c.arrived(), c.reads(9)),
            (4, Ok("la".into()), 2, Ok("st".into()))
        );
        assert_eq!((c.arrived(), c.reads(9), c.reads(9)), (0, Err(ConnectionReset), Ok("".into())));
    }),
    ("input before a reset is read after a write", |c| {
        c.sends("last");
        reset(c);
        assert_eq!(
            (c.writes("a"), c.reads(9), c.reads(9)),
            (Err(ConnectionReset), Ok("last".into()), Ok("".into()))
        );
    }),
    ("nothing has arrived with a reset", |c| {
        reset(c);
        assert_eq!(c.arrived(), 0);
    }),
    ("output that a reset drops still counts as queued", |c| {
        c.fill();
        assert!(c.queued() > 0);
        reset(c);
        assert_eq!((c.queued() > 0, c.writes("a")), (true, Err(ConnectionReset)));
    }),
    ("a reset after the end of the input", |c| {
        c.end();
        assert_eq!(c.reads_next(), Ok("".into()));
        reset(c);
        assert_eq!(
            (c.reads(9), c.writes("a"), c.writes("a")),
            (Ok("".into()), Err(BrokenPipe), Err(BrokenPipe))
        );
    }),
    ("a client closes and has read everything", |c| {
        assert_eq!(c.writes("hello"), Ok(5));
        assert_eq!(c.receives(9), Ok("hello".into()));
        c.close();
        assert_eq!((c.reads_next(), c.has_failed()), (Ok("".into()), false));
    }),
    ("a client closes and has not read everything", |c| {
        assert_eq!(c.writes("hello"), Ok(5));
        assert_eq!(c.receives(2), Ok("he".into()));
        c.close();
        c.until(|c| c.has_failed());
        assert_eq!((c.reads(9), c.reads(9)), (Err(ConnectionReset), Ok("".into())));
    }),
    ("a client closes with input on its way", |c| {
        c.sends("last");
        c.close();
        assert_eq!((c.reads(9), c.reads_next(), c.has_failed()), (Ok("last".into()), Ok("".into()), false));
    }),
    ("a write to a client that has closed is answered with a reset", |c| {
        c.close();
        assert_eq!((c.reads_next(), c.writes("a")), (Ok("".into()), Ok(1)));
        c.until(|c| c.has_failed());
        assert_eq!(
            (c.writes("a"), c.writes("a"), c.reads(9)),
            (Err(BrokenPipe), Err(BrokenPipe), Ok("".into()))
        );
    }),
    ("a write to a client that has closed, and the end was not read", |c| {
        c.close();
        c.until(|c| c.writes("a").is_err());
        assert_eq!((c.writes("a"), c.reads(9), c.reads(9)), (Err(BrokenPipe), Ok("".into()), Ok("".into())));
    }),
    ("a reset by a client of a server that has ended", |c| {
        c.end_writing();
        assert_eq!(c.reads(9), Err(WouldBlock));
        reset(c);
        assert_eq!(
            (c.reads(9), c.reads(9), c.writes("a")),
            (Err(ConnectionReset), Ok("".into()), Err(BrokenPipe))
        );
    }),
];
