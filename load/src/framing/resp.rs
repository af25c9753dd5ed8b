//! `resp`: the Redis protocol, versions 2 and 3.

use std::ops::Range;

use memchr::memchr;

use super::parser::kind_of_error;
use super::{Found, Kind};

/// A parser of Redis replies. It counts the remaining elements of the current reply, so that nested arrays need no
/// memory.
pub(crate) struct Resp {
    /// The longest reply, in bytes.
    max: usize,
    /// How many bytes of the current reply were parsed.
    done: usize,
    /// How many bytes after them are known to contain no line feed.
    scanned: usize,
    /// How many elements remain, including the reply itself.
    left: u64,
    /// The first byte of the reply, and its text if it is a single element, once they are known.
    first: Option<(u8, Option<Range<usize>>)>,
}

/// An element, or the head of one.
enum Element {
    /// A complete element: the position of its text.
    Whole(Range<usize>),
    /// The head of an aggregate of this number of elements.
    Elements(u64),
    /// The head of attributes with this number of elements, which precede another element.
    Attributes(u64),
    /// An incomplete element.
    Partial,
}

/// Words as a command: an array of bulk strings.
pub(super) fn command(words: &[impl AsRef<[u8]>]) -> Vec<u8> {
    let mut command = format!("*{}\r\n", words.len()).into_bytes();
    for word in words.iter().map(AsRef::as_ref) {
        command.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        command.extend_from_slice(word);
        command.extend_from_slice(b"\r\n");
    }
    command
}

impl Resp {
    /// For replies of at most `max` bytes.
    pub(super) fn new(max: usize) -> Self {
        Self { max, done: 0, scanned: 0, left: 1, first: None }
    }

    /// The kind of a reply.
    pub(super) fn kind(reply: &[u8]) -> Kind {
        match reply {
            [b'-', text @ ..] => kind_of_error(text),
            [b'!', rest @ ..] => kind_of_error(memchr(b'\n', rest).map_or(rest, |at| &rest[at + 1..])),
            _ => Kind::Answer,
        }
    }

    /// Finds the reply at the beginning of the input.
    pub(super) fn find(&mut self, input: &[u8]) -> Found {
        while self.left > 0 {
            let begin = self.done;
            let element = match self.element(input) {
                Ok(element) => element,
                Err(why) => return Found::Broken(why),
            };
            if self.first.is_none() && self.done > begin {
                let text = if let Element::Whole(text) = &element { Some(text.clone()) } else { None };
                self.first = Some((input[begin], text));
                // Attributes are skipped, and then the reply starts again.
                self.left -= u64::from(matches!(element, Element::Attributes(_)));
            }
            match element {
                Element::Whole(_) => self.left -= 1,
                Element::Elements(count) => self.left = (self.left - 1).saturating_add(count),
                Element::Attributes(count) => self.left = self.left.saturating_add(count),
                Element::Partial if input.len() > self.max => return Found::Broken(self.too_long()),
                Element::Partial => return Found::More,
            }
        }
        let (used, first) = (self.done, self.first.take());
        *self = Self::new(self.max);
        match first {
            _ if used > self.max => Found::Broken(self.too_long()),
            // Push messages and attributes do not answer a message.
            Some((b'>' | b'|', _)) => Found::Skipped(used),
            first => Found::Reply {
                whole: 0..used,
                content: first.and_then(|(_, text)| text).unwrap_or(0..used),
                used,
                kind: Self::kind(&input[..used]),
                is_last: false,
            },
        }
    }

    /// Parses the next element, or the head of one.
    fn element(&mut self, input: &[u8]) -> Result<Element, String> {
        let Some(end) = memchr(b'\n', &input[self.done + self.scanned..]) else {
            self.scanned = input.len() - self.done;
            return Ok(Element::Partial);
        };
        let end = self.done + self.scanned + end;
        let line = &input[self.done..end];
        let [kind, text @ .., b'\r'] = line else {
            return Err("a line of a reply does not end with a carriage return and a line feed".to_owned());
        };
        let (behind, text_begin) = (end + 1, self.done + 1);
        let element = match kind {
            b'+' | b'-' | b':' | b'_' | b'#' | b',' | b'(' => Element::Whole(text_begin..end - 1),
            b'$' | b'!' | b'=' => return self.string(input, count(text)?, behind),
            b'*' | b'~' | b'>' | b'%' | b'|' => match (kind, count(text)?) {
                (_, None) => Element::Whole(behind..behind),
                (b'%', Some(pairs)) => Element::Elements(pairs.saturating_mul(2)),
                (b'|', Some(pairs)) => Element::Attributes(pairs.saturating_mul(2)),
                (_, Some(count)) => Element::Elements(count),
            },
            other => return Err(format!("`{}` begins no reply", other.escape_ascii())),
        };
        (self.done, self.scanned) = (behind, 0);
        Ok(element)
    }

    /// Parses a string of the given length that begins at `begin`.
    fn string(&mut self, input: &[u8], length: Option<u64>, begin: usize) -> Result<Element, String> {
        let Some(length) = length else {
            (self.done, self.scanned) = (begin, 0);
            return Ok(Element::Whole(begin..begin));
        };
        let Some(length) = usize::try_from(length).ok().filter(|&length| length <= self.max) else {
            return Err(self.too_long());
        };
        let end = begin + length;
        match input.get(end..end + 2) {
            None => Ok(Element::Partial),
            Some(b"\r\n") => {
                (self.done, self.scanned) = (end + 2, 0);
                Ok(Element::Whole(begin..end))
            }
            Some(_) => Err(format!("a string of {length} bytes does not end where it should")),
        }
    }

    fn too_long(&self) -> String {
        format!("a reply has more than {} bytes", self.max)
    }
}

/// The length of a string or an array; `None` for a null.
fn count(text: &[u8]) -> Result<Option<u64>, String> {
    if text == b"-1" {
        return Ok(None);
    }
    let digits = std::str::from_utf8(text).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    match digits.and_then(|digits| digits.parse().ok()) {
        Some(count) => Ok(Some(count)),
        None => Err(format!("`{}` is no count", text[..text.len().min(20)].escape_ascii())),
    }
}

#[cfg(test)]
mod tests;
