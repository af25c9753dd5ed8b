//! Quantities on the command line: times, sizes, rates, and counts. All have the syntax of [`load::quantity`]: a
//! decimal number followed by a unit. Added flags can use [`Size`] and [`Time`], [`time_above_zero`] for those that must
//! not be zero, and [`count()`] for numbers such as `10k`:
//!
//! ```
//! use anyloop_cli::clap;
//! use anyloop_cli::quantity::{Size, Time, count};
//!
//! #[derive(clap::Args)]
//! struct Flags {
//!     /// Most keys to hold
//!     #[arg(long, value_name = "COUNT", default_value = "10k", value_parser = count(1, 1_000_000_usize))]
//!     capacity: usize,
//!
//!     /// Most memory to use
//!     #[arg(long, value_name = "SIZE", default_value = "256MiB")]
//!     max_memory: Size,
//!
//!     /// Longest age of a key
//!     #[arg(long, value_name = "TIME", default_value = "1.5s")]
//!     max_age: Time,
//! }
//! ```

mod size;

use std::fmt::Display;
use std::num::NonZeroUsize;
use std::thread;
use std::time::Duration;

use load::plan::HIGHEST_RATE;
use load::quantity::{Decimal, factor};

pub use load::quantity::Time;
pub use size::Size;
pub(crate) use size::{size_above_zero, sizes};

/// A parser of times above zero, such as `500ms`.
pub fn time_above_zero(text: &str) -> Result<Time, String> {
    match text.parse() {
        Ok(Time(Duration::ZERO)) => Err(format!("`{text}` is too short; write a time above 0")),
        _ => Time::at_least(Duration::from_nanos(1), text),
    }
}

/// A parser of times that are at least so long, which is above zero.
pub(crate) fn time_from(least: Duration) -> impl Fn(&str) -> Result<Time, String> + Clone + Send + Sync {
    move |text| Time::at_least(least, text)
}

/// A parser of counts within these bounds, such as `64`, `10k` or `1.5M`.
pub fn count<T>(least: T, most: T) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync
where
    T: TryFrom<u128> + PartialOrd + Display + Copy + Send + Sync,
{
    move |text| {
        let number = whole(text).and_then(|number| T::try_from(number).ok());
        number.filter(|number| (least..=most).contains(number)).ok_or_else(|| {
            format!("`{text}` is not a count from {least} to {most}; write a whole number, such as {least}")
        })
    }
}

/// A parser of numbers within these bounds that are not counts, such as a process number: digits only.
pub(crate) fn number<T>(least: T, most: T) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync
where
    T: TryFrom<u128> + PartialOrd + Display + Copy + Send + Sync,
{
    move |text| {
        let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
        let number = whole(text).filter(|_| is_digits).and_then(|number| T::try_from(number).ok());
        number.filter(|number| (least..=most).contains(number)).ok_or_else(|| {
            format!("`{text}` is not a number from {least} to {most}; write one in digits, such as {least}")
        })
    }
}

/// A parser of a number of threads, or `auto`, which returns 0.
pub(crate) fn threads(most: usize) -> impl Fn(&str) -> Result<usize, String> + Clone + Send + Sync {
    move |text| match text {
        "auto" => Ok(0),
        _ => count(1, most)(text).map_err(|error| format!("{error}, or auto")),
    }
}

/// The number of a core of this machine.
pub(crate) fn cpu(text: &str) -> Result<usize, String> {
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    number(0, HIGHEST_CORE)(text).map_err(|_| {
        format!("`{text}` is not a core; write the numbers of cores from 0, such as 0 or 0,1 (this process may use {cores})")
    })
}

/// The highest core number that is accepted.
const HIGHEST_CORE: usize = 4095;

/// A count above 0.
pub(crate) fn nonzero(text: &str) -> Result<NonZeroUsize, String> {
    let least = || format!("`{text}` is too small; write 1 or more");
    let number = whole(text)
        .ok_or_else(|| format!("`{text}` is not a count; write a whole number, such as 1000 or 10k"))?;
    let number =
        usize::try_from(number).map_err(|_| format!("`{text}` is too large; write a smaller number"))?;
    NonZeroUsize::new(number).ok_or_else(least)
}

/// Parses a whole number with an optional unit.
fn whole(text: &str) -> Option<u128> {
    let (number, unit) = Decimal::begin(text)?;
    number.times(factor(&UNITS, unit)?)
}

