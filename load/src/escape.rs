//! Escapes text from the network, so that it can't affect a terminal or a log.

use std::fmt;

/// Shows bytes as text. Printable characters of any script are unchanged. Control and format characters, and bytes that
/// are not UTF-8, are escaped as `\n`, `\x1b`, `\u{202e}` or `\xff`.
///
/// The result is for display and can't be unescaped: a backslash is not escaped.
pub fn escaped(bytes: &[u8]) -> Escaped<'_> {
    Escaped { bytes, tabs: false }
}

/// Bytes to show as text.
#[derive(Clone, Copy, Debug)]
pub struct Escaped<'a> {
    bytes: &'a [u8],
    /// Whether tabs are left unchanged.
    tabs: bool,
}

impl Escaped<'_> {
    /// Leaves tabs unchanged.
    #[must_use]
    pub fn with_tabs(self) -> Self {
        Self { tabs: true, ..self }
    }
}

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.bytes.utf8_chunks() {
            let mut text = chunk.valid();
            while let Some(at) =
                text.find(|character| !(is_harmless(character) || self.tabs && character == '\t'))
            {
                f.write_str(&text[..at])?;
                let mut rest = text[at..].chars();
                rest.next().map_or(Ok(()), |character| write_escaped(f, character))?;
                text = rest.as_str();
            }
            f.write_str(text)?;
            chunk.invalid().iter().try_for_each(|byte| write!(f, "\\x{byte:02x}"))?;
        }
        Ok(())
    }
}

fn write_escaped(f: &mut fmt::Formatter<'_>, character: char) -> fmt::Result {
    match character {
        '\0'..='\x1f' | '\x7f' if !matches!(character, '\t' | '\n' | '\r') => {
            write!(f, "\\x{:02x}", u32::from(character))
        }
        _ => write!(f, "{}", character.escape_default()),
    }
}

/// Whether a character is printable and has no other effect.
fn is_harmless(character: char) -> bool {
    match character {
        ' '..='~' => true,
        _ if character.is_control() => false,
        // Line and paragraph separators. Other white space is harmless, such as U+3000 in Chinese.
        '\u{2028}' | '\u{2029}' => false,
        _ if character.is_whitespace() => true,
        _ => is_printable(character),
    }
}

/// Whether std's `Debug` of text leaves the character unchanged, which it doesn't for format characters, surrogates,
/// private and unassigned ones. The character is tested after another one, since std escapes a leading combining mark.
fn is_printable(character: char) -> bool {
    let mut pair = [b' '; 5];
    let length = 1 + character.encode_utf8(&mut pair[1..]).len();
    let Ok(pair) = std::str::from_utf8(&pair[..length]) else { return false };
    pair.escape_debug().count() == 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printable_text_is_unchanged() {
        for text in [
            "",
            "plain text, with 'quotes', \"more\" and a \\backslash",
            "第1條信息:你好,世界!",
            "全角\u{3000}空格",
            "naïve café, e\u{301}",
            "Привет — שלום — مرحبا",
            "हिन्दी ไทย",
            "👍🏽 ❤\u{fe0f} 🇨🇳",
        ] {
            assert_eq!(escaped(text.as_bytes()).to_string(), text);
        }
    }

    #[test]
    fn control_and_format_characters_are_escaped() {
        for (bytes, expected) in [
            (&b"\x1b[2J\x1b]52;c;aGk=\x07"[..], r"\x1b[2J\x1b]52;c;aGk=\x07"),
            (b"a\tb\r\nc\0\x08\x7f", r"a\tb\r\nc\x00\x08\x7f"),
            ("\u{9b}2J\u{85}".as_bytes(), r"\u{9b}2J\u{85}"),
            ("\u{202e}abc\u{2066}\u{2069}".as_bytes(), r"\u{202e}abc\u{2066}\u{2069}"),
            ("\u{200b}\u{200e}\u{feff}\u{ad}\u{61c}".as_bytes(), r"\u{200b}\u{200e}\u{feff}\u{ad}\u{61c}"),
            ("\u{2028}\u{2029}\u{e0041}\u{e000}".as_bytes(), r"\u{2028}\u{2029}\u{e0041}\u{e000}"),
            (b"\xff\xfe ok \xe7\xac", r"\xff\xfe ok \xe7\xac"),
            (b"\xed\xa0\x80", r"\xed\xa0\x80"),
            (b"\xc0\x9b\x9b", r"\xc0\x9b\x9b"),
        ] {
            assert_eq!(escaped(bytes).to_string(), expected);
        }
    }

    #[test]
    fn tabs_can_be_kept() {
        assert_eq!(escaped(b"\ta\tb\n\x1b").with_tabs().to_string(), "\ta\tb\\n\\x1b");
    }

    #[test]
    fn no_control_or_format_character_gets_through() {
        for number in 0..=u32::from(char::MAX) {
            let Some(character) = char::from_u32(number) else { continue };
            let shown = escaped(character.to_string().as_bytes()).to_string();
            let escapes = shown.starts_with('\\') && shown.len() > 1;
            let directs =
                matches!(number, 0x200b..=0x200f | 0x202a..=0x202e | 0x2060..=0x206f | 0xe0000..=0xe007f);
            assert!(escapes || !(character.is_control() || directs), "{number:#x}");
        }
    }
}
