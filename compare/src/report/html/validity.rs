//! What the page says about its own trustworthiness.

use std::fmt::Write;

use super::super::conclusion::consequence_of_flags;
use super::super::escape::escape;
use super::super::summary::shape_title;
use super::super::wording::{interval, percent, ratio, time};
use crate::statistics::former::estimate::{DRAWS, ENOUGH_TO_RESAMPLE};
use crate::statistics::former::{Assessment, Metric};
use crate::{Comparison, Sample};

/// Noise, checks, flags, and how the intervals were made.
pub(super) fn write(page: &mut String, comparison: &Comparison, assessment: &Assessment) {
    control(page, comparison, assessment);
    checks(page, comparison);
    flags(page, comparison, assessment);
    let _ = writeln!(
        page,
        "<p class=\"note\">A ratio is the median of the pairwise means of the rounds' ratios (Hodges and \
         Lehmann's), the reference's two runs taken together. Its interval comes from resampling whole rounds \
         {DRAWS} times, or from Student's t with fewer than {ENOUGH_TO_RESAMPLE} rounds. A difference is told \
         only if the interval excludes 1 and the ratio leaves the noise. Each backend is compared for itself: \
         with four that equal the reference, one false difference in ten to fifteen reports is to be expected.</p>"
    );
}

/// How much the reference differs from itself.
fn control(page: &mut String, comparison: &Comparison, assessment: &Assessment) {
    let Some(control) = assessment.control.and_then(|control| comparison.subjects.get(control)) else {
        page.push_str(
            "<p><strong>No control ran</strong>, so that it is not known how much two runs of the same differ. \
             Only differences below 3 % are taken for noise; be careful with the rest.</p>\n",
        );
        return;
    };
    let twin = control.control_of.clone().unwrap_or_default();
    let _ = writeln!(
        page,
        "<p>In each round <strong>{}</strong> ran twice, against itself. What differs there is noise:</p>",
        escape(&twin)
    );
    page.push_str("<div class=\"scroll\"><table><thead><tr><th>against itself</th>");
    for metric in Metric::ALL {
        let _ = write!(page, "<th>{}</th>", escape(super::heading(metric)));
    }
    page.push_str("</tr></thead><tbody>\n");
    for (index, shape) in assessment.shapes.iter().enumerate() {
        let _ = write!(page, "<tr><td>{}</td>", escape(&shape_title(comparison, index)));
        for metric in Metric::ALL {
            let floor = shape.floor(metric);
            let cell = match floor.control {
                Some(control) => {
                    let range = control.interval.map(interval).unwrap_or_default();
                    format!("±{}<small>{} ({range})</small>", percent(floor.band), ratio(control.median))
                }
                None => "–".to_owned(),
            };
            let _ = write!(page, "<td>{cell}</td>");
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</tbody></table></div>\n");
}

/// What is checked, its value in a sample, how that is written, and from where on it is flagged.
type Check = (&'static str, fn(&Sample) -> Option<f64>, fn(f64) -> String, &'static str);

/// The generator's checks of itself: the worst and the median over all samples, beside what is flagged.
fn checks(page: &mut String, comparison: &Comparison) {
    if comparison.samples.is_empty() {
        return;
    }
    let of = |value: fn(&Sample) -> Option<f64>| -> Option<(f64, f64)> {
        let mut values: Vec<f64> =
            comparison.samples.iter().filter_map(value).filter(|value| value.is_finite()).collect();
        values.sort_by(f64::total_cmp);
        Some((*values.get(values.len() / 2)?, *values.last()?))
    };
    page.push_str(
        "<h3>Checks of the measuring itself</h3>\n<div class=\"scroll\"><table><thead><tr><th>check</th>\
         <th>median</th><th>worst</th><th class=\"text\">flagged when</th></tr></thead><tbody>\n",
    );
    let checks: [Check; 4] = [
        ("the generator's busiest thread", |of| Some(of.generator_busy), percent, "above 80 % of a core"),
        ("send lag, p99", |of| Some(of.send_lag), time, "above a tenth of the latency's p99"),
        ("error of Little's law", |of| of.littles_error, percent, "above 5 %"),
        ("time stolen by the host", |of| Some(of.steal), percent, "above 2 %"),
    ];
    for (name, value, word, limit) in checks {
        let (median, worst) = of(value)
            .map_or(("–".to_owned(), "–".to_owned()), |(median, worst)| (word(median), word(worst)));
        let _ = writeln!(
            page,
            "<tr><td>{}</td><td>{median}</td><td>{worst}</td><td class=\"text\">{}</td></tr>",
            escape(name),
            escape(limit)
        );
    }
    page.push_str("</tbody></table></div>\n");
}

/// The flagged samples, and whether they matter.
fn flags(page: &mut String, comparison: &Comparison, assessment: &Assessment) {
    let flagged: Vec<&Sample> = comparison.samples.iter().filter(|sample| !sample.flags.is_empty()).collect();
    if flagged.is_empty() {
        page.push_str("<p>No measurement is flagged as doubtful.</p>\n");
        return;
    }
    let consequence = super::strong(&consequence_of_flags(comparison, assessment));
    let _ = writeln!(
        page,
        "<h3>Flagged measurements</h3>\n<p>{} of {} are flagged, none is dropped; {consequence}.</p>\n<ul>",
        flagged.len(),
        comparison.samples.len()
    );
    for sample in flagged.iter().take(SHOWN) {
        let name = comparison.subjects.get(sample.subject).map_or("unknown", |subject| &subject.name);
        let _ = writeln!(
            page,
            "<li>round {}, {}, {}: {}</li>",
            sample.round + 1,
            escape(name),
            escape(&shape_title(comparison, sample.shape)),
            escape(&sample.flags.join("; "))
        );
    }
    if flagged.len() > SHOWN {
        let _ = writeln!(page, "<li>and {} more, in the data below</li>", flagged.len() - SHOWN);
    }
    page.push_str("</ul>\n");
}

/// So many flagged samples are named.
const SHOWN: usize = 12;
