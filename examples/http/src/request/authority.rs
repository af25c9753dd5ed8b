//! The host of a URI, with or without a port.

use std::net::Ipv6Addr;

/// Whether this is a host, optionally followed by a colon and a port, which may be empty.
pub(super) fn is_authority(authority: &[u8]) -> bool {
    split(authority).is_some_and(|(_, port)| port.is_none_or(|port| port.iter().all(u8::is_ascii_digit)))
}

/// The same with a mandatory port.
pub(super) fn has_port(authority: &[u8]) -> bool {
    is_authority(authority)
        && split(authority).is_some_and(|(_, port)| port.is_some_and(|port| !port.is_empty()))
}

/// The host, and the port if there is a colon. `None` if the host is invalid.
fn split(authority: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    let (host, rest) = match authority {
        [b'[', rest @ ..] => {
            let end = rest.iter().position(|&byte| byte == b']')?;
            is_literal(&rest[..end]).then_some(authority.split_at(end + 2))?
        }
        _ => {
            let end = authority.iter().position(|&byte| byte == b':').unwrap_or(authority.len());
            let (host, rest) = authority.split_at(end);
            (is_name(host) && !host.is_empty()).then_some((host, rest))?
        }
    };
    match rest {
        [] => Some((host, None)),
        [b':', port @ ..] => Some((host, Some(port))),
        _ => None,
    }
}

/// The contents of brackets: an IPv6 address, or a future version.
fn is_literal(literal: &[u8]) -> bool {
    match literal {
        [b'v' | b'V', rest @ ..] => rest.iter().position(|&byte| byte == b'.').is_some_and(|dot| {
            let (version, address) = (&rest[..dot], &rest[dot + 1..]);
            let is_part = |byte: &u8| is_plain(*byte) || *byte == b':';
            !version.is_empty()
                && version.iter().all(u8::is_ascii_hexdigit)
                && !address.is_empty()
                && address.iter().all(is_part)
        }),
        _ => std::str::from_utf8(literal).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok()),
    }
}

/// A name, or an IPv4 address.
fn is_name(mut name: &[u8]) -> bool {
    loop {
        name = match name {
            [] => return true,
            [b'%', high, low, rest @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => rest,
            [byte, rest @ ..] if is_plain(*byte) => rest,
            _ => return false,
        }
    }
}

/// Whether this byte is an unreserved character.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_may_have_a_port() {
        for (authority, is_good, with_port) in [
            ("a", true, false),
            ("a:", true, false),
            ("a.example:80", true, true),
            ("127.0.0.1:65536", true, true), // as far as the grammar goes
            ("a%2Fb_~!$&'()*+,;=", true, false),
            ("[::1]", true, false),
            ("[::1]:80", true, true),
            ("[v1.a:b]:80", true, true),
            ("", false, false),
            (":80", false, false),
            ("a:b", false, false),
            ("a:80:80", false, false),
            ("a:-1", false, false),
            ("::1", false, false),
            ("[::1", false, false),
            ("[::1]80", false, false),
            ("[1.2.3.4]", false, false),
            ("[v1.]", false, false),
            ("[v.a]", false, false),
            ("user@a", false, false),
            ("a/", false, false),
            ("a b", false, false),
            ("a%2", false, false),
            ("a%zz", false, false),
            ("ä", false, false),
        ] {
            assert_eq!(is_authority(authority.as_bytes()), is_good, "{authority}");
            assert_eq!(has_port(authority.as_bytes()), with_port, "{authority}");
        }
    }
}
