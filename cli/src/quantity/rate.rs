//! Rates, each second: `15000`, `15k`, `1.5M`, `0.5`.

use load::plan::HIGHEST_RATE;

use super::{Decimal, count::UNITS, factor};

/// Reads a rate above 0, each second: `15000`, `15k`, `1.5M`, `0.5`.
pub(crate) fn rate(text: &str) -> Result<f64, String> {
    let invalid =
        || format!("`{text}` is no rate; write a number above 0 per second, such as 15000, 15k, 1.5M or 0.5");
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

#[cfg(test)]
mod tests {
    use super::*;

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
    fn what_is_no_rate_says_what_to_write() {
        for text in ["", "k", "0", "0.0k", "-1", "NaN", "inf", "1K", "1e3", "15 000", "15_000", "ten", "1TiB"]
        {
            assert!(rate(text).unwrap_err().contains(&format!("`{text}` is no rate")), "{text}");
        }
        for text in
            ["1001M", "1000.1M", "18446744073709551616", "99999999999999999999999999999999999999999999"]
        {
            assert!(rate(text).unwrap_err().contains("write at most 1000M per second"), "{text}");
        }
    }
}
