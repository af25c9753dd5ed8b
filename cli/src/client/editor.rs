//! One line being typed: bytes of a keyboard go in, lines and what to show come out. No I/O.
//!
//! A library that waits for keys can't be told, while it waits, that the server has ended the conversation.
//! Here whoever waits, waits for both.

use unicode_width::UnicodeWidthStr;

use crate::escape::escaped;

/// A line that is being typed, and those before it.
#[derive(Default)]
pub(super) struct Editor {
    line: Vec<char>,
    /// Before which character the cursor stands.
    cursor: usize,
    history: Vec<Vec<char>>,
    /// Which line of the history is shown; behind the last is the draft.
    recalled: usize,
    draft: Vec<char>,
    key: Key,
}

/// What came of a byte.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Typed {
    /// A line was ended.
    Line(String),
    /// Ctrl-C, or Ctrl-D where nothing is typed: the end.
    Leave,
}

/// How much of a key has come: some send several bytes.
#[derive(Default)]
enum Key {
    #[default]
    None,
    Character(Vec<u8>),
    Escape,
    Sequence(Vec<u8>),
}

impl Editor {
    /// Takes one byte from the keyboard.
    pub(super) fn take(&mut self, byte: u8) -> Option<Typed> {
        match std::mem::take(&mut self.key) {
            Key::None => return self.plain(byte),
            Key::Character(mut bytes) => {
                bytes.push(byte);
                self.character(bytes);
            }
            Key::Escape if matches!(byte, b'[' | b'O') => self.key = Key::Sequence(Vec::new()),
            Key::Escape => {} // some chord with Alt
            Key::Sequence(bytes) if (0x40..=0x7e).contains(&byte) => self.sequence(&bytes, byte),
            Key::Sequence(mut bytes) if bytes.len() < LONGEST_SEQUENCE => {
                bytes.push(byte);
                self.key = Key::Sequence(bytes);
            }
            Key::Sequence(_) => {}
        }
        None
    }

    /// What to write so that the row shows `prompt`, the line and the cursor, on a terminal of so many
    /// columns. Of a line that is too long, the part around the cursor is shown.
    pub(super) fn row(&self, prompt: &str, columns: usize) -> String {
        let room = columns.saturating_sub(prompt.width() + 1).max(1);
        let cells: Vec<_> = self.line.iter().map(cell).collect();
        let widths: Vec<_> = cells.iter().map(|cell| cell.width()).collect();
        let mut start = 0;
        let mut left: usize = widths[..self.cursor].iter().sum();
        while left > room {
            left -= widths[start];
            start += 1;
        }
        let mut used = 0;
        let fits = |&(_, width): &(&String, &usize)| {
            used += width;
            used <= room
        };
        let shown: String = cells[start..]
            .iter()
            .zip(&widths[start..])
            .take_while(fits)
            .map(|(cell, _)| cell.as_str())
            .collect();
        let column = prompt.width() + left;
        let to_cursor = if column > 0 { format!("\x1b[{column}C") } else { String::new() };
        format!("\r{prompt}{shown}\x1b[K\r{to_cursor}")
    }

    fn plain(&mut self, byte: u8) -> Option<Typed> {
        match byte {
            b'\r' | b'\n' => return Some(Typed::Line(self.end_line())),
            0x03 if self.line.is_empty() => return Some(Typed::Leave), // Ctrl-C
            0x03 => self.replace(Vec::new()),
            0x04 if self.line.is_empty() => return Some(Typed::Leave), // Ctrl-D
            0x04 => self.delete(self.cursor, self.cursor + 1),
            0x01 => self.cursor = 0,                            // Ctrl-A
            0x05 => self.cursor = self.line.len(),              // Ctrl-E
            0x02 => self.left(),                                // Ctrl-B
            0x06 => self.right(),                               // Ctrl-F
            0x10 => self.recall(self.recalled.wrapping_sub(1)), // Ctrl-P
            0x0e => self.recall(self.recalled + 1),             // Ctrl-N
            0x08 | 0x7f => self.delete(self.cursor.saturating_sub(1), self.cursor),
            0x0b => self.delete(self.cursor, self.line.len()), // Ctrl-K
            0x15 => self.delete(0, self.cursor),               // Ctrl-U
            0x17 => self.delete(self.word_start(), self.cursor), // Ctrl-W
            0x1b => self.key = Key::Escape,
            b'\t' | b' '..=b'~' => self.insert(char::from(byte)),
            0x80.. => self.character(vec![byte]),
            _ => {}
        }
        None
    }

