//! `http`: responses of HTTP/1.1.

use std::ops::Range;

use httparse::{EMPTY_HEADER, Header, Response, Status, parse_chunk_size};
use memchr::{memchr, memmem};

use super::{Found, Kind};

/// A parser of responses. It remembers its position, so that no byte is scanned twice.
pub(crate) struct Http {
    /// The longest response, in bytes, with its head.
    max: usize,
    part: Part,
}

/// The part of a response that is expected next.
#[derive(Clone, Copy)]
enum Part {
    /// The head; this many of its bytes are known to contain no empty line.
    Head { scanned: usize },
    /// A body that ends at this position.
    Body { head: Head, end: usize },
    /// A body that ends when the connection does.
    ToTheEnd { head: Head },
    /// A chunk whose size is at this position.
    Chunk { head: Head, at: usize },
    /// The trailer fields; the next one is at this position.
    Trailer { head: Head, at: usize },
}

/// The parsed contents of a head.
#[derive(Clone, Copy)]
struct Head {
    /// Where it ends.
    end: usize,
    kind: Kind,
    is_last: bool,
}

/// How a body ends.
enum Length {
    None,
    Known(usize),
    Chunks,
    ToTheEnd,
}

/// The longest head, in bytes.
const LONGEST_HEAD: usize = 64 * 1024;

/// The most fields of a head.
const MOST_FIELDS: usize = 100;

/// The longest line with a chunk's size, and the longest field of a trailer, in bytes with their end.
const LONGEST_LINE: usize = 8 * 1024;

impl Http {
    /// A parser for responses of at most `max` bytes.
    pub(super) fn new(max: usize) -> Self {
        Self { max, part: Part::Head { scanned: 0 } }
    }

    /// The kind of a response.
    pub(super) fn kind(response: &[u8]) -> Kind {
        let mut fields = [EMPTY_HEADER; MOST_FIELDS];
        let mut head = Response::new(&mut fields);
        match head.parse(response) {
            Ok(_) => kind_of(head.code.unwrap_or_default(), is_last(&head)),
            Err(_) => Kind::Answer,
        }
    }

    /// Finds the response at the beginning of the input. `without_body` is whether the request was `HEAD`.
    pub(super) fn find(&mut self, input: &[u8], without_body: bool) -> Found {
        loop {
            self.part = match self.next(input, without_body) {
                Ok(Next::Part(part)) => part,
                Ok(Next::More) if input.len() > self.max => return Found::Broken(self.too_long()),
                Ok(Next::More) => return Found::More,
                Ok(Next::Interim(used)) => {
                    self.part = Part::Head { scanned: 0 };
                    return Found::Skipped(used);
                }
                Ok(Next::Whole(head, used)) if used <= self.max => {
                    return self.whole(head, head.end..used, used);
                }
                Ok(Next::Whole(..)) => return Found::Broken(self.too_long()),
                Err(why) => return Found::Broken(why),
            }
        }
    }

    /// Like [`find`](Self::find), when the connection has ended.
    pub(super) fn finish(&mut self, input: &[u8]) -> Found {
        match self.part {
            Part::ToTheEnd { head } => self.whole(head, head.end..input.len(), input.len()),
            _ => Found::More,
        }
    }

    fn whole(&mut self, head: Head, content: Range<usize>, used: usize) -> Found {
        self.part = Part::Head { scanned: 0 };
        Found::Reply { whole: 0..used, content, used, kind: head.kind, is_last: head.is_last }
    }

    /// Parses the current part, if it is complete.
    fn next(&mut self, input: &[u8], without_body: bool) -> Result<Next, String> {
        match self.part {
            Part::Head { scanned } => self.head(input, scanned, without_body),
            Part::Body { head, end } if input.len() >= end => Ok(Next::Whole(head, end)),
            Part::Body { .. } | Part::ToTheEnd { .. } => Ok(Next::More),
            Part::Chunk { head, at } => self.chunk(input, head, at),
            Part::Trailer { head, at } => match line(input, at)? {
                None => Ok(Next::More),
                Some(end) if matches!(input[at..end], [b'\n'] | [b'\r', b'\n']) => Ok(Next::Whole(head, end)),
                Some(end) => Ok(Next::Part(Part::Trailer { head, at: end })),
            },
        }
    }

