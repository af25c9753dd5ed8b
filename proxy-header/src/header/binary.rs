//! Version 2, in binary.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use common::TlsInfo;
use crc::{CRC_32_ISCSI, Crc};

use super::{Header, InvalidHeader, MAX_LENGTH};

/// What a header begins with.
pub(super) const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// The length of what precedes the addresses: the signature, version and command, family and transport, and the length
/// of the rest.
const START: usize = SIGNATURE.len() + 4;

/// The longest unique identifier that a proxy may send, in bytes.
const MAX_UNIQUE_ID: usize = 128;

/// CRC32c, by which a proxy may protect its header.
const CRC32C: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

/// Parses a header, of which `input` has the signature at least.
pub(super) fn parse(input: &[u8]) -> Result<Option<Header>, InvalidHeader> {
    let Some(start) = input.first_chunk::<START>() else { return Ok(None) };
    let [.., command, family, high, low] = *start;
    let length = START + usize::from(u16::from_be_bytes([high, low]));
    let is_local = match command {
        0x20 => true,
        0x21 => false,
        _ if command >> 4 != 2 => return Err(InvalidHeader("the version is not 2")),
        _ => return Err(InvalidHeader("the command is neither LOCAL nor PROXY")),
    };
    if length > MAX_LENGTH {
        return Err(InvalidHeader("it is too long"));
    }
    let Some(header) = input.get(..length) else { return Ok(None) };
    // The proxy speaks for itself: all else is to be ignored.
    if is_local {
        return Ok(Some(Header { addresses: None, tls: None, length }));
    }
    let (addresses, size) = addresses(family, &header[START..])?;
    let tls = match size {
        Some(size) => fields(header, START + size)?,
        None => None, // where the addresses end is not known
    };
    Ok(Some(Header { addresses, tls: tls.map(Arc::new), length }))
}

type Endpoints = Option<(SocketAddr, SocketAddr)>;

/// Parses the addresses, unless they are not those of TCP. Returns their length as well, if it is known.
fn addresses(family: u8, block: &[u8]) -> Result<(Endpoints, Option<usize>), InvalidHeader> {
    let size = match family {
        0x00 => Some(0),
        0x11 | 0x12 => Some(12),
        0x21 | 0x22 => Some(36),
        0x31 | 0x32 => Some(216),
        _ if family >> 4 <= 3 && family & 0xf <= 2 => None,
        _ => return Err(InvalidHeader("the address family or the transport is unknown")),
    };
    if size.is_some_and(|size| block.len() < size) {
        return Err(InvalidHeader("it is shorter than its addresses"));
    }
    let endpoints = match family {
        0x11 => endpoints(block, |octets: [u8; 4]| Ipv4Addr::from(octets)),
        0x21 => endpoints(block, |octets: [u8; 16]| Ipv6Addr::from(octets)),
        _ => None,
    };
    Ok((endpoints, size))
}

fn endpoints<const N: usize, A: Into<std::net::IpAddr>>(
    block: &[u8],
    address: fn([u8; N]) -> A,
) -> Endpoints {
    let (source, rest) = block.split_first_chunk::<N>()?;
    let (destination, rest) = rest.split_first_chunk::<N>()?;
    let (source_port, rest) = rest.split_first_chunk::<2>()?;
    let (destination_port, _) = rest.split_first_chunk::<2>()?;
    let endpoint =
        |octets: [u8; N], port: [u8; 2]| SocketAddr::new(address(octets).into(), u16::from_be_bytes(port));
    Some((endpoint(*source, *source_port), endpoint(*destination, *destination_port)))
}

/// Parses the fields after the addresses, which begin at `start` of the header. Fields of other types are ignored.
fn fields(header: &[u8], start: usize) -> Result<Option<TlsInfo>, InvalidHeader> {
    let (mut tls, mut is_tls) = (TlsInfo::default(), false);
    let mut rest = &header[start..];
    while !rest.is_empty() {
        let (kind, value) = field(&mut rest)?;
        match kind {
            0x01 => tls.alpn = Some(value.to_vec()),
            0x02 => {
                let name = str::from_utf8(value).map_err(|_| InvalidHeader("the server name is no UTF-8"))?;
                tls.server_name = Some(name.to_owned());
            }
            0x03 => {
                let end = header.len() - rest.len();
                check(header, end - value.len()..end)?;
            }
            0x05 if value.len() > MAX_UNIQUE_ID => {
                return Err(InvalidHeader("the unique identifier is longer than 128 bytes"));
            }
            0x20 => is_tls = is_tls_field(value)?,
            _ => {}
        }
    }
    Ok(is_tls.then_some(tls))
}

/// Takes a field off `rest`: its type and its value.
fn field<'a>(rest: &mut &'a [u8]) -> Result<(u8, &'a [u8]), InvalidHeader> {
    let split = rest.split_first_chunk::<3>().and_then(|([kind, high, low], rest)| {
        let (value, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([*high, *low])))?;
        Some((*kind, value, rest))
    });
    let (kind, value, after) = split.ok_or(InvalidHeader("a field is longer than the header"))?;
    *rest = after;
    Ok((kind, value))
}

/// Whether a field about TLS says that the client speaks it: flags, the result of verifying the client's certificate, and
/// fields of its own.
fn is_tls_field(value: &[u8]) -> Result<bool, InvalidHeader> {
    let ([flags, ..], mut fields) =
        value.split_first_chunk::<5>().ok_or(InvalidHeader("the field about TLS is too short"))?;
    while !fields.is_empty() {
        field(&mut fields)?;
    }
    Ok(flags & 1 != 0)
}

/// Checks the checksum at a place of the header, which was computed with zeros there.
fn check(header: &[u8], place: std::ops::Range<usize>) -> Result<(), InvalidHeader> {
    let expected = header[place.clone()].try_into().map(u32::from_be_bytes);
    let expected = expected.map_err(|_| InvalidHeader("the checksum has not 4 bytes"))?;
    let mut digest = CRC32C.digest();
    digest.update(&header[..place.start]);
    digest.update(&[0; 4]);
    digest.update(&header[place.end..]);
    if digest.finalize() == expected { Ok(()) } else { Err(InvalidHeader("the checksum is wrong")) }
}

#[cfg(test)]
mod tests;
