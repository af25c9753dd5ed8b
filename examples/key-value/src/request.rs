//! What a client asks for, parsed as it comes.

use common::ErrorReply;
use memchr::memchr;

/// The command at hand. It remembers how far it has looked, so that a long one which comes in pieces is looked at
/// once.
pub(crate) struct Request {
    /// The longest command, in bytes as sent.
    max: usize,
    /// How much of the input was looked at.
    at: usize,
    stage: Stage,
    /// Where in the input the arguments stand: begin and end.
    arguments: Vec<(u32, u32)>,
}

/// What is looked for next.
#[derive(Clone, Copy)]
enum Stage {
    /// A command.
    Begin,
    /// The length of an argument; so many are to come.
    Length { left: usize },
    /// An argument of this length, and its line end.
    Bytes { left: usize, length: usize },
}

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Parsed {
    /// No whole command yet.
    More,
    /// Nothing that asks for anything: an empty line or array.
    Empty { used: usize },
    /// A command, which now has its [`Arguments`].
    Command { used: usize },
    /// What came is no command.
    Broken(ErrorReply),
}

/// The words of a command, of which there is at least one.
#[derive(Clone, Copy)]
pub(crate) struct Arguments<'a> {
    input: &'a [u8],
    places: &'a [(u32, u32)],
}

/// The fewest bytes that an argument of an array takes: `$0`, and two line ends.
const SHORTEST: usize = 6;

/// The longest line that announces a number, with its end.
const LONGEST_NUMBER: usize = 24;

/// As many places are kept for the next command.
const RETAINED: usize = 16;

impl Request {
    pub(crate) fn new(max: usize) -> Self {
        let max = max.min(u32::MAX as usize); // places are stored in 32 bits
        Self { max, at: 0, stage: Stage::Begin, arguments: Vec::new() }
    }

    /// Looks at the input from where it has stopped the last time.
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
        Arguments { input, places: &self.arguments }
    }

    fn begin(&mut self, input: &[u8]) -> Step {
        self.arguments.clear();
        self.arguments.shrink_to(RETAINED);
        match input.first() {
            None => Step::Over(Parsed::More),
            Some(b'*') => match self.number(input) {
                Ok(left @ 1..) if left.saturating_mul(SHORTEST).saturating_add(self.at) > self.max => {
                    self.too_long()
                }
                Ok(left @ 1..) => Step::On(Stage::Length { left }),
                Ok(0) => Step::Over(Parsed::Empty { used: self.at }),
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
        let mut word = None;
        for (at, byte) in input[..used].iter().enumerate() {
            match (byte.is_ascii_whitespace(), word) {
                (false, None) => word = Some(at),
                (true, Some(begin)) => {
                    self.arguments.push((begin as u32, at as u32));
                    word = None;
                }
                _ => {}
            }
        }
        let is_empty = self.arguments.is_empty();
        Step::Over(if is_empty { Parsed::Empty { used } } else { Parsed::Command { used } })
    }

    fn length(&mut self, input: &[u8], left: usize) -> Step {
        match input.get(self.at) {
            None => Step::Over(Parsed::More),
            Some(b'$') => match self.number(input) {
                // What is still to come, at the least.
                Ok(length) if (self.at + (left - 1) * SHORTEST + 2).saturating_add(length) > self.max => {
                    self.too_long()
                }
                Ok(length) => Step::On(Stage::Bytes { left, length }),
                Err(parsed) => Step::Over(parsed),
            },
            Some(_) => broken("no length of an argument"),
        }
    }

    fn bytes(&mut self, input: &[u8], left: usize, length: usize) -> Step {
        let end = self.at + length;
        let Some(line_end) = input.get(end..end + 2) else { return Step::Over(Parsed::More) };
        if line_end != b"\r\n" {
            return broken("no line end behind an argument");
        }
        self.arguments.push((self.at as u32, end as u32));
        self.at = end + 2;
        match left {
            1 => Step::Over(Parsed::Command { used: self.at }),
            _ => Step::On(Stage::Length { left: left - 1 }),
        }
    }

    /// The number of a line such as `*3`, behind which it then stands. An array may have fewer than no elements.
    fn number(&mut self, input: &[u8]) -> Result<usize, Parsed> {
        let line = &input[self.at + 1..];
        let Some(end) = line.iter().take(LONGEST_NUMBER).position(|&byte| byte == b'\n') else {
            return Err(if line.len() < LONGEST_NUMBER { Parsed::More } else { NO_NUMBER });
        };
        let digits = line[..end].strip_suffix(b"\r").and_then(|digits| std::str::from_utf8(digits).ok());
        let number = digits.and_then(|digits| digits.parse::<i64>().ok());
        let number = number.filter(|&number| number >= if input[self.at] == b'*' { -1 } else { 0 });
        self.at += 1 + end + 1;
        number.map_or(Err(NO_NUMBER), |number| Ok(usize::try_from(number).unwrap_or(0)))
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

const NO_NUMBER: Parsed = Parsed::Broken(ErrorReply::Malformed("no number"));

fn broken(why: &'static str) -> Step {
    Step::Over(Parsed::Broken(ErrorReply::Malformed(why)))
}

impl<'a> Arguments<'a> {
    /// How many there are, with the command's name.
    pub(crate) fn len(self) -> usize {
        self.places.len()
    }

    /// All of them, from this one on.
    pub(crate) fn from(self, first: usize) -> impl ExactSizeIterator<Item = &'a [u8]> + Clone {
        let input = self.input;
        self.places[first.min(self.len())..]
            .iter()
            .map(move |&(begin, end)| &input[begin as usize..end as usize])
    }

    /// The first is the command's name. Where there is none, it is empty.
    pub(crate) fn get(self, index: usize) -> &'a [u8] {
        self.from(index).next().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
