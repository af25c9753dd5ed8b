//! Quantities, as they are written on a command line: times, sizes, rates, counts and objectives. All have one grammar: a decimal
//! number, and a unit behind it. Flags of one's own read [`Size`] and [`Time`], and by [`count()`] numbers such as `10k`:
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

mod count;
mod messages;
mod objective;
mod rate;
mod size;
mod time;

pub use count::count;
pub(crate) use count::{cpu, nonzero, number, threads};
pub(crate) use messages::sizes;
pub(crate) use objective::objective;
pub(crate) use rate::rate;
pub use size::Size;
pub(crate) use size::size_above_zero;
pub use time::Time;
pub(crate) use time::time_above_zero;

/// A decimal number, exactly: `digits` ÷ 10^`decimals`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Decimal {
    digits: u128,
    decimals: u32,
}

impl Decimal {
    /// The number that a text begins with, and the rest of the text: its unit.
    fn begin(text: &str) -> Option<(Self, &str)> {
        let end = text.find(|character: char| !character.is_ascii_digit() && character != '.');
        let (number, unit) = text.split_at(end.unwrap_or(text.len()));
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        if whole.is_empty() || fraction.is_empty() || fraction.contains('.') {
            return None;
        }
        let fraction = fraction.trim_end_matches('0');
        let decimals = u32::try_from(fraction.len()).ok()?;
        // A number with too many digits is larger than any bound, which is then said.
        let digits = whole
            .bytes()
            .chain(fraction.bytes())
            .fold(0_u128, |digits, digit| digits.saturating_mul(10).saturating_add(u128::from(digit - b'0')));
        Some((Self { digits, decimals }, unit))
    }

    /// The product, if it is a whole number. One that is too large for the type is the largest of the type.
    fn times(self, factor: u128) -> Option<u128> {
        let product = self.digits.saturating_mul(factor);
        let divisor = 10_u128.checked_pow(self.decimals)?;
        (product == u128::MAX || product.is_multiple_of(divisor)).then(|| product / divisor)
    }
}

/// The factor of a unit.
fn factor(units: &[(&str, u128)], unit: &str) -> Option<u128> {
    units.iter().find(|(name, _)| *name == unit).map(|&(_, factor)| factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_stands_before_its_unit() {
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
