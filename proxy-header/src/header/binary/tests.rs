use super::*;

/// A header with this command and family, and with the given bytes after them.
fn header(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [SIGNATURE, &[command, family], &length, rest].concat()
}

fn field(kind: u8, value: &[u8]) -> Vec<u8> {
    [&[kind][..], &u16::try_from(value.len()).unwrap().to_be_bytes(), value].concat()
}

const V4: [u8; 12] = [192, 0, 2, 7, 198, 51, 100, 1, 0x12, 0x67, 0x01, 0xbb];

fn with_fields(fields: &[Vec<u8>]) -> Vec<u8> {
    header(0x21, 0x11, &[&V4[..], &fields.concat()].concat())
}

fn addresses(input: &[u8]) -> Endpoints {
    Header::parse(input).unwrap().unwrap().addresses
}

fn error(input: &[u8]) -> String {
    Header::parse(input).unwrap_err().to_string()
}

#[test]
fn the_addresses_of_tcp_are_parsed() {
    let expected = ("192.0.2.7:4711".parse().unwrap(), "198.51.100.1:443".parse().unwrap());
    assert_eq!(addresses(&header(0x21, 0x11, &V4)), Some(expected));
    let v6 = [Ipv6Addr::LOCALHOST.octets(), Ipv6Addr::UNSPECIFIED.octets()].concat();
    let v6 = [&v6[..], &[0, 1, 0, 2]].concat();
    let expected = ("[::1]:1".parse().unwrap(), "[::]:2".parse().unwrap());
    assert_eq!(addresses(&header(0x21, 0x21, &v6)), Some(expected));
}

#[test]
fn without_tcp_the_addresses_of_the_connection_are_right() {
    let long = [0; 216];
    for family in [0x00, 0x01, 0x02, 0x10, 0x12, 0x20, 0x22, 0x30, 0x31, 0x32] {
        assert_eq!(addresses(&header(0x21, family, &long)), None, "{family:x}");
    }
    // A proxy that speaks for itself may send anything.
    for (family, rest) in [(0x00, &[][..]), (0x11, &V4), (0xff, &[1, 2]), (0x11, &[])] {
        assert_eq!(addresses(&header(0x20, family, rest)), None);
    }
}

#[test]
fn every_start_of_a_header_is_incomplete() {
    let input = with_fields(&[field(0x04, b"padding")]);
    for end in 0..input.len() {
        assert_eq!(Header::parse(&input[..end]), Ok(None), "{end}");
    }
    let input = [&input[..], b"hello\n"].concat();
    assert_eq!(&input[Header::parse(&input).unwrap().unwrap().length..], b"hello\n");
}

#[test]
fn an_invalid_start_is_an_error() {
    for (command, family, expected) in [
        (0x11, 0x11, "the version is not 2"),
        (0x22, 0x11, "the command is neither LOCAL nor PROXY"),
        (0x2f, 0x11, "the command is neither LOCAL nor PROXY"),
        (0x21, 0x41, "the address family or the transport is unknown"),
        (0x21, 0x13, "the address family or the transport is unknown"),
        (0x21, 0x21, "it is shorter than its addresses"),
        (0x21, 0x32, "it is shorter than its addresses"),
    ] {
        let error = error(&header(command, family, &V4));
        assert_eq!(error, format!("PROXY header: {expected}"));
    }
    assert!(Header::parse(&header(0x21, 0x11, &V4[1..])).is_err());
    let mut input = header(0x21, 0x11, &V4);
    input[11] = b'\r'; // not the signature
    assert_eq!(error(&input), "PROXY header: there is none");
}

#[test]
fn a_header_has_a_maximum_length() {
    for (length, is_accepted) in [(MAX_LENGTH - 1, true), (MAX_LENGTH, true), (MAX_LENGTH + 1, false)] {
        let input = with_fields(&[field(0x04, &vec![0; length - START - V4.len() - 3])]);
        assert_eq!(input.len(), length);
        assert_eq!(Header::parse(&input).is_ok(), is_accepted, "{length}");
        // That is known before all of it has arrived.
        assert_eq!(Header::parse(&input[..START]).is_ok(), is_accepted, "{length}");
    }
}

#[test]
fn what_the_proxy_knows_by_tls_is_parsed() {
    let name = [field(0x01, b"h2"), field(0x02, b"example.org")];
    let about_tls = |flags| field(0x20, &[&[flags, 0, 0, 0, 0][..], &field(0x21, b"TLSv1.3")].concat());
    let parsed = |fields: &[Vec<u8>]| Header::parse(&with_fields(fields)).unwrap().unwrap().tls;
    let tls = parsed(&[&name[..], &[about_tls(1)]].concat()).unwrap();
    assert_eq!(tls.server_name.as_deref(), Some("example.org"));
    assert_eq!(tls.alpn.as_deref(), Some(&b"h2"[..]));
    assert_eq!(parsed(&name), None, "the client does not speak TLS");
    assert_eq!(parsed(&[&name[..], &[about_tls(0)]].concat()), None);
    assert_eq!(parsed(&[field(0xe0, b"custom"), field(0x30, b"namespace")]), None);
}

#[test]
fn an_invalid_field_is_an_error() {
    for (fields, expected) in [
        (vec![vec![4]], "a field is longer than the header"),
        (vec![vec![4, 0]], "a field is longer than the header"),
        (vec![vec![4, 0, 1]], "a field is longer than the header"),
        (vec![field(4, b"x"), vec![4, 0xff, 0xff, 0]], "a field is longer than the header"),
        (vec![field(2, b"\xff")], "the server name is no UTF-8"),
        (vec![field(5, &[b'x'; 129])], "the unique identifier is longer than 128 bytes"),
        (vec![field(0x20, &[1, 0, 0, 0])], "the field about TLS is too short"),
        (vec![field(0x20, &[1, 0, 0, 0, 0, 0x21, 0, 9])], "a field is longer than the header"),
        (vec![field(3, b"abc")], "the checksum has not 4 bytes"),
        (vec![field(3, b"abcd")], "the checksum is wrong"),
    ] {
        assert_eq!(error(&with_fields(&fields)), format!("PROXY header: {expected}"));
    }
    assert!(Header::parse(&with_fields(&[field(5, &[b'x'; 128])])).is_ok());
}

#[test]
fn a_checksum_protects_the_whole_header() {
    let fields = [field(0x04, b"before"), field(0x03, &[0; 4]), field(0x02, b"after")];
    let mut input = with_fields(&fields);
    let at = START + V4.len() + fields[0].len() + 3;
    // Bit by bit, as the specification of the checksum has it.
    let crc = input.iter().fold(!0_u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg()))
    });
    input[at..at + 4].copy_from_slice(&(!crc).to_be_bytes());
    assert!(Header::parse(&input).is_ok());
    for index in START..input.len() {
        let mut changed = input.clone();
        changed[index] ^= 1;
        assert!(Header::parse(&changed).is_err(), "byte {index}");
    }
}
