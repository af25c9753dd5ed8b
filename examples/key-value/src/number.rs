//! Whole numbers as Redis parses them: only the canonical form is accepted.

/// Parses a number. `+5`, `007`, `-0` and ` 5` are invalid, since they are not the canonical form.
pub(crate) fn number(digits: &[u8]) -> Option<i64> {
    match digits {
        b"0" => Some(0),
        [b'1'..=b'9', ..] | [b'-', b'1'..=b'9', ..] => std::str::from_utf8(digits).ok()?.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_written_in_one_way() {
        for expected in [0, 7, 10, -1, i64::MAX, i64::MIN] {
            assert_eq!(number(expected.to_string().as_bytes()), Some(expected));
        }
        for digits in
            ["", "+5", "007", "-0", "-07", "-", "--1", "-+1", " 5", "5 ", "5x", "1_0", "1.0", "0x10", "९"]
        {
            assert_eq!(number(digits.as_bytes()), None, "{digits}");
        }
        for beyond in ["9223372036854775808", "-9223372036854775809", "11111111111111111111111111"] {
            assert_eq!(number(beyond.as_bytes()), None, "{beyond}");
        }
    }
}
