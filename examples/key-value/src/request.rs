//! An incremental parser of commands.

mod words;

use anyloop::ErrorReply;
use memchr::memchr;

use self::words::split;
use crate::number::number;

/// The parser of the current command. It remembers its position, so that a long command that arrives in pieces is
/// scanned once.
pub(crate) struct Request {
    /// The longest command, in bytes as sent.
    max: usize,
    /// How many bytes of the input were scanned.
    at: usize,
    stage: Stage,
    /// The words of a line, without their quotes. An array's arguments stay in the input.
    words: Vec<u8>,
    /// The ranges of the arguments.
    places: Vec<(u32, u32)>,
}

/// The next expected element.
#[derive(Clone, Copy)]
enum Stage {
    /// A command.
    Begin,
    /// The length of an argument; this number of arguments remain.
    Length { left: usize },
    /// An argument of this length, and its line end.
    Bytes { left: usize, length: usize },
}

/// The result of parsing.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Parsed {
    /// No complete command yet.
    More,
    /// An empty line or array, which is not a command.
    Empty { used: usize },
    /// A command, which now has its [`Arguments`].
    Command { used: usize },
    /// The input is not a valid command.
    Broken(ErrorReply),
}

/// The words of a command, of which there is at least one.
#[derive(Clone, Copy)]
pub(crate) struct Arguments<'a> {
    bytes: &'a [u8],
    places: &'a [(u32, u32)],
}

/// The minimal size of an argument of an array: `$0`, and two line ends.
const SHORTEST: usize = 6;

/// The longest line with a number, with its end.
const LONGEST_NUMBER: usize = 24;

/// The maximal memory that is kept for the next command, in ranges and in bytes of words.
const RETAINED: (usize, usize) = (16, 128);

impl Request {
    pub(crate) fn new(max: usize) -> Self {
        let max = max.min(u32::MAX as usize); // places are stored in 32 bits
        Self { max, at: 0, stage: Stage::Begin, words: Vec::new(), places: Vec::new() }
    }

    /// Continues parsing where it stopped the last time.
    pub(crate) fn parse(&mut self, input: &[u8]) -> Parsed {
        let parsed = loop {
            let step = match self.stage {
                Stage::Begin => self.begin(input),
                Stage::Length { left } => self.length(input, left),
                Stage::Bytes { left, length } => self.bytes(input, left, length),
            };
            match step {
                Step::On(stage) => self.stage = stage,
                Step::Over(Parsed::More) => return Parsed::More,
                Step::Over(parsed) => break parsed,
            }
        };
        (self.at, self.stage) = (0, Stage::Begin);
        parsed
    }

    /// The arguments of the command that was found in this input.
    pub(crate) fn arguments<'a>(&'a self, input: &'a [u8]) -> Arguments<'a> {
        Arguments { bytes: if self.words.is_empty() { input } else { &self.words }, places: &self.places }
    }

    /// Removes the arguments and frees their memory; has to be called before the next command is parsed.
    pub(crate) fn clear(&mut self) {
        self.words.clear();
        self.words.shrink_to(RETAINED.1);
        self.places.clear();
        self.places.shrink_to(RETAINED.0);
    }

    fn begin(&mut self, input: &[u8]) -> Step {
        match input.first() {
            None => Step::Over(Parsed::More),
            Some(b'*') => match self.announced(input, "invalid multibulk length") {
                Ok(left) if left > self.most_arguments() => self.too_long(),
                Ok(left @ 1..) => Step::On(Stage::Length { left: left as usize }),
                Ok(..=0) => Step::Over(Parsed::Empty { used: self.at }),
                Err(parsed) => Step::Over(parsed),
            },
            Some(_) => self.line(input),
        }
    }

    /// A line of words.
    fn line(&mut self, input: &[u8]) -> Step {
        let Some(found) = memchr(b'\n', &input[self.at..]) else {
            self.at = input.len();
            return if self.at >= self.max { self.too_long() } else { Step::Over(Parsed::More) };
        };
        let end = self.at + found;
        let used = end + 1;
        if used > self.max {
            return self.too_long();
        }
        // One carriage return may precede the line feed.
        let line = input[..end].strip_suffix(b"\r").unwrap_or(&input[..end]);
        if split(line, &mut self.words, &mut self.places).is_err() {
            return broken("unbalanced quotes in request");
        }
        Step::Over(if self.places.is_empty() { Parsed::Empty { used } } else { Parsed::Command { used } })
    }

    fn length(&mut self, input: &[u8], left: usize) -> Step {
        match input.get(self.at) {
            None => Step::Over(Parsed::More),
            Some(b'$') => match self.announced(input, INVALID_LENGTH) {
                Ok(..0) => broken(INVALID_LENGTH),
                Ok(length) if length > self.room(left) => self.too_long(),
                Ok(length) => Step::On(Stage::Bytes { left, length: length as usize }),
                Err(parsed) => Step::Over(parsed),
            },
            Some(_) => broken("expected '$' and the length of an argument"),
        }
    }

    fn bytes(&mut self, input: &[u8], left: usize, length: usize) -> Step {
        let end = self.at + length;
        let Some(line_end) = input.get(end..end + 2) else { return Step::Over(Parsed::More) };
        if line_end != b"\r\n" {
            return broken("expected a line end behind an argument");
        }
        self.places.push((self.at as u32, end as u32));
        self.at = end + 2;
        match left {
            1 => Step::Over(Parsed::Command { used: self.at }),
            _ => Step::On(Stage::Length { left: left - 1 }),
        }
    }

    /// The number in a line such as `*3`; moves the position after it.
    fn announced(&mut self, input: &[u8], otherwise: &'static str) -> Result<i64, Parsed> {
        let line = &input[self.at + 1..];
        let invalid = Parsed::Broken(ErrorReply::malformed(otherwise));
        let Some(end) = line.iter().take(LONGEST_NUMBER).position(|&byte| byte == b'\n') else {
            return Err(if line.len() < LONGEST_NUMBER { Parsed::More } else { invalid });
        };
        self.at += 1 + end + 1;
        line[..end].strip_suffix(b"\r").and_then(number).ok_or(invalid)
    }

    /// The maximal number of arguments, if they are empty.
    fn most_arguments(&self) -> i64 {
        (self.max.saturating_sub(self.at) / SHORTEST) as i64
    }

    /// The maximal length of the current argument, if the remaining ones have the minimal size.
    fn room(&self, left: usize) -> i64 {
        let taken = self.at + 2 + (left - 1) * SHORTEST;
        self.max as i64 - taken as i64
    }

    fn too_long(&self) -> Step {
        Step::Over(Parsed::Broken(ErrorReply::TooLong { max: self.max }))
    }
}

/// How it goes on.
enum Step {
    On(Stage),
    Over(Parsed),
}

const INVALID_LENGTH: &str = "invalid bulk length";

fn broken(why: &'static str) -> Step {
    Step::Over(Parsed::Broken(ErrorReply::malformed(why)))
}

impl<'a> Arguments<'a> {
    /// How many there are, with the command's name.
    pub(crate) fn len(self) -> usize {
        self.places.len()
    }

    /// All of them, from this one on.
    pub(crate) fn from(self, first: usize) -> impl ExactSizeIterator<Item = &'a [u8]> + Clone {
        let bytes = self.bytes;
        self.places[first.min(self.len())..]
            .iter()
            .map(move |&(begin, end)| &bytes[begin as usize..end as usize])
    }

    /// The first is the command's name. A missing argument is empty.
    pub(crate) fn get(self, index: usize) -> &'a [u8] {
        self.from(index).next().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
