//! The format of numbers, names and lists in reports. Numbers have three significant digits and a unit after a no-break
//! space.

use crate::statistics::{Assessment, Column, Figure, Interval, Metric};
use crate::{Comparison, Kind, Shape};

/// A time that is given in microseconds.
pub(super) fn time(microseconds: f64) -> String {
    match microseconds {
        value if !value.is_finite() => "unknown".to_owned(),
        value if value < 999.5 => format!("{}\u{a0}µs", digits(value)),
        value if value < 999_500.0 => format!("{}\u{a0}ms", digits(value / 1e3)),
        value => format!("{}\u{a0}s", digits(value / 1e6)),
    }
}

/// A rate per second.
pub(crate) fn rate(each_second: f64) -> String {
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
        // A share slightly below 100 % is not rounded up to it.
        value if value > 99.0 && value < 100.0 => format!("{:.1}\u{a0}%", (value * 10.0).floor() / 10.0),
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

/// A number of cores.
pub(super) fn cores(value: f64) -> String {
    digits(value)
}

/// An objective: `p99=5ms` is written `p99 ≤ 5 ms`.
pub(super) fn slo(written: &str) -> String {
    match written.parse::<load::slo::Slo>() {
        Ok(slo) => {
            let rank = match slo.rank {
                load::slo::Rank::Max => "longest latency".to_owned(),
                load::slo::Rank::Percentile(percentile) => format!("p{percentile}"),
            };
            format!("{rank} ≤\u{a0}{}", time(slo.limit.as_secs_f64() * 1e6))
        }
        Err(_) => written.to_owned(),
    }
}

/// A number and the noun, singular or plural.
pub(super) fn count(number: usize, one: &str, several: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { several })
}

/// A value of a metric, with its unit.
pub(super) fn value(metric: Metric, value: f64) -> String {
    match metric {
        Metric::Cpu
        | Metric::MedianLatency
        | Metric::TailLatency
        | Metric::DeliveryCpu
        | Metric::MedianDelay
        | Metric::TailDelay => time(value),
        Metric::Throughput => rate(value),
        Metric::Switches => digits(value),
    }
}

/// A figure of the matrix, with its unit.
pub(super) fn figure(figure: Figure, value: f64) -> String {
    match figure {
        Figure::HighestRate => rate(value),
        Figure::Memory => bytes(value),
        Figure::CpuAtRate
        | Figure::CpuAtSaturation
        | Figure::TailLatency
        | Figure::Isolation
        | Figure::DeliveryCpu
        | Figure::DeliveryDelay => time(value),
    }
}

/// The unit of a figure in `report.json`.
pub(super) fn unit(figure: Figure) -> &'static str {
    match figure {
        Figure::HighestRate => "messages/s",
        Figure::Memory => "bytes",
        Figure::CpuAtRate
        | Figure::CpuAtSaturation
        | Figure::TailLatency
        | Figure::Isolation
        | Figure::DeliveryCpu
        | Figure::DeliveryDelay => "µs",
    }
}

/// Seconds since the Unix epoch as date and time.
pub(super) fn date(seconds: u64) -> String {
    let second = i64::try_from(seconds).ok().and_then(|second| jiff::Timestamp::from_second(second).ok());
    second.map_or("unknown".to_owned(), |second| second.strftime("%Y-%m-%d %H:%M UTC").to_string())
}

/// A number with three significant digits.
fn digits(value: f64) -> String {
    match value.abs() {
        size if size >= 99.95 => format!("{value:.0}"),
        size if size >= 9.995 => without_zeros(&format!("{value:.1}")),
        size if size >= 0.005 || size == 0.0 => without_zeros(&format!("{value:.2}")),
        _ => format!("{value:.4}"),
    }
}

/// Removes trailing zeros of a number with a decimal point.
fn without_zeros(number: &str) -> String {
    number.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A load of a comparison in words.
pub(super) fn load_in_words(comparison: &Comparison, shape: usize) -> String {
    comparison.shapes.get(shape).map_or(String::new(), load)
}

/// A load in words: `64 connections, 15k/s`.
pub(crate) fn load(shape: &Shape) -> String {
    let connections = count(shape.connections, "connection", "connections");
    let load = match (shape.rate, shape.depth) {
        (Some(offered), _) => format!("{connections}, {}", rate(offered)),
        (None, 1) => format!("{connections}, closed loop"),
        (None, depth) => format!("{connections} × {depth} in flight"),
    };
    match (shape.hostile, shape.subscribers) {
        (0, 0) => load,
        (0, count) => format!("{load}, to {}", subscribers(count)),
        (hostile, _) => format!("{load}, beside {hostile} hostile clients"),
    }
}

/// A number of subscribers.
pub(super) fn subscribers(number: usize) -> String {
    format!("{} {}", amount(number as f64), if number == 1 { "subscriber" } else { "subscribers" })
}

/// A load for a sentence, after "serving": `to 64 connections at 15k/s`.
pub(super) fn load_in_a_sentence(comparison: &Comparison, shape: usize) -> String {
    let Some(shape) = comparison.shapes.get(shape) else { return String::new() };
    if let (Some(offered), count @ 1..) = (shape.rate, shape.subscribers) {
        return format!("to {} at {}", subscribers(count), rate(offered));
    }
    let connections = count(shape.connections, "connection", "connections");
    let load = match (shape.rate, shape.depth) {
        (Some(offered), _) => format!("to {connections} at {}", rate(offered)),
        (None, 1) => format!("to {connections} in a closed loop"),
        (None, depth) => format!("to {connections} with {depth} messages in flight on each"),
    };
    match shape.hostile {
        0 => load,
        hostile => format!("{load}, beside {}", count(hostile, "hostile client", "hostile clients")),
    }
}

/// A server's name for a sentence: between two pairs of asterisks, as in Markdown.
pub(super) fn name(comparison: &Comparison, subject: usize) -> String {
    let name = comparison.subjects.get(subject).map_or("unknown", |subject| &subject.name);
    // An asterisk in the name would end the emphasis.
    format!("**{}**", name.replace('*', "∗"))
}

/// Names for a sentence.
pub(super) fn names<'a>(comparison: &Comparison, subjects: impl IntoIterator<Item = &'a usize>) -> String {
    list(&subjects.into_iter().map(|&subject| name(comparison, subject)).collect::<Vec<_>>())
}

