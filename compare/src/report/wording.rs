//! Numbers as people read them: three digits that count, and a unit, with a space that no line breaks at.

use crate::statistics::former::{Interval, Metric, Verdict};

/// A time that is given in microseconds.
pub(super) fn time(microseconds: f64) -> String {
    match microseconds {
        value if !value.is_finite() => "unknown".to_owned(),
        value if value < 999.5 => format!("{}\u{a0}µs", digits(value)),
        value if value < 999_500.0 => format!("{}\u{a0}ms", digits(value / 1e3)),
        value => format!("{}\u{a0}s", digits(value / 1e6)),
    }
}

/// So many in a second.
pub(super) fn rate(each_second: f64) -> String {
    format!("{}/s", amount(each_second))
}

/// A large number.
pub(super) fn amount(value: f64) -> String {
    match value {
        value if !value.is_finite() => "unknown".to_owned(),
        value if value < 999.5 => digits(value),
        value if value < 999_500.0 => format!("{}k", digits(value / 1e3)),
        value => format!("{}M", digits(value / 1e6)),
    }
}

/// Memory.
pub(super) fn bytes(value: f64) -> String {
    match value {
        value if !value.is_finite() => "unknown".to_owned(),
        value if value.abs() < 1023.5 => format!("{value:.0}\u{a0}B"),
        value if value.abs() < 1023.5 * 1024.0 => format!("{}\u{a0}KiB", digits(value / 1024.0)),
        value => format!("{}\u{a0}MiB", digits(value / 1024.0 / 1024.0)),
    }
}

/// A share: 0.06 is 6 %.
pub(super) fn percent(share: f64) -> String {
    match share * 100.0 {
        value if !value.is_finite() => "unknown".to_owned(),
        value if value.abs() < 9.95 && value.abs() >= 0.05 => {
            format!("{}\u{a0}%", format!("{value:.1}").trim_end_matches(".0"))
        }
        value => format!("{value:.0}\u{a0}%"),
    }
}

/// A ratio.
pub(super) fn ratio(value: f64) -> String {
    format!("{}×", factor(value))
}

/// An interval of ratios.
pub(super) fn interval(interval: Interval) -> String {
    format!("{}–{}", factor(interval.low), factor(interval.high))
}

fn factor(value: f64) -> String {
    match value {
        value if value >= 9.995 => digits(value),
        value if value >= 0.0995 => format!("{value:.2}"),
        value => format!("{value:.3}"),
    }
}

/// A value of a metric, with its unit.
pub(super) fn value(metric: Metric, value: f64) -> String {
    match metric {
        Metric::Cpu | Metric::MedianLatency | Metric::TailLatency => time(value),
        Metric::Throughput => rate(value),
        Metric::Switches => digits(value),
    }
}

/// What may be said, in a few words.
pub(super) fn verdict(metric: Metric, verdict: &Verdict) -> String {
    match verdict {
        Verdict::Better { .. } => metric.better_word().to_uppercase(),
        Verdict::Worse { .. } => metric.worse_word().to_uppercase(),
        Verdict::NoDifferenceSeen { up_to } => format!("no difference (≤\u{a0}{})", percent(*up_to)),
        Verdict::TooNoisy { more_rounds } => format!("noisy: ~{more_rounds} more rounds"),
    }
}

/// Names in a sentence.
pub(super) fn list(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// A second since 1970 as a date and time of day.
pub(super) fn date(seconds: u64) -> String {
    // The civil calendar, counted from 1 March of the year 0, so that a leap day is a year's last.
    let days = seconds / 86_400 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute) = (seconds % 86_400 / 3600, seconds % 3600 / 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02} UTC")
}

/// Three digits that count.
fn digits(value: f64) -> String {
    match value.abs() {
        size if size >= 99.95 => format!("{value:.0}"),
        size if size >= 9.995 => without_zeros(&format!("{value:.1}")),
        size if size >= 0.005 || size == 0.0 => without_zeros(&format!("{value:.2}")),
        _ => format!("{value:.4}"),
    }
}

/// A number with a decimal point, without the zeros at its end.
fn without_zeros(number: &str) -> String {
    number.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_and_a_unit() {
        let plain = |text: String| text.replace('\u{a0}', " ");
        let time = |value| plain(time(value));
        let bytes = |value| plain(bytes(value));
        let percent = |value| plain(percent(value));
        assert_eq!([9.8, 141.3, 3421.0, 2.5e6].map(time), ["9.8 µs", "141 µs", "3.42 ms", "2.5 s"]);
        assert_eq!([120.0, 38_200.0, 1.5e6].map(rate), ["120/s", "38.2k/s", "1.5M/s"]);
        assert_eq!([512.0, 1946.0, 5e6].map(bytes), ["512 B", "1.9 KiB", "4.77 MiB"]);
        assert_eq!([0.06, 0.031, 0.25].map(percent), ["6 %", "3.1 %", "25 %"]);
        assert_eq!([0.7, 12.34].map(ratio), ["0.70×", "12.3×"]);
        assert_eq!(time(f64::NAN), "unknown");
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date(0), "1970-01-01 00:00 UTC");
        assert_eq!(date(1_709_210_096), "2024-02-29 12:34 UTC");
    }
}
