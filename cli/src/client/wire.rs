//! Encodes messages for a server, and decodes its replies.

use std::io::{self, BufRead, BufReader, Read};

use common::{Codec, Decoded, ErrorReply, Limits, Outbox};

use crate::catalogue::Framing;
use crate::quantity::Size;

/// Encodes messages, with the codec that servers encode replies with.
pub(super) struct Messages(Box<dyn Codec>);

impl Messages {
    pub(super) fn new(framing: Framing) -> Self {
        Self((framing.codec)(&Limits::default()))
    }

    /// Appends a message to `out`.
    pub(super) fn push(&self, message: &[u8], out: &mut Outbox) {
        common::Replies::new(out, &*self.0).send(message);
    }
}

/// Decodes the replies of a server, with the codec that servers decode messages with. It never holds more than one
/// incomplete reply and one read.
pub(crate) struct Replies {
    framing: Framing,
    codec: Box<dyn Codec>,
    max: usize,
    kept: Vec<u8>,
}

impl Replies {
    /// Replies in this framing, of at most `max` bytes each.
    pub(crate) fn new(framing: Framing, max: usize) -> Self {
        Self { framing, codec: codec(framing, max), max, kept: Vec::new() }
    }

    /// Adds the bytes of one read, and passes each complete reply to `show`, with the bytes of its end.
    pub(crate) fn receive(
        &mut self,
        bytes: &[u8],
        mut show: impl FnMut(&[u8], &[u8]) -> io::Result<()>,
    ) -> Result<(), Trouble> {
        self.kept.extend_from_slice(bytes);
        let mut done = 0;
        loop {
            let rest = &mut self.kept[done..];
            match self.codec.decode(rest) {
                Decoded::More | Decoded::Skipped { used: 0 } => break,
                Decoded::Skipped { used } => done += used,
                Decoded::Message { payload, used } => {
                    show(&rest[payload.clone()], &rest[payload.end..used]).map_err(Trouble::Unheard)?;
                    done += used;
                }
                Decoded::Broken(ErrorReply::TooLong { .. }) => {
                    return Err(Trouble::NoReply(too_long(self.framing, self.max, rest)));
                }
                Decoded::Broken(why) => {
                    let name = self.framing.name;
                    let text = format!(
                        "what the server sends is not a reply in `{name}` ({why}); choose another --framing"
                    );
                    return Err(Trouble::NoReply(text));
                }
            }
        }
        self.kept.drain(..done);
        Ok(())
    }

    /// The bytes of an incomplete reply.
    pub(crate) fn unfinished(&self) -> &[u8] {
        &self.kept
    }
}

/// The reason why replies can't be shown.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The server has sent an invalid reply or one over the limit. The text says why, and what to do.
    NoReply(String),
    /// Writing them failed.
    Unheard(io::Error),
}

fn codec(framing: Framing, max: usize) -> Box<dyn Codec> {
    (framing.codec)(&Limits::default().with_max_message(max))
}

/// The error about a reply over the limit that begins with these bytes.
fn too_long(framing: Framing, max: usize, bytes: &[u8]) -> String {
    let max_limit = Size::MOST.0;
    let decoded = |max| codec(framing, max).decode(&mut bytes.to_vec());
    let is_accepted = |max| !matches!(decoded(max), Decoded::Broken(_));
    let (name, limit) = (framing.name, Size(max));
    if !is_accepted(max_limit) {
        return format!("a reply has more than the {} that --max-reply can be: {}", Size::MOST, other(name));
    }
    // The minimum limit that accepts the reply.
    let (mut below, mut min) = (max, max_limit);
    while min - below > 1 {
        let middle = below + (min - below) / 2;
        if is_accepted(middle) { min = middle } else { below = middle }
    }
    // A length prefix determines the length of the reply; a line feed may be anywhere after these bytes.
    if matches!(decoded(min), Decoded::Message { .. }) || min > bytes.len() {
        return format!(
            "a reply has {min} bytes, over the limit of {limit}; write --max-reply {min} or more"
        );
    }
    format!(
        "a reply has not ended after {limit}; write a larger --max-reply, of at most {}, if the server may send \
         such replies, and if not: {}",
        Size::MOST,
        other(name)
    )
}

fn other(name: &str) -> String {
    format!("the server may not speak `{name}`, so choose another --framing")
}

/// The lines of an input, each a message.
pub(super) struct Lines<R> {
    input: BufReader<R>,
    line: Vec<u8>,
}