    /// Keys that send `ESC [` or `ESC O`, perhaps a number, and a last byte.
    fn sequence(&mut self, number: &[u8], last: u8) {
        match (number, last) {
            (_, b'A') => self.recall(self.recalled.wrapping_sub(1)),
            (_, b'B') => self.recall(self.recalled + 1),
            (_, b'C') => self.right(),
            (_, b'D') => self.left(),
            (_, b'H') | (b"1" | b"7", b'~') => self.cursor = 0,
            (_, b'F') | (b"4" | b"8", b'~') => self.cursor = self.line.len(),
            (b"3", b'~') => self.delete(self.cursor, self.cursor + 1),
            _ => {}
        }
    }

    /// The bytes of a character that is not ASCII, as far as they have come. What is no UTF-8 is left out.
    fn character(&mut self, bytes: Vec<u8>) {
        match std::str::from_utf8(&bytes) {
            Ok(text) => text.chars().for_each(|character| self.insert(character)),
            Err(error) if error.error_len().is_none() => self.key = Key::Character(bytes),
            Err(_) => {}
        }
    }

    fn insert(&mut self, character: char) {
        if self.line.len() < LONGEST_LINE {
            self.line.insert(self.cursor, character);
            self.cursor += 1;
        }
    }

    fn delete(&mut self, from: usize, to: usize) {
        self.line.drain(from..to.min(self.line.len()));
        self.cursor = from;
    }

    fn left(&mut self) {
        self.cursor = self.cursor.saturating_sub(1);
    }

    fn right(&mut self) {
        self.cursor = (self.cursor + 1).min(self.line.len());
    }

    /// Where the word in front of the cursor begins.
    fn word_start(&self) -> usize {
        let before = &self.line[..self.cursor];
        let word_end = before.iter().rposition(|character| *character != ' ').map_or(0, |at| at + 1);
        before[..word_end].iter().rposition(|character| *character == ' ').map_or(0, |at| at + 1)
    }

    /// Shows another line of the history, if there is one.
    fn recall(&mut self, at: usize) {
        if at > self.history.len() {
            return;
        }
        if self.recalled == self.history.len() {
            self.draft.clone_from(&self.line);
        }
        let line = self.history.get(at).unwrap_or(&self.draft).clone();
        self.replace(line);
        self.recalled = at;
    }

    fn replace(&mut self, line: Vec<char>) {
        self.cursor = line.len();
        self.line = line;
    }

    fn end_line(&mut self) -> String {
        let line = std::mem::take(&mut self.line);
        let text = line.iter().collect();
        if !line.is_empty() && self.history.last() != Some(&line) {
            if self.history.len() == LONGEST_HISTORY {
                self.history.remove(0);
            }
            self.history.push(line);
        }
        self.cursor = 0;
        self.recalled = self.history.len();
        text
    }
}

/// How a character is shown.
fn cell(character: &char) -> String {
    escaped(character.encode_utf8(&mut [0; 4]).as_bytes()).to_string()
}

