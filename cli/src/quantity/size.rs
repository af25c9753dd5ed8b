//! Numbers of bytes: `64KiB`, `1.5MiB`, `65536`; and the sizes of messages: `32`, `uniform:16-512`, `list:32,64,512`.

use std::fmt;
use std::str::FromStr;

use load::plan::Sizes;
use load::quantity::{Decimal, factor};

/// A number of bytes, at most 1 GiB: `64KiB`, `1.5MiB`, `65536`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub usize);

impl Size {
    /// The largest size that is accepted. Sums of such sizes don't overflow.
    pub(crate) const MOST: Self = Self(1 << 30);
}

/// A number of bytes above zero.
pub(crate) fn size_above_zero(text: &str) -> Result<Size, String> {
    match text.parse()? {
        Size(0) => Err(format!("`{text}` is too small; write 1 or more")),
        size => Ok(size),
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let invalid = || format!("`{text}` is not a size; write a number of bytes, such as {EXAMPLES}");
        let (number, unit) = Decimal::begin(text).ok_or_else(invalid)?;
        let unit = factor(&UNITS, unit).ok_or_else(invalid)?;
        let bytes = number.times(unit).ok_or_else(|| {
            format!("`{text}` is not a whole number of bytes; write one, such as {EXAMPLES}")
        })?;
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

/// Parses the sizes of messages: `32`, `fixed:64KiB`, `uniform:16-512`, `list:32,64,512`.
pub(crate) fn sizes(text: &str) -> Result<Sizes, String> {
    let size = |text: &str| text.trim().parse().ok().map(|Size(size)| size);
    let sizes = match text.split_once(':') {
        None => size(text).map(Sizes::Fixed),
        Some(("fixed", one)) => size(one).map(Sizes::Fixed),
        Some(("uniform", range)) => {
            range.split_once('-').and_then(|(least, most)| Some(Sizes::Uniform(size(least)?, size(most)?)))
        }
        Some(("list", list)) => list.split(',').map(size).collect::<Option<_>>().map(Sizes::List),
        Some(_) => None,
    };
    let sizes = sizes.ok_or_else(|| {
        format!(
            "`{text}` is not a valid choice of sizes; write one such as 32, 64KiB, uniform:16-512 or list:32,64,512"
        )
    })?;
    sizes.check().map_err(|error| format!("`{text}`: {error}"))?;
    Ok(sizes)
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
    fn an_invalid_size_is_an_error_that_says_what_to_write() {
        for (text, expected) in [
            ("", "is not a size"),
            ("KiB", "is not a size"),
            ("64KB", "such as 65536, 64KiB or 1.5MiB"),
            ("64k", "is not a size"),
            ("-1", "is not a size"),
            ("1.5", "not a whole number of bytes"),
            ("0.3KiB", "not a whole number of bytes"),
            ("2GiB", "write at most 1GiB"),
            ("99999999999999999999999", "write at most 1GiB"),
        ] {
            let error = text.parse::<Size>().unwrap_err();
            assert!(error.contains(expected) && error.contains(&format!("`{text}`")), "{error}");
        }
        assert!(size_above_zero("0").unwrap_err().contains("1 or more"));
    }

    #[test]
    fn sizes_of_messages_are_read() {
        for (text, expected) in [
            ("32", Sizes::Fixed(32)),
            ("1KiB", Sizes::Fixed(1024)),
            ("fixed:32", Sizes::Fixed(32)),
            ("fixed:0.5MiB", Sizes::Fixed(524_288)),
            ("uniform:16-512", Sizes::Uniform(16, 512)),
            ("uniform:16-4KiB", Sizes::Uniform(16, 4096)),
            ("list:32, 64,512", Sizes::List(vec![32, 64, 512])),
            ("list:2,1048576", Sizes::List(vec![2, 1_048_576])),
            ("1MiB", Sizes::Fixed(1_048_576)),
        ] {
            assert_eq!(sizes(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn invalid_sizes_are_an_error_that_says_what_to_write() {
        for text in
            ["", "ten", "10k", "fixed:", "fixed:x", "uniform:16", "list:", "list:1,,2", "some:1", "-1"]
        {
            assert!(sizes(text).unwrap_err().contains(&format!("`{text}` is not a valid choice")), "{text}");
        }
        for text in ["0", "1", "fixed:1", "fixed:1048577", "2MiB", "uniform:9-3", "list:2,1"] {
            assert!(sizes(text).unwrap_err().contains("choose sizes from 2 to 1048576"), "{text}");
        }
    }
}