impl<R: Read> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input: BufReader::with_capacity(64 * 1024, input), line: Vec::new() }
    }

    /// The next line, without its end. The last line may lack an end.
    pub(super) fn next(&mut self) -> io::Result<Option<&[u8]>> {
        self.line.clear();
        let count = self.input.by_ref().take(MAX_LINE).read_until(b'\n', &mut self.line)?;
        if count as u64 == MAX_LINE {
            let text = format!("a line of standard input has {MAX_LINE} bytes or more");
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        let line = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        Ok((count > 0).then_some(line))
    }

    /// Whether reading the next line may block.
    pub(super) fn may_wait(&self) -> bool {
        !self.input.buffer().contains(&b'\n')
    }
}

/// The maximum length of a line. A longer one is assumed to be a file for another program.
const MAX_LINE: u64 = 1 << 30;

#[cfg(test)]
mod tests {
    use super::*;

    fn framing(name: &str) -> Framing {
        Framing::built_in().into_iter().find(|framing| framing.name == name).unwrap()
    }

    /// The replies, each with its end, and the incomplete reply.
    fn replies(framing: Framing, reads: &[&[u8]]) -> (Vec<[Vec<u8>; 2]>, Vec<u8>) {
        let mut replies = Replies::new(framing, 8);
        let mut shown = Vec::new();
        for read in reads {
            let show = |reply: &[u8], behind: &[u8]| {
                shown.push([reply.to_vec(), behind.to_vec()]);
                Ok(())
            };
            replies.receive(read, show).unwrap();
        }
        (shown, replies.unfinished().to_vec())
    }

    #[test]
    fn replies_are_found_however_they_are_split() {
        for (framing, bytes, ends) in [
            (framing("line"), &b"one\n\ntwo\r\nx"[..], ["\n", "\n", "\r\n"]),
            (framing("length"), b"\0\0\0\x03one\0\0\0\0\0\0\0\x03twox", [""; 3]),
        ] {
            let expected = ["one", "", "two"].into_iter().zip(ends);
            let expected: Vec<_> = expected.map(|(reply, end)| [reply, end].map(Vec::from)).collect();
            for split in 0..=bytes.len() {
                let (shown, unfinished) = replies(framing, &[&bytes[..split], &bytes[split..]]);
                assert_eq!(shown, expected, "{framing:?} {split}");
                assert_eq!(unfinished, b"x");
            }
        }
    }

    #[test]
    fn a_reply_over_the_limit_says_which_limit_would_do() {
        let known = "a reply has 9 bytes, over the limit of 8; write --max-reply 9 or more";
        for (framing, bytes, expected) in [
            (framing("line"), &b"12345678"[..], None),
            (framing("line"), b"12345678\r\n", None),
            (framing("line"), b"123456789\n", Some(known)),
            (
                framing("line"),
                b"123456789",
                Some("a reply has not ended after 8; write a larger --max-reply"),
            ),
            (framing("line"), b"1234567890", Some("so choose another --framing")),
            (framing("length"), b"\0\0\0\x08", None),
            (framing("length"), b"\0\0\0\x09", Some(known)),
            (framing("length"), b"\0\0\0\x09123456789and more", Some(known)),
            (framing("length"), b"\0\x01\x11\x70", Some("write --max-reply 70000 or more")),
            (framing("length"), b"\x40\0\0\0", Some("write --max-reply 1073741824 or more")),
            (
                framing("length"),
                b"\x40\0\0\x01",
                Some("more than the 1GiB that --max-reply can be: the server may not"),
            ),
            (framing("length"), b"Connected!\n", Some("may not speak `length`, so choose another --framing")),
        ] {
            let trouble = Replies::new(framing, 8).receive(bytes, |_, _| Ok(()));
            match (trouble, expected) {
                (Ok(()), None) => {}
                (Err(Trouble::NoReply(text)), Some(expected)) => assert!(text.contains(expected), "{text}"),
                (trouble, _) => panic!("{framing:?} {bytes:?}: {trouble:?}"),
            }
        }
    }

    #[test]
    fn messages_are_written_so_that_a_server_finds_them() {
        for (framing, expected) in [
            (framing("line"), &b"hi\n\n"[..]),
            (framing("length"), b"\0\0\0\x02hi\0\0\0\0"),
            (framing("raw"), b"hi"),
        ] {
            let mut out = Outbox::new();
            Messages::new(framing).push(b"hi", &mut out);
            Messages::new(framing).push(b"", &mut out);
            assert_eq!(out.bytes(), expected, "{framing:?}");
        }
    }

    #[test]
    fn lines_lose_their_ends() {
        let mut lines = Lines::new(&b"one\ntwo\r\n\nlast"[..]);
        for expected in [&b"one"[..], b"two", b"", b"last"] {
            assert_eq!(lines.next().unwrap(), Some(expected));
        }
        assert_eq!(lines.next().unwrap(), None);
    }
}
