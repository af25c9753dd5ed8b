//! The target of a request, in its four forms.

use super::authority::{has_port, is_authority};
use crate::response::Status;

/// The path of the target of a request with this method: `*` if it is for the whole server, and empty if it is for
/// another server.
pub(super) fn target<'a>(method: &[u8], target: &'a [u8]) -> Result<&'a str, Status> {
    // Clients never send a fragment.
    let is_part = |byte: &u8| byte.is_ascii_graphic() && *byte != b'#';
    let text = std::str::from_utf8(target).ok().filter(|_| target.iter().all(is_part));
    let text = text.ok_or(Status::BadRequest)?;
    match (method, target) {
        (b"CONNECT", _) if has_port(target) => Ok(""),
        (b"CONNECT", _) => Err(Status::BadRequest),
        (_, [b'/', ..]) => Ok(path(text)),
        (b"OPTIONS", b"*") => Ok(text),
        _ => absolute(text, method == b"OPTIONS"),
    }
}

/// The path of a target that begins with a scheme and the server's name.
fn absolute(target: &str, of_server: bool) -> Result<&str, Status> {
    let (scheme, rest) = target.split_once("://").ok_or(Status::BadRequest)?;
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    if !scheme.starts_with(|first: char| first.is_ascii_alphabetic()) || !scheme.bytes().all(is_part) {
        return Err(Status::BadRequest);
    }
    let (authority, behind) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    if !is_authority(authority.as_bytes()) {
        return Err(Status::BadRequest);
    }
    if !scheme.eq_ignore_ascii_case("http") {
        return Err(Status::Misdirected);
    }
    match behind {
        "" if of_server => Ok("*"), // as the last of several proxies would have written it
        behind if behind.starts_with('/') => Ok(path(behind)),
        _ => Ok("/"),
    }
}

/// The part before the query.
fn path(target: &str) -> &str {
    target.split_once('?').map_or(target, |(path, _)| path)
}
