//! The HTTP responder: any bytes, and well-formed requests.

use std::sync::Arc;

use anyloop::{CloseReason, Limits, Service};
use anyloop_cli::LoadFraming;
use arbitrary::{Result, Unstructured};

use crate::pieces::{Cuts, Heard, converse};

/// Requests to the responder. There is one response to each.
pub fn http(data: &[u8]) {
    let mut data = Unstructured::new(data);
    let _ = match data.arbitrary() {
        Ok(true) => any_input(&mut data),
        _ => well_formed(&mut data),
    };
}

fn same_in_pieces(max: usize, input: &[u8], cuts: Cuts) -> Heard {
    let limits = Limits::default().with_max_message(max);
    let service = || Service::new(Arc::new(::http::Http)).with_limits(limits);
    let [whole, in_pieces] =
        [vec![input], cuts.pieces(input)].map(|pieces| without_dates(converse(service(), pieces)));
    assert_eq!(whole.bytes.escape_ascii().to_string(), in_pieces.bytes.escape_ascii().to_string());
    assert_eq!(whole, in_pieces);
    whole
}

/// The date of a response is that of the moment.
fn without_dates(heard: Heard) -> Heard {
    let text = String::from_utf8(heard.bytes).expect("the responses are text");
    let mut parts = text.split("\r\nDate: ");
    let first = parts.next().unwrap_or_default().to_owned();
    let bytes = parts.fold(first, |bytes, part| bytes + &part[29..]).into_bytes();
    Heard { bytes, ..heard }
}

fn any_input(data: &mut Unstructured<'_>) -> Result<()> {
    let (cuts, max) = (Cuts::new(data)?, usize::from(data.arbitrary::<u8>()?) * 4);
    let input = data.bytes(data.len())?;
    let heard = same_in_pieces(max, input, cuts);
    let is_head = input.windows(5).any(|five| five == b"HEAD ");
    let mut replies = LoadFraming::Http.replies(&heard.bytes[..]);
    let mut count = 0;
    while !is_head && replies.receive().is_ok() {
        count += 1;
    }
    let is_error = match heard.over {
        CloseReason::Incomplete => true,
        CloseReason::EndOfInput | CloseReason::Exit => false,
        other => panic!("{other:?}"),
    };
    let expected = heard.messages + u64::from(is_error);
    assert!(is_head || count == expected, "{count} of {expected} in {}", heard.bytes.escape_ascii());
    Ok(())
}

fn well_formed(data: &mut Unstructured<'_>) -> Result<()> {
    let cuts = Cuts::new(data)?;
    let (mut input, mut requests) = (Vec::new(), Vec::new());
    while !data.is_empty() {
        let (begin, expected) = (input.len(), request(data, &mut input)?);
        requests.push((input[begin..].to_vec(), expected));
        if data.ratio(1, 8)? {
            input.extend_from_slice(b"\r\n"); // as some clients send after a body
        }
    }
    let heard = same_in_pieces(64 * 1024, &input, cuts);
    let mut rest = &heard.bytes[..];
    let (mut count, mut over) = (0, CloseReason::EndOfInput);
    for (message, Expected { status, closes, body }) in requests {
        if body {
            rest = rest.strip_prefix(CONTINUE).unwrap_or_else(|| panic!("{}", rest.escape_ascii()));
        }
        let mut replies = LoadFraming::Http.replies(rest).to(&message);
        let reply = replies.receive().unwrap_or_else(|error| panic!("{error}: {}", message.escape_ascii()));
        let text = String::from_utf8_lossy(&reply);
        assert!(
            text.starts_with(&format!("HTTP/1.1 {status} ")),
            "{status}, {text}, {}",
            message.escape_ascii()
        );
        assert_eq!(text.contains("\r\nConnection: close\r\n"), closes, "{text}");
        rest = &rest[reply.len()..];
        count += 1;
        if closes {
            over = CloseReason::Exit;
            break;
        }
    }
    assert_eq!(rest, b"", "a response without a request");
    assert_eq!((heard.messages, heard.over), (count, over));
    Ok(())
}

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// The response to a request.
struct Expected {
    status: u16,
    closes: bool,
    /// Whether `100 Continue` precedes it.
    body: bool,
}

fn request(data: &mut Unstructured<'_>, out: &mut Vec<u8>) -> Result<Expected> {
    let method = *data.choose(&["GET", "HEAD", "OPTIONS", "POST", "DELETE", "BREW"])?;
    let path = *data.choose(&["/", "/health", "/health?x=y", "/none"])?;
    let status = match (method, path) {
        ("BREW", _) => 501,
        (_, "/none") => 404,
        ("POST" | "DELETE", _) => 405,
        _ => 200,
    };
    let mut closes = data.ratio(1, 16)?;
    let length = usize::from(data.arbitrary::<u8>()?).min(data.len());
    let body = data.bytes(length)?;
    let form = data.int_in_range(0..=3)?;
    let waits = form > 1 && data.ratio(1, 4)?;
    // Without a body there is nothing to wait for.
    let is_asked = waits && (form == 3 || !body.is_empty());
    closes |= is_asked && status != 200;
    out.extend_from_slice(format!("{method} {path} HTTP/1.1\r\nHost: a:80\r\n").as_bytes());
    if closes && !(is_asked && status != 200) {
        out.extend_from_slice(b"connection: x, Close\r\n");
    }
    if waits {
        out.extend_from_slice(b"Expect: 100-continue\r\n");
    }
    match form {
        0 | 1 => out.extend_from_slice(b"\r\n"),
        2 => {
            out.extend_from_slice(format!("Content-Length: {length}\r\n\r\n").as_bytes());
            out.extend_from_slice(body);
        }
        _ => {
            out.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
            for chunk in body.chunks(1 + usize::from(data.arbitrary::<u8>()?)) {
                out.extend_from_slice(format!("{:x} ; a=\"b\"\r\n", chunk.len()).as_bytes());
                out.extend_from_slice(chunk);
                out.extend_from_slice(b"\r\n");
            }
            out.extend_from_slice(b"0\r\nA-Trailer: b\r\n\r\n");
        }
    }
    Ok(Expected { status, closes, body: is_asked && status == 200 })
}