/// Remarks after a server's name.
pub(super) fn remark(comparison: &Comparison, assessment: &Assessment, subject: usize) -> String {
    let mut remarks = Vec::new();
    if assessment.reference == Some(subject) {
        remarks.push("reference");
    }
    let subject = &comparison.subjects[subject];
    if subject.legacy.is_some() {
        remarks.push("legacy");
    }
    remarks.join(", ")
}

/// The word for all servers: "backend" if all are backends.
pub(super) fn kind_of_all(comparison: &Comparison) -> &'static str {
    let is_server = |kind: &Kind| matches!(kind, Kind::Server);
    if comparison.subjects.iter().any(|subject| is_server(&subject.kind)) { "server" } else { "backend" }
}

/// A sentence of several clauses; `None` without any.
pub(super) fn sentence(clauses: &[String]) -> Option<String> {
    let mut sentence = clauses.join("; ");
    let first = sentence.chars().next()?;
    // A percentile such as p99 keeps its lower case.
    if !sentence[first.len_utf8()..].starts_with(|next: char| next.is_ascii_digit()) {
        sentence.replace_range(..first.len_utf8(), &first.to_uppercase().to_string());
    }
    Some(format!("{sentence}."))
}

/// A list for a sentence: `a, b and c`.
pub(super) fn list(things: &[String]) -> String {
    match things {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// The title of a column.
pub(super) fn title(figure: Figure) -> &'static str {
    match figure {
        Figure::CpuAtRate => "CPU per message",
        Figure::CpuAtSaturation => "CPU at saturation",
        Figure::HighestRate => "highest rate",
        Figure::TailLatency => "p99 latency",
        Figure::Memory => "memory",
        Figure::Isolation => "p99 beside hostile clients",
        Figure::DeliveryCpu => "CPU per delivery",
        Figure::DeliveryDelay => "p99 delivery delay",
    }
}

/// The title of a column in running text, which distinguishes it from all others.
pub(super) fn title_in_words(comparison: &Comparison, column: &Column) -> String {
    title(column.figure).to_owned() + &to_whom(comparison, column)
}

/// The titles of several columns in running text. Columns that differ only in the number of subscribers are named
/// together.
pub(super) fn titles_in_words(comparison: &Comparison, columns: &[&Column]) -> String {
    let same = columns.chunk_by(|one, other| one.figure == other.figure);
    let numbers = |columns: &[&Column]| {
        let number = |column: &&Column| comparison.shapes.get(column.shape?).map(|shape| shape.subscribers);
        let numbers: Vec<String> =
            columns.iter().filter_map(number).map(|number| amount(number as f64)).collect();
        format!("{} to {} subscribers", title(columns[0].figure), list(&numbers))
    };
    let named = same.map(|columns| match columns {
        [one] => title_in_words(comparison, one),
        several => numbers(several),
    });
    list(&named.collect::<Vec<_>>())
}

/// The number of subscribers of a column's load, after what they cost; empty if there are none.
pub(super) fn to_whom(comparison: &Comparison, column: &Column) -> String {
    match column.shape.and_then(|shape| comparison.shapes.get(shape)).map_or(0, |shape| shape.subscribers) {
        0 => String::new(),
        count => format!(" to {}", subscribers(count)),
    }
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
        assert_eq!([0.9992, 0.99999, 1.0].map(percent), ["99.9 %", "99.9 %", "100 %"]);
        assert_eq!([0.7, 12.34].map(ratio), ["0.70×", "12.3×"]);
        assert_eq!(time(f64::NAN), "unknown");
    }

    #[test]
    fn dates_are_calendar_dates() {
        assert_eq!(date(0), "1970-01-01 00:00 UTC");
        assert_eq!(date(1_709_210_096), "2024-02-29 12:34 UTC");
        assert_eq!(date(u64::MAX), "unknown");
    }
}
