//! What the server reads, and the end of the input.

use std::io::ErrorKind::WouldBlock;

use crate::Situation;

pub(crate) const ALL: &[Situation] = &[
    ("nothing was sent", |c| {
        assert_eq!((c.reads(9), c.arrived(), c.has_failed()), (Err(WouldBlock), 0, false));
    }),
    ("a read without room, of nothing", |c| assert_eq!(c.reads(0), Err(WouldBlock))),
    ("a read returns what was sent", |c| {
        c.sends("hello");
        assert_eq!((c.reads(9), c.reads(9)), (Ok("hello".into()), Err(WouldBlock)));
    }),
    ("a read without room leaves the input", |c| {
        c.sends("a");
        assert_eq!((c.reads(0), c.reads(1)), (Ok("".into()), Ok("a".into())));
    }),
    ("a read with little room leaves the rest", |c| {
        c.sends("hello");
        assert_eq!((c.reads(2), c.arrived(), c.reads(9)), (Ok("he".into()), 3, Ok("llo".into())));
    }),
    ("a read with exact room", |c| {
        c.sends("hello");
        assert_eq!((c.reads(5), c.reads(5), c.arrived()), (Ok("hello".into()), Err(WouldBlock), 0));
    }),
    ("two sends arrive as one", |c| {
        c.sends("one");
        c.sends("two");
        assert_eq!((c.arrived(), c.reads(9)), (6, Ok("onetwo".into())));
    }),
    ("bytes one at a time", |c| {
        c.sends("abc");
        let read: Vec<_> = (0..4).map(|_| c.reads(1)).collect();
        assert_eq!(read, [Ok("a".into()), Ok("b".into()), Ok("c".into()), Err(WouldBlock)]);
    }),
    ("input between two reads", |c| {
        c.sends("abc");
        assert_eq!(c.reads(2), Ok("ab".into()));
        c.sends("de");
        assert_eq!((c.arrived(), c.reads(9)), (3, Ok("cde".into())));
    }),
    ("much input", |c| {
        let sent = "0123456789".repeat(2000);
        c.sends(&sent);
        let parts: Vec<_> = (0..3).map(|_| c.reads(8192).unwrap()).collect();
        assert_eq!((parts.concat(), c.arrived()), (sent, 0));
        assert_eq!(parts.iter().map(String::len).collect::<Vec<_>>(), [8192, 8192, 3616]);
    }),
    ("the end without input", |c| {
        c.end();
        assert_eq!((c.reads_next(), c.arrived()), (Ok("".into()), 0));
    }),
    ("the end is read again", |c| {
        c.end();
        assert_eq!((c.reads_next(), c.reads(9), c.reads(1)), (Ok("".into()), Ok("".into()), Ok("".into())));
    }),
    ("the end after input", |c| {
        c.sends("last");
        c.end();
        assert_eq!(
            (c.reads(9), c.reads_next(), c.reads(9)),
            (Ok("last".into()), Ok("".into()), Ok("".into()))
        );
    }),
    ("the end is no input", |c| {
        c.sends("last");
        c.end();
        assert_eq!(c.reads(2), Ok("la".into()));
        c.until(|c| c.arrived() == 2);
        assert_eq!((c.reads(9), c.reads_next(), c.arrived()), (Ok("st".into()), Ok("".into()), 0));
    }),
    ("the end is no failure", |c| {
        c.end();
        assert_eq!((c.reads_next(), c.has_failed()), (Ok("".into()), false));
    }),
    ("input is no failure", |c| {
        c.sends("a");
        assert!(!c.has_failed());
    }),
    ("what is discarded is not read", |c| {
        c.sends("hello");
        assert_eq!((c.discard(2).unwrap(), c.arrived(), c.reads(9)), (2, 3, Ok("llo".into())));
    }),
    ("nothing to discard", |c| {
        assert_eq!(c.discard(9).unwrap_err().kind(), WouldBlock);
        c.end();
        assert_eq!(c.reads_next(), Ok("".into()));
        assert_eq!(c.discard(9).unwrap(), 0);
    }),
];
