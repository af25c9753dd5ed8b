//! The head of a request: its first line, and its fields.

use httparse::{EMPTY_HEADER, Error, Header};
use memchr::memchr;

use super::authority::is_authority;
use super::body::Length;
use super::target::target;
use crate::response::Status;

/// A request, without its body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request<'a> {
    pub(crate) method: Method,
    /// The path of its target, or `*` for the whole server. That of a CONNECT is empty.
    pub(crate) path: &'a str,
    /// Whether another request may follow.
    pub(crate) keeps_alive: bool,
    /// Whether it is one of HTTP/1.0.
    pub(crate) is_old: bool,
    /// Whether the client may wait for `100 Continue` before it sends the body.
    pub(crate) expects_continue: bool,
}

/// The method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Head,
    Options,
    /// A known method that is not supported here.
    Other,
    /// An unknown method.
    Unknown,
}

/// The maximal number of fields of a head.
const FIELDS: usize = 64;

/// Parses a complete head: the request, and the length of its body.
pub(super) fn parse(head: &[u8]) -> Result<(Request<'_>, Length), Status> {
    let end = memchr(b'\n', head).ok_or(Status::BadRequest)?;
    let line = head[..end].strip_suffix(b"\r").unwrap_or(&head[..end]);
    let mut words = line.split(|&byte| byte == b' ');
    let (Some(method), Some(address), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(Status::BadRequest);
    };
    if !is_token(method) {
        return Err(Status::BadRequest);
    }
    let is_old = match version {
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', minor] if minor.is_ascii_digit() => *minor == b'0',
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            return Err(Status::VersionNotSupported);
        }
        _ => return Err(Status::BadRequest),
    };
    let mut fields = [EMPTY_HEADER; FIELDS];
    let fields = match httparse::parse_headers(&head[end + 1..], &mut fields) {
        Ok(httparse::Status::Complete((length, fields))) if end + 1 + length == head.len() => fields,
        Err(Error::TooManyHeaders) => return Err(Status::HeadersTooLarge),
        _ => return Err(Status::BadRequest),
    };
    check_host(fields, is_old)?;
    let length = Length::of(fields, is_old)?;
    let path = target(method, address)?;
    let expects_continue = expects_continue(fields)? && !is_old;
    let method = match method {
        b"GET" => Method::Get,
        b"HEAD" => Method::Head,
        b"OPTIONS" => Method::Options,
        b"POST" | b"PUT" | b"DELETE" | b"PATCH" | b"TRACE" => Method::Other,
        _ => Method::Unknown,
    };
    let says =
        |option: &str| members(fields, "connection").any(|one| one.eq_ignore_ascii_case(option.as_bytes()));
    let keeps_alive = if is_old { says("keep-alive") && !says("close") } else { !says("close") };
    Ok((Request { method, path, keeps_alive, is_old, expects_continue }, length))
}

/// There must be exactly one host, and it must be valid. Only HTTP/1.0 may omit it.
fn check_host(fields: &[Header<'_>], is_old: bool) -> Result<(), Status> {
    let mut hosts = values(fields, "host");
    let is_good = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.is_empty() || is_authority(host),
        (None, _) => is_old,
        _ => false,
    };
    if is_good { Ok(()) } else { Err(Status::BadRequest) }
}

/// Whether the client waits for `100 Continue` before it sends the body. No other expectation is supported.
fn expects_continue(fields: &[Header<'_>]) -> Result<bool, Status> {
    let mut expected = members(fields, "expect").peekable();
    let any = expected.peek().is_some();
    let all = expected.all(|one| one.eq_ignore_ascii_case(b"100-continue"));
    if all { Ok(any) } else { Err(Status::ExpectationFailed) }
}

/// The values of the fields of this name.
pub(super) fn values<'a>(fields: &'a [Header<'a>], name: &'a str) -> impl Iterator<Item = &'a [u8]> + 'a {
    fields
        .iter()
        .filter(move |field| field.name.eq_ignore_ascii_case(name))
        .map(|field| field.value.trim_ascii())
}

/// The members of the lists in the fields of this name. Empty ones don't count.
pub(super) fn members<'a>(fields: &'a [Header<'a>], name: &'a str) -> impl Iterator<Item = &'a [u8]> + 'a {
    let members = values(fields, name).flat_map(|value| value.split(|&byte| byte == b','));
    members.map(<[u8]>::trim_ascii).filter(|member| !member.is_empty())
}

/// Whether this is a token, the syntax of method and field names.
pub(super) fn is_token(name: &[u8]) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !name.is_empty() && name.iter().all(is_part)
}
