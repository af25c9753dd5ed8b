//! Version 1, a line of text.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use super::{Header, InvalidHeader, MAX_LINE};

/// What a header begins with.
pub(super) const SIGNATURE: &[u8] = b"PROXY ";

/// Parses a header, of which `input` has the signature at least.
pub(super) fn parse(input: &[u8]) -> Result<Option<Header>, InvalidHeader> {
    let Some(end) = input.iter().take(MAX_LINE).position(|&byte| byte == b'\n') else {
        return if input.len() < MAX_LINE { Ok(None) } else { Err(InvalidHeader("the line is too long")) };
    };
    // A line that ends otherwise may be one for the sender, and not for the receiver.
    let Some(line) = input[..end].strip_suffix(b"\r") else {
        return Err(InvalidHeader("the line does not end with CR and LF"));
    };
    let addresses = addresses(&line[SIGNATURE.len()..])?;
    Ok(Some(Header { addresses, tls: None, length: end + 1 }))
}

/// Parses what follows the signature.
fn addresses(text: &[u8]) -> Result<Option<(SocketAddr, SocketAddr)>, InvalidHeader> {
    let mut words = text.split(|&byte| byte == b' ');
    match words.next() {
        Some(b"UNKNOWN") => Ok(None), // what follows is to be ignored
        Some(b"TCP4") => endpoints::<Ipv4Addr>(words).map(Some),
        Some(b"TCP6") => endpoints::<Ipv6Addr>(words).map(Some),
        _ => Err(InvalidHeader("the protocol is none of TCP4, TCP6 and UNKNOWN")),
    }
}

fn endpoints<'a, A: FromStr + Into<IpAddr>>(
    mut words: impl Iterator<Item = &'a [u8]>,
) -> Result<(SocketAddr, SocketAddr), InvalidHeader> {
    let mut address = || words.next().and_then(parsed::<A>).ok_or(InvalidHeader("an address is invalid"));
    let (source, destination) = (address()?.into(), address()?.into());
    let mut port = || words.next().and_then(port).ok_or(InvalidHeader("a port is invalid"));
    let (source_port, destination_port) = (port()?, port()?);
    match words.next() {
        None => Ok((SocketAddr::new(source, source_port), SocketAddr::new(destination, destination_port))),
        Some(_) => Err(InvalidHeader("there is more than two addresses and two ports")),
    }
}

fn parsed<T: FromStr>(word: &[u8]) -> Option<T> {
    str::from_utf8(word).ok()?.parse().ok()
}

/// A decimal number without a sign or leading zeros.
fn port(word: &[u8]) -> Option<u16> {
    match word {
        [b'0', _, ..] => None,
        _ if word.iter().all(u8::is_ascii_digit) => parsed(word),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(input: &str) -> Result<Option<Header>, InvalidHeader> {
        Header::parse(input.as_bytes())
    }

    #[test]
    fn the_addresses_of_a_line_are_parsed() {
        for (line, source, destination) in [
            ("TCP4 255.255.255.255 0.0.0.0 65535 0", "255.255.255.255:65535", "0.0.0.0:0"),
            ("TCP6 2001:DB8::1 ::1 1 2", "[2001:db8::1]:1", "[::1]:2"),
            ("TCP6 ::ffff:192.0.2.7 :: 1 2", "[::ffff:192.0.2.7]:1", "[::]:2"),
        ] {
            let input = format!("PROXY {line}\r\nhello\n");
            let header = parse(&input).unwrap().unwrap();
            assert_eq!(header.addresses, Some((source.parse().unwrap(), destination.parse().unwrap())));
            assert_eq!(&input[header.length..], "hello\n");
        }
    }

    #[test]
    fn what_follows_unknown_is_ignored() {
        let long = format!("PROXY UNKNOWN {}\r\n", "f".repeat(MAX_LINE - 16));
        assert_eq!(long.len(), MAX_LINE);
        for line in ["PROXY UNKNOWN\r\n", "PROXY UNKNOWN \r\r\n", "PROXY UNKNOWN ::1 x\r\n", &long] {
            let expected = Header { addresses: None, tls: None, length: line.len() };
            assert_eq!(parse(line), Ok(Some(expected)), "{line}");
        }
    }

    #[test]
    fn a_line_has_a_maximum_length() {
        for (length, is_accepted) in [(MAX_LINE - 1, true), (MAX_LINE, true), (MAX_LINE + 1, false)] {
            let line = format!("PROXY UNKNOWN {}\r\n", "f".repeat(length - 16));
            assert_eq!(parse(&line).is_ok(), is_accepted, "{length}");
        }
        // More input is awaited only while it can help.
        assert_eq!(parse(&format!("PROXY {}", "f".repeat(MAX_LINE - 7))), Ok(None));
        assert!(parse(&format!("PROXY {}", "f".repeat(MAX_LINE - 6))).is_err());
    }

    #[test]
    fn every_start_of_a_line_is_incomplete() {
        let line = "PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n";
        for end in 0..line.len() {
            assert_eq!(parse(&line[..end]), Ok(None), "{}", &line[..end]);
        }
    }

    #[test]
    fn an_invalid_line_is_an_error() {
        for line in [
            "GET / HTTP/1.1\r\n",
            "proxy TCP4 192.0.2.7 192.0.2.8 1 2\r\n",
            "PROXY\tTCP4 192.0.2.7 192.0.2.8 1 2\r\n",
            "PROXY  TCP4 192.0.2.7 192.0.2.8 1 2\r\n",
            "PROXY TCP4  192.0.2.7 192.0.2.8 1 2\r\n",
            "PROXY tcp4 192.0.2.7 192.0.2.8 1 2\r\n",
            "PROXY UDP4 192.0.2.7 192.0.2.8 1 2\r\n",
            "PROXY UNKNOWNS\r\n",
            "PROXY \r\n",
            "PROXY TCP4\r\n",
            "PROXY TCP4 192.0.2.7 192.0.2.8 1\r\n",
            "PROXY TCP4 192.0.2.7 192.0.2.8 1 2 \r\n",
            "PROXY TCP4 192.0.2.7 192.0.2.8 1 2 3\r\n",
            "PROXY TCP4 192.0.2.7 192.0.2.8 1 2\n",
            "PROXY TCP4 192.0.2.7 192.0.2.8 1 2\rx\n",
            "PROXY TCP4 192.0.2.7 192.0.2.8 1 65536\r\n",
            "PROXY TCP4 192.0.2.7 192.0.2.8 01 2\r\n",
            "PROXY TCP4 192.0.2.7 192.0.2.8 +1 2\r\n",
            "PROXY TCP4 192.0.2.7 192.0.2.8 -1 2\r\n",
            "PROXY TCP4 192.0.2.07 192.0.2.8 1 2\r\n",
            "PROXY TCP4 192.0.2.256 192.0.2.8 1 2\r\n",
            "PROXY TCP4 192.0.2 192.0.2.8 1 2\r\n",
            "PROXY TCP4 ::1 ::1 1 2\r\n",
            "PROXY TCP6 192.0.2.7 192.0.2.8 1 2\r\n",
            "PROXY TCP6 ::1%lo ::1 1 2\r\n",
            "PROXY TCP6 [::1] ::1 1 2\r\n",
            "PROXY TCP6 ::1::2 ::1 1 2\r\n",
        ] {
            assert!(parse(line).is_err(), "{line:?}");
        }
    }
}
