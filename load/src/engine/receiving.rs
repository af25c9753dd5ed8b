//! How a client finds the replies in what it has read.

use std::io;

use common::{Codec, Decoded};
use memchr::memchr;

use super::client::{Client, Sent};
use crate::engine::message::Text;
use crate::engine::tally::{Tally, beginning};
use crate::framing::LONGEST_REPLY;
use crate::plan::Expect;

impl Client {
    /// Looks at what was read. Each message that has its reply is handed to `answered`.
    ///
    /// # Errors
    /// If the server refuses the client, or sends what is no reply.
    pub(super) fn receive(
        &mut self,
        bytes: &[u8],
        text: &Text,
        expect: &Expect,
        tally: &mut Tally,
        answered: impl FnMut(&mut Tally, Sent),
    ) -> io::Result<()> {
        self.is_served = true;
        match self.codec.take() {
            None => self.lines(bytes, text, expect, tally, answered),
            Some(mut codec) => {
                let received = self.decode(&mut *codec, bytes, text, expect, tally, answered);
                self.codec = Some(codec);
                received
            }
        }
    }

    #[inline]
    fn lines(
        &mut self,
        mut bytes: &[u8],
        text: &Text,
        expect: &Expect,
        tally: &mut Tally,
        mut answered: impl FnMut(&mut Tally, Sent),
    ) -> io::Result<()> {
        while let Some(end) = memchr(b'\n', bytes) {
            let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
            bytes = rest;
            if self.partial.is_empty() {
                self.reply(without_return(line), text, expect, tally, &mut answered)?;
            } else {
                let mut whole = std::mem::take(&mut self.partial);
                whole.extend_from_slice(line);
                self.reply(without_return(&whole), text, expect, tally, &mut answered)?;
                whole.clear();
                self.partial = whole;
            }
        }
        self.partial.extend_from_slice(bytes);
        if self.partial.len() > LONGEST_REPLY {
            return Err(io::Error::other("a reply of more than 1 MiB has no line end"));
        }
        Ok(())
    }

    fn decode(
        &mut self,
        codec: &mut dyn Codec,
        bytes: &[u8],
        text: &Text,
        expect: &Expect,
        tally: &mut Tally,
        mut answered: impl FnMut(&mut Tally, Sent),
    ) -> io::Result<()> {
        codec.arrived(bytes.len());
        let mut partial = std::mem::take(&mut self.partial);
        let kept = !partial.is_empty();
        if kept {
            partial.extend_from_slice(bytes);
        }
        let input = if kept { &partial[..] } else { bytes };
        let mut done = 0;
        loop {
            match codec.decode(&input[done..]) {
                Decoded::More | Decoded::Skipped { used: 0 } => break,
                Decoded::Skipped { used } => done += used,
                Decoded::Message { payload, used } => {
                    self.reply(&input[done..][payload], text, expect, tally, &mut answered)?;
                    done += used;
                }
                Decoded::Broken(error) => {
                    let rest = beginning(&input[done..]);
                    return Err(io::Error::other(format!("the server says `{rest}`: {error}")));
                }
            }
        }
        if kept {
            partial.drain(..done);
        } else {
            partial.extend_from_slice(&bytes[done..]);
        }
        self.partial = partial;
        Ok(())
    }
}

/// A line without the carriage return that some servers put before the line end.
#[inline]
fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}
