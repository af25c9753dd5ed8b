//! How messages are written for a server, and replies found in what it sends.

use std::io::{self, BufRead, BufReader, Read};

use common::{Codec, Decoded, Limits, Outbox};

use crate::catalogue::Framing;

/// Writes messages, as the server's own codec writes replies.
pub(super) struct Messages(Box<dyn Codec>);

impl Messages {
    pub(super) fn new(framing: Framing) -> Self {
        Self((framing.codec)(&Limits::default()))
    }

    /// Adds a message to what is to be sent.
    pub(super) fn push(&self, message: &[u8], out: &mut Outbox) {
        common::Replies::new(out, &*self.0).send(message);
    }
}

/// Finds the replies in what a server sends, with the server's own codecs. It never holds more than one
/// reply that is not whole, and one read.
pub(super) struct Replies {
    codec: Box<dyn Codec>,
    kept: Vec<u8>,
}

impl Replies {
    /// Replies in this framing, of at most `max` bytes each.
    pub(super) fn new(framing: Framing, max: usize) -> Self {
        let limits = Limits { max_message: max, ..Limits::default() };
        Self { codec: (framing.codec)(&limits), kept: Vec::new() }
    }

    /// Takes what one read brought, and gives every reply that is now whole to `show`.
    pub(super) fn receive(
        &mut self,
        bytes: &[u8],
        mut show: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<(), Trouble> {
        self.codec.arrived(bytes.len());
        self.kept.extend_from_slice(bytes);
        let mut done = 0;
        loop {
            match self.codec.decode(&self.kept[done..]) {
                Decoded::More | Decoded::Skipped { used: 0 } => break,
                Decoded::Skipped { used } => done += used,
                Decoded::Message { payload, used } => {
                    show(&self.kept[done..][payload]).map_err(Trouble::Unheard)?;
                    done += used;
                }
                Decoded::Broken(_) => return Err(Trouble::TooLong),
            }
        }
        self.kept.drain(..done);
        Ok(())
    }

    /// The beginning of a reply that has not come whole.
    pub(super) fn unfinished(&self) -> &[u8] {
        &self.kept
    }
}

/// Why replies can't be shown.
#[derive(Debug)]
pub(super) enum Trouble {
    /// One of them is over the limit.
    TooLong,
    /// They can't be written.
    Unheard(io::Error),
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

    /// The next line, without its end. The last one need not have an end.
    pub(super) fn next(&mut self) -> io::Result<Option<&[u8]>> {
        self.line.clear();
        let count = self.input.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut self.line)?;
        if count as u64 == LONGEST_LINE {
            let text = format!("a line of standard input has {LONGEST_LINE} bytes or more");
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        let line = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        Ok((count > 0).then_some(line))
    }

    /// Whether the next line may have to be waited for.
    pub(super) fn may_wait(&self) -> bool {
        !self.input.buffer().contains(&b'\n')
    }
}

/// More is no message of anybody's: it is a file that was meant for another program.
const LONGEST_LINE: u64 = 1 << 30;

#[cfg(test)]
mod tests {
    use super::*;

    fn framing(name: &str) -> Framing {
        Framing::built_in().into_iter().find(|framing| framing.name == name).unwrap()
    }

    fn replies(framing: Framing, reads: &[&[u8]]) -> (Vec<Vec<u8>>, Vec<u8>) {
        let mut replies = Replies::new(framing, 8);
        let mut shown = Vec::new();
        for read in reads {
            let show = |reply: &[u8]| {
                shown.push(reply.to_vec());
                Ok(())
            };
            replies.receive(read, show).unwrap();
        }
        (shown, replies.unfinished().to_vec())
    }

    #[test]
    fn replies_are_found_however_they_are_split() {
        for (framing, bytes) in [
            (framing("line"), &b"one\n\ntwo\r\nx"[..]),
            (framing("length"), b"\0\0\0\x03one\0\0\0\0\0\0\0\x03twox"),
        ] {
            for split in 0..=bytes.len() {
                let (shown, unfinished) = replies(framing, &[&bytes[..split], &bytes[split..]]);
                assert_eq!(shown, [b"one".to_vec(), b"".to_vec(), b"two".to_vec()], "{framing:?} {split}");
                assert_eq!(unfinished, b"x");
            }
        }
    }

    #[test]
    fn a_reply_over_the_limit_is_trouble() {
        for (framing, bytes) in
            [(framing("line"), &b"123456789"[..]), (framing("length"), b"\xff\xff\xff\xff")]
        {
            let mut replies = Replies::new(framing, 8);
            assert!(matches!(replies.receive(bytes, |_| Ok(())), Err(Trouble::TooLong)), "{framing:?}");
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