/// Parses a rate per second above 0: `15000`, `15k`, `1.5M`, `0.5`.
pub(crate) fn rate(text: &str) -> Result<f64, String> {
    let invalid = || {
        format!("`{text}` is not a rate; write a number above 0 per second, such as 15000, 15k, 1.5M or 0.5")
    };
    let (_, unit) = Decimal::begin(text).ok_or_else(invalid)?;
    let factor = factor(&UNITS, unit).ok_or_else(invalid)?;
    let number: f64 = text[..text.len() - unit.len()].parse().map_err(|_| invalid())?;
    let rate = number * factor as f64;
    if rate <= 0.0 {
        return Err(invalid());
    }
    if rate > HIGHEST_RATE {
        let most = HIGHEST_RATE / 1e6;
        return Err(format!("`{text}` is too high a rate; write at most {most}M per second"));
    }
    Ok(rate)
}

/// The units of counts and rates.
const UNITS: [(&str, u128); 3] = [("", 1), ("k", 1_000), ("M", 1_000_000)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_above_zero_is_not_zero() {
        assert!(time_above_zero("0s").unwrap_err().contains("above 0"));
        assert_eq!(time_above_zero("1ns"), Ok(Time(Duration::from_nanos(1))));
        assert!(time_above_zero("-1s").unwrap_err().ends_with("such as 500ms, 1.5s or 2m"));
        assert!(time_from(Duration::from_millis(1))("0.5ms").unwrap_err().ends_with("write at least 1ms"));
    }

    #[test]
    fn counts_have_bounds() {
        let count = count(2_usize, 9_000);
        for (text, expected) in [("2", 2), ("9000", 9_000), ("9k", 9_000), ("1.5k", 1_500), ("0.002k", 2)] {
            assert_eq!(count(text), Ok(expected), "{text}");
        }
        for text in ["1", "9001", "10k", "-1", "+3", "ten", "2.5", "2K", "", "18446744073709551616", "1TiB"] {
            let error = count(text).unwrap_err();
            let expected = "is not a count from 2 to 9000; write a whole number, such as 2";
            assert_eq!(error, format!("`{text}` {expected}"));
        }
    }

    #[test]
    fn a_number_is_digits() {
        assert_eq!(number(0, u64::MAX)("18446744073709551615"), Ok(u64::MAX));
        for text in ["10k", "1.0", "-1", "", "18446744073709551616"] {
            assert!(number(0, u64::MAX)(text).unwrap_err().contains("write one in digits"), "{text}");
        }
    }

    #[test]
    fn threads_are_counted_or_left_to_the_program() {
        assert_eq!((threads(9)("auto"), threads(9)("9")), (Ok(0), Ok(9)));
        for text in ["0", "10", "automatic", ""] {
            let error = threads(9)(text).unwrap_err();
            assert!(error.ends_with("write a whole number, such as 1, or auto"), "{error}");
        }
    }

    #[test]
    fn a_core_is_a_number_from_0() {
        assert_eq!((cpu("0"), cpu("3")), (Ok(0), Ok(3)));
        for text in ["", "a", "-1", "1-3", "99999"] {
            assert!(cpu(text).unwrap_err().contains(&format!("`{text}` is not a core")), "{text}");
        }
    }

    #[test]
    fn a_count_above_zero_may_be_any() {
        assert_eq!(nonzero("10k").unwrap().get(), 10_000);
        for (text, expected) in [
            ("0", "write 1 or more"),
            ("2.5", "is not a count; write a whole number"),
            ("", "is not a count"),
            ("18446744073709551616", "write a smaller number"),
        ] {
            assert!(nonzero(text).unwrap_err().contains(expected), "{text}");
        }
    }

    #[test]
    fn rates_are_read() {
        for (text, expected) in [
            ("15000", 15_000.0),
            ("15k", 15_000.0),
            ("1.5M", 1_500_000.0),
            ("0.5", 0.5),
            ("0.5k", 500.0),
            ("1000M", 1e9),
        ] {
            assert_eq!(rate(text), Ok(expected));
        }
    }

    #[test]
    fn an_invalid_rate_is_an_error_that_says_what_to_write() {
        for text in ["", "k", "0", "0.0k", "-1", "NaN", "inf", "1K", "1e3", "15 000", "15_000", "ten", "1TiB"]
        {
            assert!(rate(text).unwrap_err().contains(&format!("`{text}` is not a rate")), "{text}");
        }
        for text in
            ["1001M", "1000.1M", "18446744073709551616", "99999999999999999999999999999999999999999999"]
        {
            assert!(rate(text).unwrap_err().contains("write at most 1000M per second"), "{text}");
        }
    }
}
