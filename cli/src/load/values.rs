//! Counts, rates and sizes of messages, as they are written on a command line.

use std::fmt::Display;
use std::str::FromStr;

use load::plan::{HIGHEST_RATE, Sizes};

/// A count within these bounds.
pub(crate) fn count<T>(least: T, most: T) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync
where
    T: FromStr + PartialOrd + Display + Copy + Send + Sync,
{
    move |text| {
        // A sign is none of the digits that are asked for.
        let number = text.parse::<T>().ok().filter(|_| !text.starts_with('+'));
        number.filter(|number| (least..=most).contains(number)).ok_or_else(|| {
            format!("`{text}` is no count from {least} to {most}; write one in digits, such as {least}")
        })
    }
}

/// `15000`, `15k`, `1.5M`.
pub(crate) fn rate(text: &str) -> Result<f64, String> {
    let (number, factor) = match text.strip_suffix('k').map(|number| (number, 1e3)) {
        Some(thousands) => thousands,
        None => text.strip_suffix('M').map_or((text, 1.0), |number| (number, 1e6)),
    };
    let rate = number.parse::<f64>().ok().map(|number| number * factor);
    let rate = rate.filter(|rate| !rate.is_nan() && *rate > 0.0).ok_or_else(|| {
        format!("`{text}` is no rate; write a number above 0 per second, such as 15000, 15k or 0.5")
    })?;
    if rate > HIGHEST_RATE {
        let most = HIGHEST_RATE / 1e6;
        return Err(format!("`{text}` is too high a rate; write at most {most}M per second"));
    }
    Ok(rate)
}

/// `fixed:32`, `uniform:16-512`, `list:32,64,512`.
pub(crate) fn sizes(text: &str) -> Result<Sizes, String> {
    let sizes = text.split_once(':').and_then(|(kind, sizes)| {
        let size = |text: &str| text.trim().parse::<usize>().ok();
        match kind {
            "fixed" => size(sizes).map(Sizes::Fixed),
            "uniform" => {
                let (least, most) = sizes.split_once('-')?;
                Some(Sizes::Uniform(size(least)?, size(most)?))
            }
            "list" => sizes.split(',').map(size).collect::<Option<_>>().map(Sizes::List),
            _ => None,
        }
    });
    let sizes = sizes.ok_or_else(|| {
        format!(
            "`{text}` is no choice of sizes; write one such as fixed:32, uniform:16-512 or list:32,64,512"
        )
    })?;
    sizes.check()?;
    Ok(sizes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read() {
        for (text, expected) in [("15000", 15_000.0), ("15k", 15_000.0), ("1.5M", 1_500_000.0), ("0.5", 0.5)]
        {
            assert_eq!(rate(text), Ok(expected));
        }
        assert_eq!(rate("1000M"), Ok(1e9));
        for text in ["", "k", "0", "-1", "NaN", "1K", "15 000", "ten", "1TiB"] {
            assert!(rate(text).unwrap_err().contains(&format!("`{text}` is no rate")), "{text}");
        }
        for text in ["1001M", "inf", "1e400", "18446744073709551616"] {
            assert!(rate(text).unwrap_err().contains("write at most 1000M per second"), "{text}");
        }
    }

    #[test]
    fn counts_have_bounds() {
        let count = count(2_usize, 9);
        assert_eq!((count("2"), count("9")), (Ok(2), Ok(9)));
        for text in ["1", "10", "-1", "+3", "ten", "10k", "", "18446744073709551616", "1TiB", "2.5"] {
            let error = count(text).unwrap_err();
            assert_eq!(error, format!("`{text}` is no count from 2 to 9; write one in digits, such as 2"));
        }
    }

    #[test]
    fn sizes_are_read() {
        assert_eq!(sizes("fixed:32"), Ok(Sizes::Fixed(32)));
        assert_eq!(sizes("uniform:16-512"), Ok(Sizes::Uniform(16, 512)));
        assert_eq!(sizes("list:32, 64,512"), Ok(Sizes::List(vec![32, 64, 512])));
        for text in ["32", "fixed:", "fixed:x", "uniform:16", "list:", "list:1,,2", "some:1"] {
            assert!(sizes(text).unwrap_err().contains(&format!("`{text}` is no choice")), "{text}");
        }
        assert_eq!(sizes("list:2,1048576"), Ok(Sizes::List(vec![2, 1_048_576])));
        for text in ["fixed:1", "fixed:1048577", "uniform:9-3", "list:2,1"] {
            assert!(sizes(text).unwrap_err().contains("choose sizes from 2 to 1048576"), "{text}");
        }
    }
}
