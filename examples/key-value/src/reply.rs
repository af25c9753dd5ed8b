//! How replies are written.

use std::fmt;

use common::Outbox;

/// A word of the protocol's own, such as `OK`.
pub(crate) fn status(out: &mut Outbox, text: &str) {
    out.push(b"+");
    out.push(text.as_bytes());
    out.push(LINE_END);
}

/// An error, which begins with a word for programs, such as `ERR`.
pub(crate) fn error(out: &mut Outbox, text: fmt::Arguments<'_>) {
    out.push(b"-");
    let _ = fmt::Write::write_fmt(out, text); // an outbox takes or counts everything
    out.push(LINE_END);
}

/// A whole number.
pub(crate) fn integer(out: &mut Outbox, number: i64) {
    out.push(b":");
    out.push(itoa::Buffer::new().format(number).as_bytes());
    out.push(LINE_END);
}

/// Bytes.
pub(crate) fn bulk(out: &mut Outbox, bytes: &[u8]) {
    out.push(b"$");
    out.push(itoa::Buffer::new().format(bytes.len()).as_bytes());
    out.push(LINE_END);
    out.push(bytes);
    out.push(LINE_END);
}

/// Bytes, or that there are none.
pub(crate) fn optional_bulk(out: &mut Outbox, bytes: Option<&[u8]>) {
    match bytes {
        Some(bytes) => bulk(out, bytes),
        None => out.push(b"$-1\r\n"),
    }
}

/// The beginning of an array: so many replies follow.
pub(crate) fn array(out: &mut Outbox, count: usize) {
    out.push(b"*");
    out.push(itoa::Buffer::new().format(count).as_bytes());
    out.push(LINE_END);
}

const LINE_END: &[u8] = b"\r\n";
