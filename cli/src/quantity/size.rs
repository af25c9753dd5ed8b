//! Numbers of bytes: `64KiB`, `1.5MiB`, `65536`.

use std::fmt;
use std::str::FromStr;

use super::{Decimal, factor};

/// A number of bytes, at most 1 GiB: `64KiB`, `1.5MiB`, `65536`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub usize);

impl Size {
    /// The most that can be asked for. Nobody's message: sums of such sizes are still far from overflowing.
    pub(crate) const MOST: Self = Self(1 << 30);
}

/// A number of bytes that is more than nothing.
pub(crate) fn size_above_zero(text: &str) -> Result<Size, String> {
    match text.parse()? {
        Size(0) => Err(format!("`{text}` leaves no byte; write 1 or more")),
        size => Ok(size),
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let invalid = || format!("`{text}` is no size; write a number of bytes, such as {EXAMPLES}");
        let (number, unit) = Decimal::begin(text).ok_or_else(invalid)?;
        let unit = factor(&UNITS, unit).ok_or_else(invalid)?;
        let bytes = number
            .times(unit)
            .ok_or_else(|| format!("`{text}` is no whole number of bytes; write one, such as {EXAMPLES}"))?;
        let too_large = || format!("`{text}` is too large; write at most {}", Self::MOST);
        usize::try_from(bytes).ok().filter(|&size| size <= Self::MOST.0).map(Self).ok_or_else(too_large)
    }
}

/// In the largest unit that leaves no remainder.
impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0 as u128;
        let whole = |factor: u128| bytes > 0 && factor > 1 && bytes.is_multiple_of(factor);
        match UNITS.iter().rev().find(|(_, factor)| whole(*factor)) {
            Some((unit, factor)) => write!(f, "{}{unit}", bytes / factor),
            None => write!(f, "{bytes}"),
        }
    }
}

const EXAMPLES: &str = "65536, 64KiB or 1.5MiB";
const UNITS: [(&str, u128); 5] = [("", 1), ("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_written() {
        for (text, bytes, written) in [
            ("0", 0, "0"),
            ("1", 1, "1"),
            ("32B", 32, "32"),
            ("65536", 65_536, "64KiB"),
            ("65537", 65_537, "65537"),
            ("64KiB", 65_536, "64KiB"),
            ("0.5KiB", 512, "512"),
            ("1.5MiB", 1_572_864, "1536KiB"),
            ("1MiB", 1 << 20, "1MiB"),
            ("1GiB", 1 << 30, "1GiB"),
        ] {
            let size: Size = text.parse().unwrap();
            assert_eq!(size.0, bytes, "{text}");
            assert_eq!(size.to_string(), written);
        }
    }

    #[test]
    fn what_is_no_size_says_what_to_write() {
        for (text, expected) in [
            ("", "is no size"),
            ("KiB", "is no size"),
            ("64KB", "such as 65536, 64KiB or 1.5MiB"),
            ("64k", "is no size"),
            ("-1", "is no size"),
            ("1.5", "no whole number of bytes"),
            ("0.3KiB", "no whole number of bytes"),
            ("2GiB", "write at most 1GiB"),
            ("99999999999999999999999", "write at most 1GiB"),
        ] {
            let error = text.parse::<Size>().unwrap_err();
            assert!(error.contains(expected) && error.contains(&format!("`{text}`")), "{error}");
        }
        assert!(size_above_zero("0").unwrap_err().contains("1 or more"));
    }
}
