//! `.hgrm`: a percentile distribution as the plotters of HdrHistogram read it.

use std::fmt::Write;

use crate::histogram::Distribution;

/// A distribution in HdrHistogram's format of percentiles, in microseconds.
pub fn hgrm(distribution: &Distribution) -> String {
    let mut text =
        format!("{:>12} {:>14} {:>10} {:>14}\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
    let total = distribution.count.max(1);
    let mut seen = 0;
    for &(value, count) in &distribution.values {
        seen += count;
        let share = seen as f64 / total as f64;
        let value = value as f64 / 1e3;
        let _ = match seen == distribution.count {
            false => writeln!(text, "{value:12.3} {share:14.12} {seen:10} {:14.2}", 1.0 / (1.0 - share)),
            true => writeln!(text, "{value:12.3} {share:14.12} {seen:10}"),
        };
    }
    let histogram = distribution.histogram();
    let deviation = histogram.stdev() / 1e3;
    let _ = writeln!(text, "#[Mean    = {:12.3}, StdDeviation   = {deviation:12.3}]", distribution.mean);
    let _ =
        writeln!(text, "#[Max     = {:12.3}, Total count    = {:12}]", distribution.max, distribution.count);
    text
}
