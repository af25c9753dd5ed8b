//! Finds requests as they come.

mod authority;
mod body;
mod head;
mod target;

use memchr::memchr;

pub(crate) use self::body::{Body, Passed};
pub(crate) use self::head::{Method, Request};
use crate::response::Status;

/// Finds requests. It remembers how far it has looked for the end of a head, which is then parsed once.
pub(crate) struct Requests {
    /// The longest request, in bytes, with its body.
    max: usize,
    /// How much of the unfinished head has no empty line in it.
    scanned: usize,
    /// How many empty lines have come in front of it.
    empty_lines: usize,
    /// Whether the request at hand is a HEAD, so that no body follows the response.
    is_head: bool,
}

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found<'a> {
    /// No whole head yet.
    More { used: usize },
    /// A request, and the body that is still to come, if there is one.
    Request { request: Request<'a>, body: Option<Body>, used: usize },
    /// What can't be answered. What follows can't be understood for certain.
    Refused(Status),
}

/// So many empty lines in front of a request are passed over. Some clients send one behind a body.
const EMPTY_LINES: usize = 8;

/// The longest first line, in bytes without its line feed. Shorter ones have to be taken by any server.
const FIRST_LINE: usize = 8 * 1024;

impl Requests {
    pub(crate) fn new(max: usize) -> Self {
        Self { max, scanned: 0, empty_lines: 0, is_head: false }
    }

    /// Whether the request at hand is a HEAD, as far as it has come.
    pub(crate) fn is_head(&self) -> bool {
        self.is_head
    }

    /// Finds the head of a request at the beginning of the input, behind empty lines.
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

    /// The status for a first line that is too long, even if its end has not come yet.
    fn first_line_too_long(&self, head: &[u8]) -> Option<Status> {
        // Of the longest head, the last byte is the line feed of its empty line.
        let most = self.max.min(FIRST_LINE + 1);
        if self.scanned >= most || head.len() < most || memchr(b'\n', &head[..most]).is_some() {
            return None;
        }
        // Without a space, it is the method that is too long: no known one is.
        let status = if head[..most].contains(&b' ') { Status::UriTooLong } else { Status::NotImplemented };
        Some(status)
    }

    /// Where the head ends: behind the first empty line.
    fn end_of_head(&mut self, head: &[u8]) -> Option<usize> {
        let mut from = self.scanned;
        while let Some(at) = memchr(b'\n', &head[from..]) {
            let behind = from + at + 1;
            match empty_line(&head[behind..]) {
                Some(length) => return Some(behind + length),
                // Whether the next line is empty is not known yet: the line end is looked at again.
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

/// How long the empty line is that stands here, if one does. A line feed is enough.
fn empty_line(input: &[u8]) -> Option<usize> {
    match input {
        [b'\n', ..] => Some(1),
        [b'\r', b'\n', ..] => Some(2),
        _ => None,
    }
}

/// Whether this holds a part of a request, and not just the first half of an empty line.
pub(crate) fn has_begun(input: &[u8]) -> bool {
    !matches!(input, b"" | b"\r")
}
