//! Parses requests incrementally.

mod authority;
mod body;
mod head;
mod target;

use memchr::memchr;

pub(crate) use self::body::{Body, Passed};
pub(crate) use self::head::{Method, Request};
use crate::response::Status;

/// An incremental parser of requests. It remembers how far it has searched for the end of a head, which is then parsed
/// once.
pub(crate) struct Requests {
    /// The longest request, in bytes, with its body.
    max: usize,
    /// How many bytes of the incomplete head are known to contain no empty line.
    scanned: usize,
    /// The number of empty lines before it.
    empty_lines: usize,
    /// Whether the current request is a HEAD, so that the response has no body.
    is_head: bool,
}

/// The result of parsing.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found<'a> {
    /// No complete head yet.
    More { used: usize },
    /// A request, and its body if there is one.
    Request { request: Request<'a>, body: Option<Body>, used: usize },
    /// An invalid request. The bytes after it can't be parsed reliably.
    Refused(Status),
}

/// How many empty lines before a request are skipped. Some clients send one after a body.
const EMPTY_LINES: usize = 8;

/// The longest first line, in bytes without its line feed. Every server has to accept shorter ones.
const FIRST_LINE: usize = 8 * 1024;

impl Requests {
    pub(crate) fn new(max: usize) -> Self {
        Self { max, scanned: 0, empty_lines: 0, is_head: false }
    }

    /// Whether the current, possibly incomplete request is a HEAD.
    pub(crate) fn is_head(&self) -> bool {
        self.is_head
    }

    /// Finds the head of a request at the beginning of the input, after empty lines.
    pub(crate) fn next<'a>(&mut self, input: &'a [u8]) -> Found<'a> {
        let mut used = 0;
        self.is_head = false;
        while let Some(length) = empty_line(&input[used..]) {
            used += length;
            self.empty_lines += 1;
            if self.empty_lines > EMPTY_LINES {
                return Found::Refused(Status::BadRequest);
            }
        }
        let head = &input[used..];
        if !has_begun(head) {
            return Found::More { used };
        }
        self.is_head = head.starts_with(b"HEAD ");
        if let Some(status) = self.first_line_too_long(head) {
            return Found::Refused(status);
        }
        let Some(end) = self.end_of_head(head) else {
            let is_too_long = head.len() >= self.max;
            return if is_too_long { Found::Refused(Status::HeadersTooLarge) } else { Found::More { used } };
        };
        (self.scanned, self.empty_lines) = (0, 0);
        if end > self.max {
            return Found::Refused(Status::HeadersTooLarge);
        }
        match head::parse(&head[..end]) {
            Ok((request, length)) => match Body::new(length, self.max - end) {
                Ok(body) => Found::Request { request, body, used: used + end },
                Err(status) => Found::Refused(status),
            },
            Err(status) => Found::Refused(status),
        }
    }

    /// The status for a first line that is too long, even before its end is received.
    fn first_line_too_long(&self, head: &[u8]) -> Option<Status> {
        // The last byte of the longest head is the line feed of its empty line.
        let most = self.max.min(FIRST_LINE + 1);
        if self.scanned >= most || head.len() < most || memchr(b'\n', &head[..most]).is_some() {
            return None;
        }
        // Without a space the method is too long, and therefore unknown.
        let status = if head[..most].contains(&b' ') { Status::UriTooLong } else { Status::NotImplemented };
        Some(status)
    }

    /// The end of the head, after the first empty line.
    fn end_of_head(&mut self, head: &[u8]) -> Option<usize> {
        let mut from = self.scanned;
        while let Some(at) = memchr(b'\n', &head[from..]) {
            let behind = from + at + 1;
            match empty_line(&head[behind..]) {
                Some(length) => return Some(behind + length),
                // It is not yet known whether the next line is empty, so this line end is scanned again.
                None if !has_begun(&head[behind..]) => {
                    self.scanned = behind - 1;
                    return None;
                }
                None => from = behind,
            }
        }
        self.scanned = head.len();
        None
    }
}

/// The length of the empty line at the start, if there is one. A line feed is enough.
fn empty_line(input: &[u8]) -> Option<usize> {
    match input {
        [b'\n', ..] => Some(1),
        [b'\r', b'\n', ..] => Some(2),
        _ => None,
    }
}

/// Whether this contains a part of a request, and not just the first half of an empty line.
pub(crate) fn has_begun(input: &[u8]) -> bool {
    !matches!(input, b"" | b"\r")
}
