//! The load generator: the replies that it finds, and messages that are written as text.

use std::io::{self, Read};
use std::sync::Arc;
use std::vec::IntoIter;

use ::http::Http;
use anyloop::framing::Length;
use anyloop::protocol::Application;
use anyloop::{CloseReason, Service};
use anyloop_cli::LoadFraming as Framing;
use arbitrary::{Result, Unstructured};
use key_value::KeyValue;
use shout::Mllp;

use crate::pieces::{Cuts, converse};

/// The replies that the load generator finds in what a server sends: any bytes, and well-formed replies.
pub fn load_replies(data: &[u8]) {
    let mut data = Unstructured::new(data);
    let _ = match data.arbitrary() {
        Ok(true) => any_replies(&mut data),
        _ => well_formed(&mut data),
    };
}

/// Input that arrives in pieces.
struct Pieces<'a>(IntoIter<&'a [u8]>);

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let piece = self.0.as_slice().first().copied().unwrap_or_default();
        let (now, later) = piece.split_at(piece.len().min(buffer.len()));
        buffer[..now.len()].copy_from_slice(now);
        match (later, self.0.as_mut_slice().first_mut()) {
            ([_, ..], Some(piece)) => *piece = later,
            _ => drop(self.0.next()),
        }
        Ok(now.len())
    }
}

/// The replies, and why there are no more.
fn replies(framing: Framing, message: &[u8], input: impl Read) -> (Vec<Vec<u8>>, String) {
    let mut reader = framing.replies(input).to(message);
    let mut replies = Vec::new();
    loop {
        match reader.receive() {
            Ok(reply) => replies.push(reply),
            Err(error) => return (replies, error.to_string()),
        }
    }
}

fn any_replies(data: &mut Unstructured<'_>) -> Result<()> {
    let framing = match data.int_in_range(0..=4)? {
        0 => Framing::Line,
        1 => Framing::Codec { name: "length", new: &|limits| Box::new(Length::new(limits)) },
        2 => Framing::Codec { name: "mllp", new: &|limits| Box::new(Mllp::new(limits)) },
        3 => Framing::Resp,
        _ => Framing::Http,
    };
    let message: &[u8] =
        if data.arbitrary()? { b"HEAD / HTTP/1.1\r\n\r\n" } else { b"GET / HTTP/1.1\r\n\r\n" };
    let cuts = Cuts::new(data)?;
    let input = data.bytes(data.len())?;
    let whole = replies(framing, message, input);
    let in_pieces = replies(framing, message, Pieces(cuts.pieces(input).into_iter()));
    assert_eq!(whole, in_pieces, "{framing:?}, {:?}", cuts.pieces(input));
    Ok(())
}

fn well_formed(data: &mut Unstructured<'_>) -> Result<()> {
    let cuts = Cuts::new(data)?;
    let is_http = data.arbitrary()?;
    let framing = if is_http { Framing::Http } else { Framing::Resp };
    let (mut input, mut expected) = (Vec::new(), Vec::new());
    while !data.is_empty() {
        let mut reply = Vec::new();
        if is_http {
            if data.ratio(1, 8)? {
                input.extend_from_slice(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
            }
            response(data, &mut reply)?;
        } else {
            match data.int_in_range(0..=7)? {
                0 => aggregate(data, b'>', 1, &mut input)?, // a push message, which is no reply
                1 => aggregate(data, b'|', 2, &mut input)?, // attributes, which precede a reply
                _ => {}
            }
            value(data, 3, &mut reply)?;
        }
        input.extend_from_slice(&reply);
        expected.push(reply);
    }
    let input = Pieces(cuts.pieces(&input).into_iter());
    let (found, error) = replies(framing, b"GET / HTTP/1.1\r\n\r\n", input);
    assert_eq!(found, expected, "{error}");
    Ok(())
}

/// A value of RESP3, of at most this depth.
fn value(data: &mut Unstructured<'_>, depth: u32, out: &mut Vec<u8>) -> Result<()> {
    let text = |data: &mut Unstructured<'_>| -> Result<Vec<u8>> {
        let bytes: [u8; 3] = data.arbitrary()?;
        Ok(bytes.iter().map(|byte| byte & 0x7f | 0x20).collect())
    };
    match data.int_in_range(0..=9)? {
        0..=3 => {
            out.push(*data.choose(b"+-:,#(_")?);
            out.extend(text(data)?);
            out.extend_from_slice(b"\r\n");
        }
        4 | 5 => {
            let length = usize::from(data.arbitrary::<u8>()?).min(data.len());
            let bytes = data.bytes(length)?;
            let kind = *data.choose(b"$!=")?;
            out.extend_from_slice(format!("{}{length}\r\n", char::from(kind)).as_bytes());
            out.extend_from_slice(bytes);
            out.extend_from_slice(b"\r\n");
        }
        6 => out.extend_from_slice(data.choose(&[&b"$-1\r\n"[..], b"*-1\r\n", b"_\r\n"])?),
        _ if depth == 0 => out.extend_from_slice(b"*0\r\n"),
        7 => aggregate(data, b'%', 2, out)?,
        _ => {
            let kind = *data.choose(b"*~")?;
            let count = data.int_in_range(0..=3)?;
            out.extend_from_slice(format!("{}{count}\r\n", char::from(kind)).as_bytes());
            for _ in 0..count {
                value(data, depth - 1, out)?;
            }
        }
    }
    Ok(())
}

