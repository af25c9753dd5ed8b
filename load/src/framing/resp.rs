//! `resp`: the Redis protocol, versions 2 and 3.

use std::ops::Range;

use memchr::memchr;

use super::parser::kind_of_error;
use super::{Found, Kind};

/// Finds the replies of a Redis. It counts how many elements of the reply at hand are still to come, so that nested
/// arrays need no memory.
pub(crate) struct Resp {
    /// The longest reply, in bytes.
    max: usize,
    /// How much of the reply at hand is done with.
    done: usize,
    /// How much of what is behind that has no line feed in it.
    scanned: usize,
    /// How many elements are to come, the reply itself among them.
    left: u64,
    /// The first byte of the reply, and its text if it is a single element, once they are known.
    first: Option<(u8, Option<Range<usize>>)>,
}

/// An element, or the head of one.
enum Element {
    /// One that has come whole: where its text stands.
    Whole(Range<usize>),
    /// One of so many elements, which follow.
    Elements(u64),
    /// So many elements about the one behind them.
    Attributes(u64),
    /// One that has not come whole.
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

    /// What a reply says of its message.
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
                // Attributes are passed over, and then the reply begins anew.
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
            // What a server tells by itself, or about the reply behind it, answers no message.
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

    /// Takes the next element, or the head of one.
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

    /// Takes a string of a length that was told, which begins at `begin`.
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

/// How long a string is, or how many elements an array has; `None` where there is none.
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
mod tests {
    use super::*;

    /// All that is found, byte by byte: replies as they came with their text, and what is passed over.
    fn found(input: &[u8], piece: usize, max: usize) -> Result<Vec<(String, String)>, String> {
        let (mut resp, mut kept, mut all) = (Resp::new(max), Vec::new(), Vec::new());
        let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
        for piece in input.chunks(piece) {
            kept.extend_from_slice(piece);
            loop {
                match resp.find(&kept) {
                    Found::More => break,
                    Found::Broken(why) => return Err(why),
                    Found::Skipped(used) => drop(kept.drain(..used)),
                    Found::Reply { whole, content, used, .. } => {
                        all.push((text(&kept[whole]), text(&kept[content])));
                        kept.drain(..used);
                    }
                }
            }
        }
        assert_eq!(kept, b"", "something is left");
        Ok(all)
    }

    #[test]
    fn replies_of_every_type_are_found_however_they_are_split() {
        let replies = [
            ("+OK\r\n", "OK"),
            (":12\r\n", "12"),
            ("$5\r\nhello\r\n", "hello"),
            ("$4\r\na\r\nb\r\n", "a\\r\\nb"),
            ("$0\r\n\r\n", ""),
            ("$-1\r\n", ""),
            ("*-1\r\n", ""),
            ("_\r\n", ""),
            ("#t\r\n", "t"),
            (",1.5\r\n", "1.5"),
            ("(3492890328409238509\r\n", "3492890328409238509"),
            ("=6\r\ntxt:hi\r\n", "txt:hi"),
            ("!5\r\nERR x\r\n", "ERR x"),
            ("-ERR x\r\n", "ERR x"),
        ];
        let whole = [
            "*0\r\n",
            "*2\r\n$1\r\na\r\n:1\r\n",
            "*3\r\n*2\r\n+a\r\n*0\r\n%1\r\n+k\r\n~2\r\n:1\r\n:2\r\n$-1\r\n",
            "%2\r\n+a\r\n:1\r\n+b\r\n*1\r\n_\r\n",
            "*2\r\n|1\r\n+ttl\r\n:9\r\n:1\r\n:2\r\n",
        ];
        let escaped = |text: &str| text.as_bytes().escape_ascii().to_string();
        let of_one = replies.map(|(reply, text)| (escaped(reply), text.to_owned()));
        let expected: Vec<_> =
            of_one.into_iter().chain(whole.map(|reply| (escaped(reply), escaped(reply)))).collect();
        let all = replies.iter().map(|(reply, _)| *reply).chain(whole).collect::<String>();
        for piece in (1..=all.len()).rev() {
            assert_eq!(found(all.as_bytes(), piece, 1000).unwrap(), expected, "in pieces of {piece}");
        }
    }

