//! Urgent data.

use std::io::ErrorKind::WouldBlock;

use crate::Situation;

pub(crate) const ALL: &[Situation] = &[
    ("a read stops before urgent data", |c| {
        c.sends("ab");
        c.send_urgent();
        c.sends("cd");
        assert_eq!((c.reads(9), c.reads(9), c.reads(9)), (Ok("ab".into()), Ok("cd".into()), Err(WouldBlock)));
    }),
    ("input behind urgent data has arrived", |c| {
        c.sends("ab");
        c.send_urgent();
        c.sends("cde");
        assert_eq!((c.arrived(), c.reads(9), c.arrived()), (5, Ok("ab".into()), 3));
        assert_eq!((c.reads(9), c.arrived()), (Ok("cde".into()), 0));
    }),
    ("urgent data before all input", |c| {
        c.send_urgent();
        c.sends("ab");
        assert_eq!((c.reads(9), c.reads(9)), (Ok("ab".into()), Err(WouldBlock)));
    }),
    ("urgent data behind all input", |c| {
        c.sends("ab");
        c.send_urgent();
        c.sends("");
        assert_eq!((c.reads(9), c.reads(9), c.arrived()), (Ok("ab".into()), Err(WouldBlock), 0));
    }),
    ("urgent data alone", |c| {
        c.send_urgent();
        c.sends("");
        assert_eq!((c.arrived(), c.reads(9), c.has_failed()), (0, Err(WouldBlock), false));
        c.sends("a");
        assert_eq!((c.arrived(), c.reads(9)), (1, Ok("a".into())));
    }),
    ("a short read before urgent data", |c| {
        c.sends("abc");
        c.send_urgent();
        c.sends("d");
        let read: Vec<_> = [2, 2, 2].map(|room| c.reads(room).unwrap()).into();
        assert_eq!(read, ["ab", "c", "d"]);
    }),
    ("the end behind urgent data", |c| {
        c.sends("ab");
        c.send_urgent();
        c.end();
        assert_eq!((c.reads(9), c.reads_next(), c.reads(9)), (Ok("ab".into()), Ok("".into()), Ok("".into())));
    }),
    ("the end behind urgent data and input", |c| {
        c.send_urgent();
        c.sends("ab");
        c.end();
        assert_eq!((c.reads(9), c.reads_next(), c.arrived()), (Ok("ab".into()), Ok("".into()), 0));
    }),
    ("urgent data is discarded", |c| {
        c.sends("ab");
        c.send_urgent();
        c.sends("cd");
        assert_eq!((c.discard(9).unwrap(), c.discard(9).unwrap()), (2, 2));
    }),
];
