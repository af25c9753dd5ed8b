//! What a client asks for, found as it comes.

use httparse::{EMPTY_HEADER, Error, Header};
use memchr::memchr;

use crate::response::Status;

/// Finds requests. It remembers how far it has looked for the end of a head, which is then parsed once.
pub(crate) struct Requests {
    /// The longest request, in bytes, with its body.
    max: usize,
    /// How much of the unfinished head has no empty line in it.
    scanned: usize,
    /// How much of a body is still to be passed over.
    body: usize,
}

/// A request, without its body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request<'a> {
    pub(crate) method: Method,
    pub(crate) target: &'a str,
    /// Whether another request may follow.
    pub(crate) keeps_alive: bool,
    /// Whether it is one of HTTP/1.0.
    pub(crate) is_old: bool,
}

/// What is to be done with what the target names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Head,
    /// One that others have a use for.
    Other,
    Unknown,
}

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found<'a> {
    /// No whole head yet.
    More { used: usize },
    /// A request.
    Request { request: Request<'a>, used: usize },
    /// What can't be answered. What follows can't be understood for certain.
    Refused { status: Status, used: usize },
}

/// A head may have so many fields.
const FIELDS: usize = 64;

impl Requests {
    pub(crate) fn new(max: usize) -> Self {
        Self { max, scanned: 0, body: 0 }
    }

    /// Finds the request at the beginning of the input, behind the body of the one before and empty lines.
    pub(crate) fn next<'a>(&mut self, input: &'a [u8]) -> Found<'a> {
        let mut used = self.body.min(input.len());
        self.body -= used;
        // Some clients send a line end behind a body. Where a head has begun, there is none in front of it.
        while self.scanned == 0
            && let [b'\r', b'\n', ..] | [b'\n', ..] = input[used..]
        {
            used += if input[used] == b'\n' { 1 } else { 2 };
        }
        let head = &input[used..];
        let Some(end) = self.end_of_head(head) else {
            let is_too_long = head.len() >= self.max;
            let status = Status::HeadersTooLarge;
            return if is_too_long {
                Found::Refused { status, used: input.len() }
            } else {
                Found::More { used }
            };
        };
        self.scanned = 0;
        used += end;
        if end > self.max {
            return Found::Refused { status: Status::HeadersTooLarge, used };
        }
        match parse(&head[..end]) {
            Ok((_, length)) if length > self.max - end => {
                Found::Refused { status: Status::ContentTooLarge, used }
            }
            Ok((request, length)) => {
                self.body = length;
                Found::Request { request, used }
            }
            Err(status) => Found::Refused { status, used },
        }
    }

    /// Whether the rest of a body is still to come. Its request was answered.
    pub(crate) fn is_in_body(&self) -> bool {
        self.body > 0
    }

    /// Where the head ends: behind the first empty line.
    fn end_of_head(&mut self, head: &[u8]) -> Option<usize> {
        let mut from = self.scanned;
        while let Some(at) = memchr(b'\n', &head[from..]) {
            let behind = from + at + 1;
            match head[behind..] {
                [b'\n', ..] => return Some(behind + 1),
                [b'\r', b'\n', ..] => return Some(behind + 2),
                // Whether the next line is empty is not known yet: the line end is looked at again.
                [] | [b'\r'] => {
                    self.scanned = behind - 1;
                    return None;
                }
                _ => from = behind,
            }
        }
        self.scanned = head.len();
        None
    }
}

/// Parses a whole head: the request, and how long its body is.
fn parse(head: &[u8]) -> Result<(Request<'_>, usize), Status> {
    let mut fields = [EMPTY_HEADER; FIELDS];
    let mut parsed = httparse::Request::new(&mut fields);
    match parsed.parse(head) {
        Ok(httparse::Status::Complete(length)) if length == head.len() => {}
        Err(Error::TooManyHeaders) => return Err(Status::HeadersTooLarge),
        Err(Error::Version) => return Err(Status::VersionNotSupported),
        _ => return Err(Status::BadRequest),
    }
    let (Some(method), Some(target), Some(version)) = (parsed.method, parsed.path, parsed.version) else {
        return Err(Status::BadRequest);
    };
    let is_old = version == 0;
    let length = body(parsed.headers)?;
    if !is_old && values(parsed.headers, "host").count() != 1 {
        return Err(Status::BadRequest);
    }
    let says = |option: &str| {
        let mut options =
            values(parsed.headers, "connection").flat_map(|value| value.split(|&byte| byte == b','));
        options.any(|one| one.trim_ascii().eq_ignore_ascii_case(option.as_bytes()))
    };
    let method = match method {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" | "PUT" | "DELETE" | "PATCH" | "OPTIONS" | "TRACE" | "CONNECT" => Method::Other,
        _ => Method::Unknown,
    };
    let keeps_alive = if is_old { says("keep-alive") && !says("close") } else { !says("close") };
    Ok((Request { method, target, keeps_alive, is_old }, length))
}

/// How long the body is. Where two servers could read that differently, one of them could be made to take a body for
/// a request: so it has to be one number, said once, and nothing else.
fn body(fields: &[Header<'_>]) -> Result<usize, Status> {
    let encoded = values(fields, "transfer-encoding").next().is_some();
    let mut lengths = values(fields, "content-length");
    match (encoded, lengths.next(), lengths.next()) {
        (false, None, _) => Ok(0),
        (false, Some(length), None) => {
            let is_number = !length.is_empty() && length.iter().all(u8::is_ascii_digit);
            let number = std::str::from_utf8(length).ok().filter(|_| is_number).ok_or(Status::BadRequest)?;
            // What has more digits than any number is too long.
            Ok(number.parse().unwrap_or(usize::MAX))
        }
        (true, None, _) => Err(Status::NotImplemented),
        _ => Err(Status::BadRequest),
    }
}

fn values<'a>(fields: &'a [Header<'a>], name: &'a str) -> impl Iterator<Item = &'a [u8]> + 'a {
    fields.iter().filter(move |field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value)
}
