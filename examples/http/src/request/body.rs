//! The body of a request, which is skipped.

use httparse::Header;
use memchr::memchr;

use super::head::{is_token, members, values};
use crate::response::Status;

/// The length of a body, by the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    Known(usize),
    /// Chunked.
    Chunked,
}

/// The rest of a body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Body {
    stage: Stage,
    /// How many more bytes are allowed.
    room: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// This number of bytes remain.
    Plain(usize),
    /// The line with the length of a chunk.
    Size,
    /// This number of bytes of a chunk remain.
    Chunk(usize),
    /// The line end after a chunk.
    ChunkEnd,
    /// A trailer field, or the empty line after the trailer.
    Trailer,
}

/// How much of a body was skipped.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Passed {
    /// More is expected.
    More { used: usize },
    /// All of it.
    Whole { used: usize },
    /// It is invalid, or too long.
    Refused(Status),
}

/// The longest line within a chunked body, in bytes with its line end.
const LONGEST_LINE: usize = 1024;

impl Length {
    /// Determines the length of the body. If two servers could interpret it differently, an attacker could make one of
    /// them take a body for a request (request smuggling), so the length must be given once, in one way.
    pub(super) fn of(fields: &[Header<'_>], is_old: bool) -> Result<Self, Status> {
        let mut encodings = values(fields, "transfer-encoding").peekable();
        let mut lengths = values(fields, "content-length");
        match (encodings.peek().is_some(), lengths.next(), lengths.next()) {
            (false, None, _) => Ok(Self::Known(0)),
            (false, Some(length), None) => {
                let is_number = !length.is_empty() && length.iter().all(u8::is_ascii_digit);
                let number =
                    std::str::from_utf8(length).ok().filter(|_| is_number).ok_or(Status::BadRequest)?;
                // A number with too many digits is too long.
                Ok(Self::Known(number.parse().unwrap_or(usize::MAX)))
            }
            (true, None, _) if !is_old => Self::encoded(fields),
            _ => Err(Status::BadRequest),
        }
    }

    fn encoded(fields: &[Header<'_>]) -> Result<Self, Status> {
        let is_chunked = |coding: &&[u8]| coding.eq_ignore_ascii_case(b"chunked");
        let codings = || members(fields, "transfer-encoding");
        let ends = codings().last().is_some_and(|coding| is_chunked(&coding));
        match (codings().count(), codings().filter(is_chunked).count()) {
            (1, 1) => Ok(Self::Chunked),
            // Other codings are not supported.
            (1.., 0) => Err(Status::NotImplemented),
            (_, 1) if ends => Err(Status::NotImplemented),
            _ => Err(Status::BadRequest),
        }
    }
}

impl Body {
    /// The body to skip, if there is one, of at most the given number of bytes.
    pub(super) fn new(length: Length, room: usize) -> Result<Option<Self>, Status> {
        match length {
            Length::Known(0) => Ok(None),
            Length::Known(length) if length > room => Err(Status::ContentTooLarge),
            Length::Known(length) => Ok(Some(Self { stage: Stage::Plain(length), room })),
            Length::Chunked => Ok(Some(Self { stage: Stage::Size, room })),
        }
    }

    /// Skips the received part of it.
    pub(crate) fn pass(&mut self, input: &[u8]) -> Passed {
        let mut used = 0;
        loop {
            let rest = &input[used..];
            let step = match self.stage {
                Stage::Plain(left) | Stage::Chunk(left) => Ok(Some(left.min(rest.len()))),
                Stage::Size | Stage::ChunkEnd | Stage::Trailer => self.line(rest),
            };
            let length = match step {
                Ok(Some(length)) => length,
                Ok(None) => return Passed::More { used },
                Err(status) => return Passed::Refused(status),
            };
            used += length;
            self.room -= length;
            let line = &rest[..length];
            self.stage = match self.stage {
                Stage::Plain(left) if left == length => return Passed::Whole { used },
                Stage::Plain(left) => Stage::Plain(left - length),
                Stage::Chunk(left) if left == length => Stage::ChunkEnd,
                Stage::Chunk(left) => Stage::Chunk(left - length),
                Stage::Size => match size(line) {
                    Some(0) => Stage::Trailer,
                    Some(size) if size > self.room => return Passed::Refused(Status::ContentTooLarge),
                    Some(size) => Stage::Chunk(size),
                    None => return Passed::Refused(Status::BadRequest),
                },
                Stage::ChunkEnd if line == b"\r\n" => Stage::Size,
                Stage::Trailer if line == b"\r\n" => return Passed::Whole { used },
                Stage::Trailer if is_field(line) => Stage::Trailer,
                Stage::ChunkEnd | Stage::Trailer => return Passed::Refused(Status::BadRequest),
            };
            if matches!(self.stage, Stage::Plain(_) | Stage::Chunk(_)) && used == input.len() {
                return Passed::More { used };
            }
        }
    }

    /// The length of the line at the start, with its end, if it is complete.
    fn line(&self, input: &[u8]) -> Result<Option<usize>, Status> {
        let most = LONGEST_LINE.min(self.room);
        match memchr(b'\n', &input[..input.len().min(most)]) {
            Some(at) => Ok(Some(at + 1)),
            None if input.len() < most => Ok(None),
            None if most == LONGEST_LINE => Err(Status::BadRequest),
            None => Err(Status::ContentTooLarge),
        }
    }
}

/// The length of a chunk, from its line. Extensions after a semicolon are ignored.
fn size(line: &[u8]) -> Option<usize> {
    let line = line.strip_suffix(b"\r\n").filter(|line| is_text(line))?;
    let end = line.iter().position(|byte| !byte.is_ascii_hexdigit()).unwrap_or(line.len());
    let (digits, extension) = line.split_at(end);
    let is_good = extension.is_empty() || extension.trim_ascii_start().starts_with(b";");
    if digits.is_empty() || !is_good {
        return None;
    }
    let digits = std::str::from_utf8(digits).ok()?;
    // A number with too many digits is too long.
    Some(usize::from_str_radix(digits, 16).unwrap_or(usize::MAX))
}

/// Whether this line is a field.
fn is_field(line: &[u8]) -> bool {
    let Some(line) = line.strip_suffix(b"\r\n") else { return false };
    let Some(colon) = memchr(b':', line) else { return false };
    is_token(&line[..colon]) && is_text(&line[colon + 1..])
}

/// Whether it has no control characters except tabs.
fn is_text(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte == b'\t' || (byte >= b' ' && byte != 0x7f))
}
