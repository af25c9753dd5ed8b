//! Splits a line into words, which may be quoted.

/// Splits a line into its words. Their bytes are added to `bytes`, and their ranges in it to `places`.
///
/// Between double quotes `\xHH` stands for a byte, `\n`, `\r`, `\t`, `\b` and `\a` stand for control characters, and
/// a backslash in front of anything else stands for that. Between single quotes `\'` stands for a quote. A quote
/// that doesn't end, or doesn't end its word, is an error.
pub(super) fn split(
    mut line: &[u8],
    bytes: &mut Vec<u8>,
    places: &mut Vec<(u32, u32)>,
) -> Result<(), Unbalanced> {
    loop {
        while let [byte, rest @ ..] = line
            && is_space(*byte)
        {
            line = rest;
        }
        if line.is_empty() {
            return Ok(());
        }
        let begin = bytes.len();
        line = word(line, bytes)?;
        places.push((begin as u32, bytes.len() as u32));
    }
}

/// The quotes are unbalanced.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unbalanced;

/// Parses a word at the beginning of a line, and returns the rest.
fn word<'a>(mut line: &'a [u8], bytes: &mut Vec<u8>) -> Result<&'a [u8], Unbalanced> {
    let mut quote = None;
    loop {
        let (byte, rest) = match (quote, line) {
            (None, [] | [b' ' | b'\t' | b'\r', ..]) => return Ok(line),
            (None, [begin @ (b'"' | b'\''), rest @ ..]) => {
                (quote, line) = (Some(*begin), rest);
                continue;
            }
            (Some(_), []) => return Err(Unbalanced),
            (Some(end), [byte, rest @ ..]) if *byte == end => {
                let ends_word = rest.first().is_none_or(|&byte| is_space(byte));
                return if ends_word { Ok(rest) } else { Err(Unbalanced) };
            }
            (Some(b'"'), [b'\\', b'x', high, low, rest @ ..])
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                (16 * digit(*high) + digit(*low), rest)
            }
            (Some(b'"'), [b'\\', byte, rest @ ..]) => (escaped(*byte), rest),
            (Some(b'\''), [b'\\', b'\'', rest @ ..]) => (b'\'', rest),
            (_, [byte, rest @ ..]) => (*byte, rest),
        };
        bytes.push(byte);
        line = rest;
    }
}

fn escaped(byte: u8) -> u8 {
    match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 0x08,
        b'a' => 0x07,
        byte => byte,
    }
}

fn digit(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => byte - b'0',
        _ => byte.to_ascii_lowercase() - b'a' + 10,
    }
}

/// White space as in C's `isspace`. Only three of these characters end an unquoted word.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Result<Vec<String>, Unbalanced> {
        let (mut bytes, mut places) = (Vec::new(), Vec::new());
        split(line.as_bytes(), &mut bytes, &mut places)?;
        let word = |(begin, end)| bytes[begin as usize..end as usize].escape_ascii().to_string();
        Ok(places.into_iter().map(word).collect())
    }

    #[test]
    fn words_are_separated_by_space_and_quotes_keep_it() {
        for (line, expected) in [
            ("", &[][..]),
            (" \t\r\x0b\x0c", &[]),
            ("set k\tv ", &["set", "k", "v"]),
            ("a\rb", &["a", "b"]),
            ("a\x0bb", &["a\\x0bb"]),
            (r#"set "a b" 'c d'"#, &["set", "a b", "c d"]),
            (r#""" ''"#, &["", ""]),
            (r#"a"b c""#, &["ab c"]),
            (r#""\x41\x7f\xfF\n\r\t\b\a\q\\\"'""#, &[r#"A\x7f\xff\n\r\t\x08\x07q\\\"\'"#]),
            (r#""\x4" "\xg1""#, &["x4", "xg1"]),
            (r"'\x41\n\'\q\\x'", &[r"\\x41\\n\'\\q\\\\x"]),
            ("'a'\x0b'b'", &["a", "b"]),
        ] {
            assert_eq!(words(line), Ok(expected.iter().map(|&word| word.to_owned()).collect()), "{line}");
        }
    }

    #[test]
    fn quotes_have_to_balance() {
        for line in
            [r#"""#, "'", r#"a "b"#, r#""a"b"#, "'a'b", r#""a""b""#, r#""a\""#, r"'a\'", r#"a"b"'c"#, r#""\"#]
        {
            assert_eq!(words(line), Err(Unbalanced), "{line}");
        }
    }
}