    #[test]
    fn what_answers_nothing_is_passed_over() {
        let all = "|1\r\n+ttl\r\n*1\r\n:9\r\n$1\r\na\r\n>2\r\n+message\r\n$2\r\nhi\r\n+OK\r\n";
        for piece in 1..=all.len() {
            let texts: Vec<_> =
                found(all.as_bytes(), piece, 1000).unwrap().into_iter().map(|(_, text)| text).collect();
            assert_eq!(texts, ["a", "OK"], "in pieces of {piece}");
        }
    }

    #[test]
    fn the_longest_reply_passes_and_a_longer_one_does_not() {
        for (reply, length) in [("$5\r\nhello\r\n", 11), ("*2\r\n:1\r\n:2\r\n", 12), ("+hello\r\n", 8)] {
            assert_eq!(reply.len(), length);
            for (max, passes) in [(length - 1, false), (length, true), (length + 1, true)] {
                for piece in [1, length] {
                    let found = found(reply.as_bytes(), piece, max);
                    assert_eq!(
                        found.is_ok(),
                        passes,
                        "{reply:?}, at most {max}, in pieces of {piece}: {found:?}"
                    );
                }
            }
        }
        // Before its bytes come.
        assert!(matches!(Resp::new(9).find(b"$10\r\n"), Found::Broken(_)));
        assert!(matches!(Resp::new(9).find(b"$9\r\n"), Found::More));
        assert!(matches!(Resp::new(9).find(b"+123456789"), Found::Broken(_)));
        assert!(matches!(Resp::new(9).find(b"+12345678"), Found::More));
    }

    #[test]
    fn what_is_no_reply_is_told() {
        for (input, expected) in [
            ("HTTP/1.1 200 OK\r\n", "`H` begins no reply"),
            ("\r\n", "does not end with a carriage return"),
            ("+OK\n", "does not end with a carriage return"),
            ("\n", "does not end with"),
            ("$x\r\n", "`x` is no count"),
            ("$-2\r\n", "`-2` is no count"),
            ("$+1\r\n", "`+1` is no count"),
            ("$99999999999999999999\r\n", "is no count"),
            ("$18446744073709551615\r\n", "more than 1000 bytes"),
            ("$1\r\nab\r\n", "does not end where it should"),
            ("*1\r\n?\r\n", "`?` begins no reply"),
        ] {
            let error = found(input.as_bytes(), 1, 1000).unwrap_err();
            assert!(error.contains(expected), "{input:?}: {error}");
        }
        // As many elements as there can be need no memory.
        for input in ["*18446744073709551615\r\n*18446744073709551615\r\n", "%18446744073709551615\r\n"] {
            assert!(matches!(Resp::new(1000).find(input.as_bytes()), Found::More));
        }
    }

    #[test]
    fn errors_are_told_from_answers() {
        for (reply, kind) in [
            ("+OK\r\n", Kind::Answer),
            ("$5\r\n-ERR \r\n", Kind::Answer),
            ("*1\r\n-ERR x\r\n", Kind::Answer),
            ("-ERR unknown command\r\n", Kind::Refusal),
            ("-WRONGTYPE x\r\n", Kind::Refusal),
            ("!5\r\nERR x\r\n", Kind::Refusal),
            ("-ERR busy\r\n", Kind::Busy),
            ("-ERR max number of clients reached\r\n", Kind::Busy),
            ("-ERR shutting-down\r\n", Kind::Farewell),
        ] {
            assert_eq!(Resp::kind(reply.as_bytes()), kind, "{reply}");
        }
    }
}
