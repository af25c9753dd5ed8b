//! Numbers as the text of a verdict shows them, and other results of a load beside it.

/// A number with spaces between groups of three digits: `38 200`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// The noun behind this number, of which `one` is the singular.
pub fn noun(count: u64, one: &str) -> String {
    format!("{one}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        for (number, text) in
            [(0, "0"), (999, "999"), (1000, "1 000"), (1_234_567, "1 234 567"), (100_000, "100 000")]
        {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn one_thing_is_singular() {
        assert_eq!([0, 1, 2].map(|count| noun(count, "byte")), ["bytes", "byte", "bytes"]);
    }
}
