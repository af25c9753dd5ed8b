//! Parses quantities: a decimal number followed by a unit. Times are parsed here; the command line parses sizes, counts
//! and rates with the same grammar.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use history::numbers::noun;

/// A time, at most 365 days: `500ms`, `1.5s`, `2m`, `0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time(pub Duration);

impl Time {
    /// Parses a time that is at least so long, which is above 0.
    ///
    /// # Errors
    /// If it is no time, or too short: what to write.
    pub fn at_least(least: Duration, text: &str) -> Result<Self, String> {
        match Self::parse(text, EXAMPLES_ABOVE_ZERO)? {
            Self(time) if time < least => {
                Err(format!("`{text}` is too short; write at least {}", Self(least)))
            }
            time => Ok(time),
        }
    }

    /// Parses a time. An error suggests these examples.
    fn parse(text: &str, examples: &str) -> Result<Self, String> {
        let invalid = || format!("`{text}` is no time; write a number and a unit, such as {examples}");
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

impl FromStr for Time {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::parse(text, EXAMPLES)
    }
}

/// In the largest unit that leaves no remainder, up to seconds: `300s`, as in the documentation.
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

/// A year: longer times are mistakes, or mean "never".
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);
const NANOSECONDS_IN_A_MILLISECOND: u128 = 1_000_000;
const EXAMPLES: &str = "500ms, 1.5s, 2m or 0";
const EXAMPLES_ABOVE_ZERO: &str = "500ms, 1.5s or 2m";
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

/// A decimal number, exactly: `digits` ÷ 10^`decimals`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal {
    digits: u128,
    decimals: u32,
}

impl Decimal {
    /// The number at the start of a text, and the rest of the text: its unit.
    pub fn begin(text: &str) -> Option<(Self, &str)> {
        let end = text.find(|character: char| !character.is_ascii_digit() && character != '.');
        let (number, unit) = text.split_at(end.unwrap_or(text.len()));
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        if whole.is_empty() || fraction.is_empty() || fraction.contains('.') {
            return None;
        }
        let fraction = fraction.trim_end_matches('0');
        let decimals = u32::try_from(fraction.len()).ok()?;
        // A number with too many digits is larger than any bound, and is reported as such.
        let digits = whole
            .bytes()
            .chain(fraction.bytes())
            .fold(0_u128, |digits, digit| digits.saturating_mul(10).saturating_add(u128::from(digit - b'0')));
        Some((Self { digits, decimals }, unit))
    }

    /// The product, if it is a whole number; saturating.
    pub fn times(self, factor: u128) -> Option<u128> {
        let product = self.digits.saturating_mul(factor);
        let divisor = 10_u128.checked_pow(self.decimals)?;
        (product == u128::MAX || product.is_multiple_of(divisor)).then(|| product / divisor)
    }
}

/// A number of things of this name: `1 message`, `2 messages`.
pub(crate) fn plural(count: u64, name: &str) -> String {
    format!("{count} {}", noun(count, name))
}

/// The factor of a unit.
pub fn factor(units: &[(&str, u128)], unit: &str) -> Option<u128> {
    units.iter().find(|(name, _)| *name == unit).map(|&(_, factor)| factor)
}

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
    fn errors_in_times_say_what_to_write() {
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
    }

    #[test]
    fn a_time_that_must_not_be_zero_has_no_such_example() {
        let at_least = |text| Time::at_least(Duration::from_millis(1), text);
        assert_eq!(at_least("1ms"), Ok(Time(Duration::from_millis(1))));
        for text in ["0", "0s", "1ns", "999us"] {
            assert_eq!(at_least(text).unwrap_err(), format!("`{text}` is too short; write at least 1ms"));
        }
        let error = at_least("-1s").unwrap_err();
        assert_eq!(error, "`-1s` is no time; write a number and a unit, such as 500ms, 1.5s or 2m");
    }

    #[test]
    fn a_number_precedes_its_unit() {
        for (text, digits, decimals, unit) in [
            ("15", 15, 0, ""),
            ("15k", 15, 0, "k"),
            ("1.50s", 15, 1, "s"),
            ("0.001", 1, 3, ""),
            ("007MiB", 7, 0, "MiB"),
            ("5 s", 5, 0, " s"),
            ("1.0", 1, 0, ""),
            ("99999999999999999999999999999999999999999", u128::MAX, 0, ""),
        ] {
            assert_eq!(Decimal::begin(text), Some((Decimal { digits, decimals }, unit)), "{text}");
        }
        for text in ["", "s", ".5", "5.", "1.2.3", "-1", "+1", "1..5", "٣"] {
            assert_eq!(Decimal::begin(text), None, "{text}");
        }
    }

    #[test]
    fn a_product_is_exact_or_none() {
        let times = |text, factor| Decimal::begin(text).unwrap().0.times(factor);
        assert_eq!(times("1.5", 1024), Some(1536));
        assert_eq!(times("0.3", 1024), None);
        assert_eq!(times("0.1", 10), Some(1));
        assert_eq!(times("0.00000000000000000000000000000000000000001", 1), None);
        assert!(times("999999999999999999999999999999999999999999", 10).unwrap() > u128::MAX / 20);
    }
}
