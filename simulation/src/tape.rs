//! The tape: the source of all choices of a run.
//!
//! It is the idea of the crate `arbtest`, which is not used: that shrinks by drawing shorter tapes anew until one of them fails
//! too, knows a failure by its seed alone, and takes the lengths of collections from the end of the tape. Here a failing tape
//! itself becomes shorter, and is a file that replays the failure without the seed.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// A finite tape of random bytes, which makes all choices of a run. When it is over, no more faults occur and every number is
/// zero, so a shorter tape is a simpler run.
#[derive(Clone, Debug)]
pub struct Tape {
    bytes: Vec<u8>,
    position: usize,
}

/// The lengths of the tapes that seeds expand to.
const LENGTHS: [usize; 8] = [128, 256, 512, 512, 1024, 1024, 2048, MOST_BYTES];
const MOST_BYTES: usize = 4096;

/// The most bytes of a file with a tape, comments included. A run writes some 10 KiB.
const MOST_TEXT: u64 = 1024 * 1024;

impl Tape {
    /// A tape with these bytes.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, position: 0 }
    }

    /// The tape that a seed expands to.
    pub fn from_seed(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let length = LENGTHS[random.usize(..LENGTHS.len())];
        let mut bytes = vec![0; length];
        random.fill(&mut bytes);
        Self::new(bytes)
    }

    /// Reads a tape from a file.
    ///
    /// # Errors
    /// If the file can't be read, or is no tape. The text of the error names the file.
    pub fn read(file: &Path) -> Result<Self, String> {
        let mut text = Vec::new();
        let read = File::open(file).and_then(|opened| opened.take(MOST_TEXT + 1).read_to_end(&mut text));
        let parsed = match read {
            Err(error) => Err(error.to_string()),
            Ok(_) if text.len() as u64 > MOST_TEXT => {
                Err(format!("it is longer than {} KiB, and so it is no tape", MOST_TEXT / 1024))
            }
            Ok(_) => Self::parse(&text),
        };
        parsed.map_err(|error| format!("{}: {error}", file.display()))
    }

    /// Parses a tape as text: hexadecimal bytes, and comments from `#` to the end of their line.
    ///
    /// # Errors
    /// If there is anything else, or not a single byte, or more than the tape of a seed has.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let (mut digits, mut last_line) = (Vec::new(), 0);
        for (number, line) in (1..).zip(text.split(|&byte| byte == b'\n')) {
            let content = line.split(|&byte| byte == b'#').next().unwrap_or_default();
            for digit in String::from_utf8_lossy(content).chars().filter(|digit| !digit.is_whitespace()) {
                let value = digit.to_digit(16).ok_or_else(|| {
                    let shown = digit.escape_debug();
                    format!("line {number}: `{shown}` is no hexadecimal digit; write comments behind `#`")
                })?;
                digits.push(value as u8);
                last_line = number;
            }
        }
        match (digits.len() / 2, digits.len() % 2) {
            (0, 0) => Err("it has no bytes; give a file that a failed run has written".into()),
            (_, 1) => Err(format!(
                "line {last_line}: the tape ends within a byte, so something is missing; copy all of it"
            )),
            (count, _) if count > MOST_BYTES => {
                Err(format!("line {last_line}: {count} bytes are too many; a tape has at most {MOST_BYTES}"))
            }
            _ => Ok(Self::new(digits.chunks(2).map(|digits| digits[0] << 4 | digits[1]).collect())),
        }
    }

    /// The tape as text, after a comment.
    pub fn to_text(&self, comment: &str) -> String {
        let mut text: String = comment.lines().map(|line| format!("# {line}\n")).collect();
        for line in self.bytes.chunks(32) {
            line.iter().for_each(|byte| text.push_str(&format!("{byte:02x}")));
            text.push('\n');
        }
        text
    }

    /// All its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether all bytes were used.
    pub fn is_over(&self) -> bool {
        self.position >= self.bytes.len()
    }

    /// A number below `bound`, which is at most 65,536. Zero at the end of the tape.
    pub fn below(&mut self, bound: usize) -> usize {
        if bound <= 1 {
            return 0;
        }
        if bound <= 256 {
            return usize::from(self.next().unwrap_or(0)) * bound / 256;
        }
        let high = usize::from(self.next().unwrap_or(0));
        (high << 8 | usize::from(self.next().unwrap_or(0))) * bound / 65_536
    }

    /// Whether an event occurs that has this chance of 256. Never at the end of the tape.
    pub fn chance(&mut self, of_256: u8) -> bool {
        of_256 > 0 && self.next().is_some_and(|byte| byte < of_256)
    }

    /// One of the items.
    pub fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }

    /// Puts the items in any order. At the end of the tape they stay as they are.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for index in 0..items.len() {
            items.swap(index, index + self.below(items.len() - index));
        }
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.bytes.get(self.position).copied();
        self.position += 1;
        byte
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_tape_that_is_over_makes_the_simplest_choices() {
        let mut tape = Tape::new(vec![255, 0]);
        assert_eq!((tape.below(3), tape.chance(1), tape.is_over()), (2, true, true));
        assert_eq!((tape.below(1000), tape.chance(255), tape.pick(&['a', 'b'])), (0, false, 'a'));
    }

    #[test]
    fn a_tape_is_text_with_comments() {
        let tape = Tape::from_seed(3);
        let parsed = Tape::parse(tape.to_text("What it shows.\nAnd more: é.").as_bytes()).unwrap();
        assert_eq!(parsed.bytes(), tape.bytes());
        assert_eq!(Tape::parse(b"0 0f\r\n# 12 \xff\nF\tf0").unwrap().bytes(), [0x00, 0xff, 0xf0]);
    }

    #[test]
    fn what_is_no_tape_is_refused_with_its_line() {
        let too_long = "00\n".repeat(MOST_BYTES + 1);
        for (text, error) in [
            ("", "it has no bytes; give a file that a failed run has written"),
            ("# none\n \n", "it has no bytes; give a file that a failed run has written"),
            ("00\n+f", "line 2: `+` is no hexadecimal digit; write comments behind `#`"),
            ("00 é\n", "line 1: `é` is no hexadecimal digit; write comments behind `#`"),
            ("\0", "line 1: `\\0` is no hexadecimal digit; write comments behind `#`"),
            (
                "# cut\n00f\n# off\n",
                "line 2: the tape ends within a byte, so something is missing; copy all of it",
            ),
            (&too_long, "line 4097: 4097 bytes are too many; a tape has at most 4096"),
        ] {
            assert_eq!(Tape::parse(text.as_bytes()).unwrap_err(), error);
        }
        assert!(Tape::parse("00\n".repeat(MOST_BYTES).as_bytes()).is_ok());
    }

    #[test]
    fn items_are_put_in_every_order_and_at_the_end_in_none() {
        let shuffled = |tape: &mut Tape| {
            let mut items = ['a', 'b', 'c'];
            tape.shuffle(&mut items);
            items
        };
        let tape = &mut Tape::from_seed(5);
        let orders: BTreeSet<_> = (0..40).map(|_| shuffled(tape)).collect();
        assert_eq!(orders.len(), 6, "{orders:?}");
        assert_eq!(shuffled(&mut Tape::new(Vec::new())), ['a', 'b', 'c']);
        assert_eq!(shuffled(&mut Tape::new(vec![255])), ['c', 'b', 'a']);
    }

    #[test]
    fn numbers_cover_their_range() {
        let mut tape = Tape::from_seed(7);
        for bound in [2, 7, 256, 300] {
            let numbers: Vec<_> = (0..40).map(|_| tape.below(bound)).collect();
            assert!(numbers.iter().all(|&number| number < bound), "{numbers:?}");
            assert!(numbers.iter().max() > Some(&(bound / 3)), "{numbers:?}");
        }
        assert_eq!(Tape::from_seed(7).bytes(), Tape::from_seed(7).bytes());
        assert_ne!(Tape::from_seed(7).bytes(), Tape::from_seed(8).bytes());
    }
}