/// How many characters one can type in a line: as many as a message has bytes by default.
const LONGEST_LINE: usize = 64 * 1024;
/// How many lines are remembered.
const LONGEST_HISTORY: usize = 1000;
/// The longest sequences that terminals send for a key have some ten bytes.
const LONGEST_SEQUENCE: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(editor: &mut Editor, keys: &str) -> Vec<Typed> {
        keys.bytes().filter_map(|byte| editor.take(byte)).collect()
    }

    /// The line that comes of these keys.
    fn line(keys: &str) -> String {
        match typed(&mut Editor::default(), &format!("{keys}\r")).pop() {
            Some(Typed::Line(line)) => line,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_line_is_edited() {
        for (keys, expected) in [
            ("hello", "hello"),
            ("你好", "你好"),
            ("a\tb", "a\tb"),
            ("helo\x1b[Dl", "hello"),
            ("bc\x01a\x05d", "abcd"),
            ("bc\x1b[Ha\x1bOFd", "abcd"),
            ("ax\x7fb\x08c", "ac"),
            ("你好\x7f吗", "你吗"),
            ("abc\x1b[D\x1b[D\x1b[3~", "ac"),
            ("abc\x02\x04", "ab"),
            ("abc\x1b[D\x0b", "ab"),
            ("abc\x1b[D\x15", "c"),
            ("one two  \x17three", "one three"),
            ("\x17\x7f\x0b\x15\x1b[3~\x1b[D\x1b[Ca", "a"),
            ("gone\x03here", "here"),
            ("\x1bxa\x1b[1;5Zb\x1b[99~", "ab"),
            ("\x00\x07\x1cq", "q"),
        ] {
            assert_eq!(line(keys), expected, "{keys:?}");
        }
        assert!("\u{fffd}".bytes().chain([0xff, b'a']).all(|byte| Editor::default().take(byte).is_none()));
    }

    #[test]
    fn earlier_lines_come_back() {
        let mut editor = Editor::default();
        typed(&mut editor, "one\rtwo\rtwo\r\r");
        assert_eq!(typed(&mut editor, "\x1b[A\r"), [Typed::Line("two".into())]);
        assert_eq!(typed(&mut editor, "\x1b[A\x1b[A\x1b[A\r"), [Typed::Line("one".into())]);
        assert_eq!(typed(&mut editor, "dra\x10\x0eft\r"), [Typed::Line("draft".into())]);
        assert_eq!(typed(&mut editor, "\x10\x10!\r"), [Typed::Line("one!".into())]);
        assert_eq!(typed(&mut editor, "\x0e\r"), [Typed::Line(String::new())]);
    }

    #[test]
    fn one_can_leave_where_nothing_is_typed() {
        assert_eq!(typed(&mut Editor::default(), "\x04"), [Typed::Leave]);
        assert_eq!(typed(&mut Editor::default(), "\x03"), [Typed::Leave]);
        assert_eq!(typed(&mut Editor::default(), "a\x04\x03"), []);
    }

    #[test]
    fn the_row_shows_the_line_and_the_cursor() {
        for (keys, columns, expected) in [
            ("", 80, "\r> \x1b[K\r\x1b[2C"),
            ("hi", 80, "\r> hi\x1b[K\r\x1b[4C"),
            ("hi\x02", 80, "\r> hi\x1b[K\r\x1b[3C"),
            ("你好", 80, "\r> 你好\x1b[K\r\x1b[6C"),
            ("a\tb", 80, "\r> a\\tb\x1b[K\r\x1b[6C"),
            ("12345678", 8, "\r> 45678\x1b[K\r\x1b[7C"),
            ("12345678\x01", 8, "\r> 12345\x1b[K\r\x1b[2C"),
            ("一二三四", 8, "\r> 三四\x1b[K\r\x1b[6C"),
            ("12", 0, "\r> 2\x1b[K\r\x1b[3C"),
        ] {
            let mut editor = Editor::default();
            typed(&mut editor, keys);
            assert_eq!(editor.row("> ", columns), expected, "{keys:?}");
        }
    }

    #[test]
    fn what_could_direct_the_terminal_is_shown_escaped() {
        let mut editor = Editor::default();
        typed(&mut editor, "\u{202e}\u{9b}");
        assert!(editor.row("", 80).contains(r"\u{202e}\u{9b}"));
    }
}