/// An aggregate of simple values, `each` for each that is counted.
fn aggregate(data: &mut Unstructured<'_>, kind: u8, each: usize, out: &mut Vec<u8>) -> Result<()> {
    let count: usize = data.int_in_range(1..=2)?;
    out.extend_from_slice(format!("{}{count}\r\n", char::from(kind)).as_bytes());
    (0..count * each).try_for_each(|_| value(data, 0, out))
}

/// A response whose length is known.
fn response(data: &mut Unstructured<'_>, out: &mut Vec<u8>) -> Result<()> {
    let status: u16 = *data.choose(&[200, 204, 304, 404, 500])?;
    out.extend_from_slice(format!("HTTP/1.1 {status} Any\r\nA: b\r\n").as_bytes());
    if matches!(status, 204 | 304) {
        out.extend_from_slice(b"\r\n");
        return Ok(());
    }
    let body = usize::from(data.arbitrary::<u8>()?).min(data.len());
    let body = data.bytes(body)?;
    if data.arbitrary()? {
        out.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
        out.extend_from_slice(body);
        return Ok(());
    }
    out.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
    for chunk in body.chunks(1 + usize::from(data.arbitrary::<u8>()?)) {
        out.extend_from_slice(format!("{:X};x=y\r\n", chunk.len()).as_bytes());
        out.extend_from_slice(chunk);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"0\r\n");
    if data.arbitrary()? {
        out.extend_from_slice(b"Trailer: any\r\n");
    }
    out.extend_from_slice(b"\r\n");
    Ok(())
}

/// Messages that are written as text. A server takes each of them for one message.
pub fn load_messages(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(command) = Framing::Resp.encode(&text) {
        // The store splits a line in the same way. A line that begins with an asterisk is an array to it, and as a line
        // `POST` and `Host:` are those of a browser.
        let line = [text.as_bytes(), b"\n"].concat();
        if !text.contains(['\n', '\0']) && !text.starts_with('*') {
            let answers = [command, line].map(|input| converse(store(), [&input[..]]));
            assert_eq!(answers[0], answers[1], "{text:?}");
        }
    }
    if let Ok(request) = Framing::Http.encode(&text) {
        let heard = converse(Service::new(Arc::new(Http)), [&request[..]]);
        assert_eq!(heard.messages, 1, "{text:?}");
        assert!(
            matches!(heard.over, CloseReason::EndOfInput | CloseReason::Exit),
            "{text:?}: {:?}",
            heard.over
        );
    }
    if let Ok(payload) = Framing::Line.encode(&text) {
        assert_eq!(Framing::Line.frame(&payload), [text.as_bytes(), b"\n"].concat());
    }
}

fn store() -> Service {
    let store: Arc<dyn Application> = Arc::new(KeyValue::default());
    Service::new(store)
}