    fn head(&mut self, input: &[u8], scanned: usize, without_body: bool) -> Result<Next, String> {
        // Reported before the head is complete. The parser of heads would accept empty lines before a response.
        if !b"HTTP/".starts_with(&input[..input.len().min(5)]) {
            return Err("it does not begin with `HTTP/`".to_owned());
        }
        // The end may have begun within the scanned bytes.
        let from = scanned.saturating_sub(3);
        let end = memmem::find(&input[from..], b"\r\n\r\n").map(|at| from + at + 4);
        if end.unwrap_or(input.len()) > LONGEST_HEAD {
            return Err(format!("the head of a response has more than {LONGEST_HEAD} bytes"));
        }
        let Some(end) = end else {
            self.part = Part::Head { scanned: input.len() };
            return Ok(Next::More);
        };
        let mut fields = [EMPTY_HEADER; MOST_FIELDS];
        let mut response = Response::new(&mut fields);
        match response.parse(&input[..end]) {
            Ok(Status::Complete(_)) => {}
            Ok(Status::Partial) => return Err("the head of a response has no end".to_owned()),
            Err(httparse::Error::TooManyHeaders) => {
                return Err(format!("the head of a response has more than {MOST_FIELDS} fields"));
            }
            Err(error) => return Err(format!("the head of a response can't be read: {error}")),
        }
        let code = response.code.unwrap_or_default();
        if (100..200).contains(&code) && code != 101 {
            return Ok(Next::Interim(end));
        }
        let length =
            if without_body || matches!(code, 204 | 304) { Length::None } else { length(&response)? };
        let is_last = is_last(&response) || matches!(length, Length::ToTheEnd);
        let head = Head { end, kind: kind_of(code, is_last), is_last };
        Ok(match length {
            Length::None => Next::Whole(head, end),
            Length::Known(length) if length > self.max - end.min(self.max) => return Err(self.too_long()),
            Length::Known(length) => Next::Part(Part::Body { head, end: end + length }),
            Length::Chunks => Next::Part(Part::Chunk { head, at: end }),
            Length::ToTheEnd => Next::Part(Part::ToTheEnd { head }),
        })
    }

    fn chunk(&self, input: &[u8], head: Head, at: usize) -> Result<Next, String> {
        let Some(line_end) = line(input, at)? else { return Ok(Next::More) };
        let size = match parse_chunk_size(&input[at..line_end]) {
            Ok(Status::Complete((_, size))) => size,
            Ok(Status::Partial) | Err(_) => {
                let line = &input[at..line_end];
                return Err(format!("`{}` is no size of a chunk", line[..line.len().min(20)].escape_ascii()));
            }
        };
        if size == 0 {
            return Ok(Next::Part(Part::Trailer { head, at: line_end }));
        }
        let Some(size) = usize::try_from(size).ok().filter(|&size| size <= self.max) else {
            return Err(self.too_long());
        };
        let end = line_end + size;
        match input.get(end..end + 2) {
            None => Ok(Next::More),
            Some(b"\r\n") => Ok(Next::Part(Part::Chunk { head, at: end + 2 })),
            Some(_) => Err(format!("a chunk of {size} bytes does not end where it should")),
        }
    }

    fn too_long(&self) -> String {
        format!("a response has more than {} bytes", self.max)
    }
}

/// What comes after a part.
enum Next {
    More,
    Part(Part),
    /// An interim response (1xx) of this many bytes.
    Interim(usize),
    /// The response ends at this position.
    Whole(Head, usize),
}

/// The end of the line that begins at this position, if it is complete.
fn line(input: &[u8], at: usize) -> Result<Option<usize>, String> {
    let rest = &input[at..];
    let end = memchr(b'\n', &rest[..rest.len().min(LONGEST_LINE)]);
    if end.is_none() && rest.len() >= LONGEST_LINE {
        return Err(format!("a line of a body in chunks has more than {LONGEST_LINE} bytes"));
    }
    Ok(end.map(|end| at + end + 1))
}

/// How the body of a response ends.
fn length(response: &Response<'_, '_>) -> Result<Length, String> {
    let codings: Vec<_> = values(response, "transfer-encoding").collect();
    if let Some(last) = codings.last() {
        return match last.eq_ignore_ascii_case(b"chunked") {
            true => Ok(Length::Chunks),
            false => Ok(Length::ToTheEnd),
        };
    }
    let mut length = Length::ToTheEnd;
    for value in values(response, "content-length") {
        let digits =
            std::str::from_utf8(value).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        match (digits.and_then(|digits| digits.parse().ok()), &length) {
            (Some(known), Length::Known(other)) if known == *other => {}
            (Some(known), Length::ToTheEnd) => length = Length::Known(known),
            _ => return Err(format!("`{}` is no length of a body", value.escape_ascii())),
        }
    }
    Ok(length)
}

/// Whether the server closes the connection after this response.
fn is_last(response: &Response<'_, '_>) -> bool {
    let says = |word: &[u8]| values(response, "connection").any(|value| value.eq_ignore_ascii_case(word));
    says(b"close") || response.version == Some(0) && !says(b"keep-alive") || response.code == Some(101)
}

/// The values of a field that may have several, separated by commas.
fn values<'a>(response: &'a Response<'_, '_>, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
    let of_name = move |field: &&Header<'_>| field.name.eq_ignore_ascii_case(name);
    let fields = response.headers.iter().filter(of_name);
    fields.flat_map(|field| field.value.split(|&byte| byte == b',')).map(<[u8]>::trim_ascii)
}

/// The kind of a response with this status. If a server that is too busy or has timed out closes the connection, it has
/// refused the connection.
fn kind_of(code: u16, is_last: bool) -> Kind {
    match code {
        408 | 503 if is_last => Kind::Farewell,
        400.. => Kind::Refusal,
        _ => Kind::Answer,
    }
}

#[cfg(test)]
mod tests;
