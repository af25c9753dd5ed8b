//! Times: `500ms`, `1.5s`, `2m`, `0`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::{Decimal, factor};

/// A time, at most 365 days: `500ms`, `1.5s`, `2m`, `0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time(pub Duration);

/// A time that is more than nothing.
pub(crate) fn time_above_zero(text: &str) -> Result<Time, String> {
    match text.parse()? {
        Time(Duration::ZERO) => Err(format!("`{text}` would end everything at once; write a time above 0")),
        time => Ok(time),
    }
}

impl FromStr for Time {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let invalid = || format!("`{text}` is no time; write a number and a unit, such as {EXAMPLES}");
        let too_long = || format!("`{text}` is too long; write at most {}", Self(LONGEST));
        let (number, unit) = Decimal::begin(text).ok_or_else(invalid)?;
        if unit.is_empty() {
            return match number.times(NANOSECONDS_IN_A_MILLISECOND) {
                Some(0) => Ok(Self(Duration::ZERO)),
                Some(nanoseconds) if nanoseconds > LONGEST.as_nanos() => Err(too_long()),
                _ => Err(format!("`{text}` has no unit; write {text}s, {text}ms or {text}m")),
            };
        }
        let unit = factor(&UNITS, unit).ok_or_else(invalid)?;
        let nanoseconds = number
            .times(unit)
            .ok_or_else(|| format!("`{text}` is no whole number of nanoseconds; write fewer decimals"))?;
        if nanoseconds > LONGEST.as_nanos() {
            return Err(too_long());
        }
        u64::try_from(nanoseconds).map(Duration::from_nanos).map(Self).map_err(|_| too_long())
    }
}

/// In the largest unit that leaves no remainder, seconds at the most: `300s` is how the documentation says it.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanoseconds = self.0.as_nanos();
        match nanoseconds {
            0 => f.write_str("0"),
            _ if self.0 == LONGEST => f.write_str("365d"),
            _ if nanoseconds.is_multiple_of(1_000_000_000) => write!(f, "{}s", nanoseconds / 1_000_000_000),
            _ if nanoseconds.is_multiple_of(1_000_000) => write!(f, "{}ms", nanoseconds / 1_000_000),
            _ if nanoseconds.is_multiple_of(1_000) => write!(f, "{}us", nanoseconds / 1_000),
            _ => write!(f, "{nanoseconds}ns"),
        }
    }
}

/// What a year has: longer is a slip of the finger, or a way of writing "never".
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);
const NANOSECONDS_IN_A_MILLISECOND: u128 = 1_000_000;
const EXAMPLES: &str = "500ms, 1.5s, 2m or 0";
const UNITS: [(&str, u128); 9] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000), // U+00B5, as keyboards have it
    ("μs", 1_000), // U+03BC, as Unicode wants it
    ("ms", NANOSECONDS_IN_A_MILLISECOND),
    ("s", 1_000_000_000),
    ("m", 60 * 1_000_000_000),
    ("h", 60 * 60 * 1_000_000_000),
    ("d", 24 * 60 * 60 * 1_000_000_000),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_written() {
        for (text, nanoseconds, written) in [
            ("0", 0, "0"),
            ("0.0", 0, "0"),
            ("0s", 0, "0"),
            ("1ns", 1, "1ns"),
            ("1.5us", 1_500, "1500ns"),
            ("50us", 50_000, "50us"),
            ("50µs", 50_000, "50us"),
            ("50μs", 50_000, "50us"),
            ("500ms", 500_000_000, "500ms"),
            ("1.5s", 1_500_000_000, "1500ms"),
            ("0.25s", 250_000_000, "250ms"),
            ("1000ms", 1_000_000_000, "1s"),
            ("30s", 30_000_000_000, "30s"),
            ("2m", 120_000_000_000, "120s"),
            ("0.5h", 1_800_000_000_000, "1800s"),
            ("365d", 31_536_000_000_000_000, "365d"),
        ] {
            let time: Time = text.parse().unwrap();
            assert_eq!(time.0, Duration::from_nanos(nanoseconds), "{text}");
            assert_eq!(time.to_string(), written);
        }
    }

    #[test]
    fn what_is_no_time_says_what_to_write() {
        for (text, expected) in [
            ("5", "has no unit; write 5s"),
            ("1.5", "has no unit; write 1.5s"),
            ("", "is no time"),
            ("s", "is no time"),
            ("-5s", "is no time"),
            ("+5s", "is no time"),
            (".5s", "is no time"),
            ("5.s", "is no time"),
            ("1.5.5s", "is no time"),
            ("5 s", "is no time"),
            ("5S", "is no time"),
            ("5sec", "such as 500ms, 1.5s, 2m or 0"),
            ("0.5ns", "no whole number of nanoseconds"),
            ("366d", "write at most 365d"),
            ("365.1d", "write at most 365d"),
            ("18446744073709551616", "write at most 365d"),
            ("99999999999999999999999s", "write at most 365d"),
            ("999999999999999999999999999999999999999999999d", "write at most 365d"),
        ] {
            let error = text.parse::<Time>().unwrap_err();
            assert!(error.contains(expected) && error.contains(&format!("`{text}`")), "{error}");
        }
        assert!(time_above_zero("0s").unwrap_err().contains("above 0"));
        assert_eq!(time_above_zero("1ms"), Ok(Time(Duration::from_millis(1))));
    }
}
