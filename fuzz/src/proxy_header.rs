//! The parser of PROXY headers, and that of the networks which may send them.

use std::net::SocketAddr;

use proxy_header::{Header, InvalidHeader, MAX_LENGTH, MAX_LINE, Proxies, is_header};

/// The header at the start of any bytes, which must not depend on how much of them has arrived.
pub fn proxy_header(data: &[u8]) {
    let whole = Header::parse(data);
    let short = data.len().min(MAX_LENGTH + 1);
    // Each start of a header that is short, and some of one that is long.
    for end in (0..short).step_by(1 + short / 256) {
        match (Header::parse(&data[..end]), &whole) {
            (Ok(None), _) => {}
            (Ok(Some(header)), Ok(Some(expected))) => assert_eq!(&header, expected),
            (Err(_), Err(_)) => {}
            (part, _) => panic!("{part:?} of {end} bytes, {whole:?} of all"),
        }
    }
    match whole {
        Ok(Some(header)) => is_right(&header, data),
        Ok(None) => assert!(data.len() < MAX_LENGTH, "more is awaited after {} bytes", data.len()),
        Err(error) => is_explained(error),
    }
    if let Ok(proxies) = String::from_utf8_lossy(data).parse::<Proxies>() {
        assert_eq!(proxies.to_string().parse(), Ok(proxies));
    }
}

/// A header is written again, and must be what was parsed.
fn is_right(header: &Header, data: &[u8]) {
    assert!(is_header(data) && header.length <= data.len());
    let parsed = &data[..header.length];
    let is_text = data.starts_with(b"PROXY ");
    assert!(header.length <= if is_text { MAX_LINE } else { MAX_LENGTH });
    match header.addresses {
        Some((SocketAddr::V4(source), SocketAddr::V4(destination))) if is_text => {
            let (from, to) = (source.ip(), destination.ip());
            let line = format!("PROXY TCP4 {from} {to} {} {}\r\n", source.port(), destination.port());
            assert_eq!(parsed, line.as_bytes());
        }
        Some((SocketAddr::V6(source), SocketAddr::V6(destination))) if is_text => {
            let line = String::from_utf8_lossy(parsed);
            let words: Vec<_> = line.trim_end_matches("\r\n").split(' ').collect();
            let (ports, expected) =
                (&words[4..], [source.port().to_string(), destination.port().to_string()]);
            assert_eq!(ports, expected);
            assert_eq!((words[2].parse(), words[3].parse()), (Ok(*source.ip()), Ok(*destination.ip())));
        }
        None if is_text => assert!(parsed.starts_with(b"PROXY UNKNOWN") && parsed.ends_with(b"\r\n")),
        Some((SocketAddr::V4(source), SocketAddr::V4(destination))) => {
            let addresses = [source.ip().octets(), destination.ip().octets()].concat();
            is_block(parsed, 0x11, &addresses, [source.port(), destination.port()]);
        }
        Some((SocketAddr::V6(source), SocketAddr::V6(destination))) => {
            let addresses = [source.ip().octets(), destination.ip().octets()].concat();
            is_block(parsed, 0x21, &addresses, [source.port(), destination.port()]);
        }
        Some(mixed) => panic!("addresses of two families: {mixed:?}"),
        None => assert_eq!(parsed[12] >> 4, 2),
    }
}

/// A header of version 2 has these addresses and ports.
fn is_block(parsed: &[u8], family: u8, addresses: &[u8], ports: [u16; 2]) {
    assert_eq!(parsed[12..14], [0x21, family]);
    let ports = ports.map(u16::to_be_bytes).concat();
    assert!(parsed[16..].starts_with(&[addresses, &ports].concat()));
}

/// An error is one line of text.
fn is_explained(error: InvalidHeader) {
    assert!(error.to_string().starts_with("PROXY header: "));
}
