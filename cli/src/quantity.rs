//! Times and sizes, as they are written on a command line.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A time: `30s`, `500ms`, `2m`, `0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Time(pub(crate) Duration);

/// A number of bytes: `64KiB`, `1MiB`, `65536`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) usize);

/// A time that is more than nothing.
pub(crate) fn time_above_zero(text: &str) -> Result<Time, String> {
    match text.parse()? {
        Time(Duration::ZERO) => Err(format!("`{text}` would end everything at once; write a time above 0")),
        time => Ok(time),
    }
}

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

impl FromStr for Time {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let invalid = || format!("`{text}` is no time; write a number and a unit, such as {TIME_EXAMPLES}");
        let (number, unit) = number_and_unit(text).ok_or_else(invalid)?;
        if unit.is_empty() && number == 0 {
            return Ok(Self(Duration::ZERO));
        }
        if unit.is_empty() {
            return Err(format!("`{text}` has no unit; write {text}s, {text}ms or {text}m"));
        }
        let unit = if unit == "µs" { "us" } else { unit };
        let &(_, microseconds) = TIME_UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(invalid)?;
        let time = number.checked_mul(microseconds).map(Duration::from_micros);
        let too_long = || format!("`{text}` is too long; write at most {}", Self(LONGEST));
        time.filter(|&time| time <= LONGEST).map(Self).ok_or_else(too_long)
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let invalid = || format!("`{text}` is no size; write a number of bytes, such as {SIZE_EXAMPLES}");
        let (number, unit) = number_and_unit(text).ok_or_else(invalid)?;
        let &(_, bytes) = SIZE_UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(invalid)?;
        let size = number.checked_mul(bytes).and_then(|size| usize::try_from(size).ok());
        let too_large = || format!("`{text}` is too large; write at most {}", Self::MOST);
        size.filter(|&size| size <= Self::MOST.0).map(Self).ok_or_else(too_large)
    }
}

/// In the largest unit that leaves no remainder, seconds at the most: `300s` is how the documentation says it.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let microseconds = self.0.as_micros();
        match microseconds {
            0 => f.write_str("0"),
            _ if self.0 == LONGEST => f.write_str("365d"),
            _ if microseconds.is_multiple_of(1_000_000) => write!(f, "{}s", microseconds / 1_000_000),
            _ if microseconds.is_multiple_of(1_000) => write!(f, "{}ms", microseconds / 1_000),
            _ => write!(f, "{microseconds}us"),
        }
    }
}

/// In the largest unit that leaves no remainder.
impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = |bytes: u64| self.0 > 0 && (self.0 as u64).is_multiple_of(bytes);
        match SIZE_UNITS.iter().rev().find(|(_, bytes)| whole(*bytes)) {
            Some((unit, bytes)) => write!(f, "{}{unit}", self.0 as u64 / bytes),
            None => write!(f, "{}", self.0),
        }
    }
}

/// Digits, and what stands behind them.
fn number_and_unit(text: &str) -> Option<(u64, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    // Only a number with too many digits fails here, and no limit allows one of those.
    let number = if number.is_empty() { return None } else { number.parse().unwrap_or(u64::MAX) };
    Some((number, unit))
}

/// What a year has: longer is a slip of the finger, or a way of writing "never".
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);
const TIME_EXAMPLES: &str = "500ms, 30s, 2m or 0";
const SIZE_EXAMPLES: &str = "65536, 64KiB or 1MiB";
const TIME_UNITS: [(&str, u64); 6] = [
    ("us", 1),
    ("ms", 1_000),
    ("s", 1_000_000),
    ("m", 60 * 1_000_000),
    ("h", 60 * 60 * 1_000_000),
    ("d", 24 * 60 * 60 * 1_000_000),
];
const SIZE_UNITS: [(&str, u64); 4] = [("", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_written() {
        for (text, microseconds, written) in [
            ("0", 0, "0"),
            ("0s", 0, "0"),
            ("50us", 50, "50us"),
            ("50µs", 50, "50us"),
            ("500ms", 500_000, "500ms"),
            ("1000ms", 1_000_000, "1s"),
            ("30s", 30_000_000, "30s"),
            ("2m", 120_000_000, "120s"),
            ("1h", 3_600_000_000, "3600s"),
            ("365d", 31_536_000_000_000, "365d"),
        ] {
            let time: Time = text.parse().unwrap();
            assert_eq!(time.0, Duration::from_micros(microseconds), "{text}");
            assert_eq!(time.to_string(), written);
        }
    }

    #[test]
    fn what_is_no_time_says_what_to_write() {
        for (text, expected) in [
            ("5", "has no unit; write 5s"),
            ("", "is no time"),
            ("s", "is no time"),
            ("-5s", "is no time"),
            ("1.5s", "is no time"),
            ("5 s", "is no time"),
            ("5sec", "such as 500ms, 30s, 2m or 0"),
            ("366d", "write at most 365d"),
            ("99999999999999999999999s", "write at most 365d"),
        ] {
            let error = text.parse::<Time>().unwrap_err();
            assert!(error.contains(expected) && error.contains(&format!("`{text}`")), "{error}");
        }
        assert!(time_above_zero("0s").unwrap_err().contains("above 0"));
        assert_eq!(time_above_zero("1ms"), Ok(Time(Duration::from_millis(1))));
    }

    #[test]
    fn sizes_are_read_and_written() {
        for (text, bytes, written) in [
            ("0", 0, "0"),
            ("1", 1, "1"),
            ("65536", 65_536, "64KiB"),
            ("65537", 65_537, "65537"),
            ("64KiB", 65_536, "64KiB"),
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
            ("64KB", "such as 65536, 64KiB or 1MiB"),
            ("64k", "is no size"),
            ("2GiB", "write at most 1GiB"),
            ("99999999999999999999999", "write at most 1GiB"),
        ] {
            let error = text.parse::<Size>().unwrap_err();
            assert!(error.contains(expected) && error.contains(&format!("`{text}`")), "{error}");
        }
        assert!(size_above_zero("0").unwrap_err().contains("1 or more"));
    }
}
