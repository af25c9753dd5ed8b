//! The codecs: `line`, `length`, `raw` and `mllp`. Each is compared with a model that has the whole input at once.

use std::sync::Arc;

use anyloop::framing::{Codec, FramedHandler, Length, Line, Raw};
use anyloop::handlers::Echo;
use anyloop::{Client, CloseReason, ErrorReply, Flow, Handler, Limits, Replies, Service, Session};
use arbitrary::{Result, Unstructured};
use shout::Mllp;

use crate::pieces::{Cuts, Heard, same_in_pieces};

/// Lines: any bytes, in any pieces, with any limit.
pub fn line(data: &[u8]) {
    let _ = same_as_model(data, Line::new, model_of_line, |payload| [payload, b"\n"].concat());
}

/// Messages that are preceded by their length.
pub fn length(data: &[u8]) {
    let frame = |payload: &[u8]| [&(payload.len() as u32).to_be_bytes()[..], payload].concat();
    let _ = same_as_model(data, Length::new, model_of_length, frame);
}

/// The framing of HL7 messages.
pub fn mllp(data: &[u8]) {
    let frame = |payload: &[u8]| [b"\x0b", payload, b"\x1c\r"].concat();
    let _ = same_as_model(data, Mllp::new, model_of_mllp, frame);
}

/// Bytes without a framing. The messages depend on the pieces, and their concatenation does not.
pub fn raw(data: &[u8]) {
    let mut data = Unstructured::new(data);
    let Ok(cuts) = Cuts::new(&mut data) else { return };
    let input = data.take_rest();
    let service = || {
        let application = FramedHandler::new(Arc::new(Checking), Raw::new);
        Service::new(Arc::new(application))
    };
    for pieces in [vec![input], cuts.pieces(input)] {
        let heard = crate::pieces::converse(service(), pieces);
        assert_eq!(heard.bytes, input);
        assert_eq!(heard.over, CloseReason::EndOfInput);
        assert!(heard.messages >= input.len().div_ceil(1024) as u64, "{} messages", heard.messages);
    }
}

/// Echoes, and checks that no message of `raw` is too long.
struct Checking;

impl Handler for Checking {
    fn open(&self, _client: &Client, _out: &mut Replies<'_>) -> Box<dyn Session> {
        Box::new(Self)
    }
}

impl Session for Checking {
    fn message(&mut self, message: &[u8], out: &mut Replies<'_>) -> Flow {
        assert!((1..=1024).contains(&message.len()), "a message of {} bytes", message.len());
        out.send(message);
        Flow::Continue
    }
}

/// The messages of an input, and the error that ends it, if there is one.
type Model = (Vec<Vec<u8>>, Option<ErrorReply>);

fn same_as_model<C: Codec>(
    data: &[u8],
    codec: fn(&Limits) -> C,
    model: fn(&[u8], usize) -> Model,
    frame: impl Fn(&[u8]) -> Vec<u8>,
) -> Result<()> {
    let mut data = Unstructured::new(data);
    let (cuts, max) = (Cuts::new(&mut data)?, usize::from(data.arbitrary::<u8>()?));
    let input = data.take_rest();
    let limits = Limits::default().with_max_message(max);
    let service = || Service::new(Arc::new(FramedHandler::new(Arc::new(Echo), codec))).with_limits(limits);
    let Heard { bytes, messages, over } = same_in_pieces(service, input, cuts);

    let (expected, error) = model(input, max);
    let mut replies: Vec<u8> = expected.iter().flat_map(|payload| frame(payload)).collect();
    if let Some(error) = &error {
        replies.extend(frame(error.to_string().as_bytes()));
    }
    assert_eq!((bytes, messages), (replies, expected.len() as u64));
    assert_eq!(
        over,
        match error {
            None => CloseReason::EndOfInput,
            Some(ErrorReply::TooLong { .. }) => CloseReason::TooLong,
            Some(ErrorReply::Incomplete) => CloseReason::Incomplete,
            Some(_) => CloseReason::Malformed,
        }
    );
    Ok(())
}

fn model_of_line(input: &[u8], max: usize) -> Model {
    let mut messages = Vec::new();
    let mut lines = input.split(|&byte| byte == b'\n').peekable();
    while let Some(line) = lines.next() {
        let is_last = lines.peek().is_none();
        let payload = line.strip_suffix(b"\r").unwrap_or(line);
        if payload.len() > max {
            return (messages, Some(ErrorReply::TooLong { max }));
        }
        match (is_last, line) {
            (true, []) => break,
            (true, _) => return (messages, Some(ErrorReply::Incomplete)),
            (false, _) => messages.push(payload.to_vec()),
        }
    }
    (messages, None)
}

fn model_of_length(mut input: &[u8], max: usize) -> Model {
    let mut messages = Vec::new();
    while !input.is_empty() {
        let Some((header, rest)) = input.split_first_chunk() else {
            return (messages, Some(ErrorReply::Incomplete));
        };
        let length = u32::from_be_bytes(*header) as usize;
        if length > max {
            return (messages, Some(ErrorReply::TooLong { max }));
        }
        let Some((payload, rest)) = rest.split_at_checked(length) else {
            return (messages, Some(ErrorReply::Incomplete));
        };
        messages.push(payload.to_vec());
        input = rest;
    }
    (messages, None)
}

fn model_of_mllp(mut input: &[u8], max: usize) -> Model {
    let mut messages = Vec::new();
    loop {
        let start = input.iter().position(|&byte| byte == 0x0b);
        if start.unwrap_or(input.len()) > max {
            return (messages, Some(ErrorReply::malformed("too much outside of a message")));
        }
        let Some(start) = start else { return (messages, None) };
        let message = &input[start + 1..];
        let end = message.windows(2).position(|two| two == b"\x1c\r");
        // The last byte may be the first of the end.
        let length = end.unwrap_or(message.len() - usize::from(message.ends_with(b"\x1c")));
        if length > max {
            return (messages, Some(ErrorReply::TooLong { max }));
        }
        let Some(end) = end else { return (messages, Some(ErrorReply::Incomplete)) };
        messages.push(message[..end].to_vec());
        input = &message[end + 2..];
    }
}
