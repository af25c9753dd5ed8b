//! The terminal, the Markdown and the JSON.

use anyloop_compare::report::{Style, changes_to_text, from_json, to_html, to_json, to_markdown, to_text};
use anyloop_compare::statistics::against;
use anyloop_compare::{Comparison, MemorySample, Sample, Shape, Subject};
use unicode_width::UnicodeWidthStr;

use crate::PLAIN;
use crate::specimen::{quick, specimen, two, with_hand_written};

#[test]
fn the_table_fits_the_terminal_and_is_complete() {
    for width in [40, 50, 60, 80, 100, 140, 250] {
        for comparison in [specimen(), two(), quick(), with_hand_written()] {
            let text = to_text(&comparison, Style { width, unicode: true, ..PLAIN });
            let longest = text.lines().map(UnicodeWidthStr::width).max().unwrap();
            assert!(longest <= width, "{longest} in {width}: {text}");
            for heading in ["CPU per message", "CPU at saturation", "p99 latency"] {
                assert!(text.contains(heading), "{heading} in {width}: {text}");
            }
        }
    }
    let wide = to_text(&specimen(), Style { width: 250, ..PLAIN });
    let matrix = wide.lines().take_while(|line| !line.starts_with("Better"));
    assert_eq!(matrix.filter(|line| line.starts_with("go-net")).count(), 1, "one block: {wide}");
    let narrow = to_text(&specimen(), Style { width: 60, ..PLAIN });
    assert!(narrow.matches("\ngo-net").count() > 1, "several blocks: {narrow}");
}

#[test]
fn details_and_conditions_are_shown_on_demand() {
    let [brief, full] = [false, true].map(|details| to_text(&specimen(), Style { details, ..PLAIN }));
    for detail in ["p50 latency", "context switches per message", "compiler: rustc"] {
        assert!(full.contains(detail) && !brief.contains(detail), "{detail}: {full}");
    }
    assert!(full.starts_with(brief.trim_end()), "the verdict stays the same");
}

#[test]
fn colors_and_unicode_are_used_only_if_the_style_allows_them() {
    let text = to_text(&specimen(), PLAIN);
    assert!(text.is_ascii(), "{text}");
    let colorful = to_text(&specimen(), Style { color: true, unicode: true, width: 120, ..PLAIN });
    assert!(
        colorful.contains("\x1b[32mbetter") && colorful.contains("\x1b[31mworse") && colorful.contains('µ')
    );
    assert!(!to_text(&specimen(), Style { unicode: true, ..PLAIN }).contains('\x1b'));
}

#[test]
fn markdown_has_the_matrix_first_and_its_rows_have_the_same_length() {
    let markdown = to_markdown(&with_hand_written());
    let table = markdown.split("\n\n").find(|part| part.starts_with('|')).unwrap();
    let bars = |line: &str| line.replace("\\|", "").matches('|').count();
    let columns = bars(table.lines().next().unwrap());
    assert!(table.lines().all(|line| bars(line) == columns), "{table}");
    assert!(markdown.find("| threads (reference) |").unwrap() < markdown.find("Serving echo").unwrap());
    assert!(markdown.contains("```sh\nanyloop compare"));
}

#[test]
fn json_has_a_version_the_verdicts_and_every_sample() {
    let comparison = specimen();
    let json = to_json(&comparison).unwrap();
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(value["version"], 2);
    assert_eq!(value["samples"].as_array().unwrap().len(), comparison.samples.len());
    let verdicts = value["verdicts"].as_array().unwrap();
    let of = |column: &str, subject: &str| {
        let is_it =
            |verdict: &&serde_json::Value| verdict["column"] == column && verdict["subject"] == subject;
        verdicts.iter().find(is_it).unwrap_or_else(|| panic!("no {column} of {subject}")).clone()
    };
    assert_eq!(of("cpu_at_rate", "threads")["told"], "reference");
    let pool = of("cpu_at_rate", "pool");
    assert_eq!((&pool["told"], &pool["unit"]), (&"worse".into(), &"µs".into()));
    assert!(pool["figure"].as_f64().unwrap() > 10.0 && pool["ratio"].as_f64().unwrap() > 1.05);
    let interval = &pool["ratio_interval"];
    assert!(interval[0].as_f64().unwrap() > 1.0 && interval[1].as_f64() > interval[0].as_f64());
    assert_eq!(of("cpu_at_saturation", "pool")["load"], "64 × 16");
}

#[test]
fn a_report_that_is_read_back_renders_the_same() {
    let comparison = specimen();
    let read: Comparison = from_json(&to_json(&comparison).unwrap()).unwrap();
    assert_eq!(read, comparison);
    assert_eq!(to_html(&read), to_html(&comparison));
    assert_eq!(to_text(&read, PLAIN), to_text(&comparison, PLAIN));
}

#[test]
fn the_page_data_has_a_row_for_every_sample() {
    let comparison = specimen();
    let page = to_html(&comparison);
    let data = page.split("id=\"data\">").nth(1).unwrap().split("</script>").next().unwrap();
    let data: serde_json::Value = serde_json::from_str(data).unwrap();
    assert_eq!(data["samples"]["rows"].as_array().unwrap().len(), comparison.samples.len());
    let width = data["samples"]["columns"].as_array().unwrap().len();
    assert!(
        data["samples"]["rows"].as_array().unwrap().iter().all(|row| row.as_array().unwrap().len() == width)
    );
}

#[test]
fn a_rate_has_the_same_format_everywhere() {
    let mut comparison = specimen();
    for shape in comparison.shapes.iter_mut().filter(|shape| shape.rate.is_some()) {
        // The name as older versions stored it.
        (shape.rate, shape.name) = (Some(28_000.0), "64 at 28000/s".to_owned());
    }
    let changes = against(&comparison, &comparison, false).unwrap();
    let page = to_html(&comparison);
    let seen = page.split("<script").next().unwrap_or_default().to_owned();
    for text in crate::texts(&comparison).into_iter().chain([seen, changes_to_text(&changes, PLAIN)]) {
        assert!(text.contains("28k/s") && !text.contains("28000"), "{text}");
    }
}

#[test]
fn the_stored_verdicts_have_their_evidence() {
    let of = |comparison: &Comparison| -> Vec<serde_json::Value> {
        let json: serde_json::Value = serde_json::from_str(&to_json(comparison).unwrap()).unwrap();
        json["verdicts"].as_array().unwrap().clone()
    };
    let verdicts = of(&specimen());
    let smol = verdicts.iter().find(|one| one["subject"] == "smol").unwrap();
    assert!(smol["p"].is_f64() && smol["confidence"].as_f64() > Some(0.95), "{smol}");
    assert!(smol["band"].as_f64() >= Some(0.03), "{smol}");
    let quick = of(&quick());
    let smol = quick.iter().find(|one| one["subject"] == "smol").unwrap();
    assert!(smol["why"]["few_rounds"]["needed"].is_u64(), "{smol}");
}

/// A comparison of one sample.
fn one_sample() -> Comparison {
    Comparison {
        version: anyloop_compare::data::VERSION,
        samples: vec![Sample::default()],
        subjects: vec![Subject::default()],
        shapes: vec![Shape::default()],
        ..Comparison::default()
    }
}

#[test]
fn values_that_are_not_finite_are_stored_as_zero() {
    let sample =
        Sample { rate: f64::NAN, cpu_user: 1.5, littles_error: Some(f64::INFINITY), ..Sample::default() };
    let comparison = Comparison { samples: vec![sample], ..one_sample() };
    let read = from_json(&to_json(&comparison).unwrap()).unwrap();
    assert_eq!(read.samples[0], Sample { cpu_user: 1.5, ..Sample::default() });
}

#[test]
fn another_version_is_an_error() {
    let json = to_json(&one_sample()).unwrap();
    let message = |json: &str| from_json(json).unwrap_err().to_string();
    let said = message(&json.replacen("\"version\":2", "\"version\":7", 1));
    assert!(said.contains("version 7") && said.contains("version 2 is needed"), "{said}");
    let said = message(&json.replacen("\"version\":2,", "", 1));
    assert!(said.contains("has no version") && said.contains("version 2 is needed"), "{said}");
    assert!(message("{}").contains("not a report.json"), "{}", message("{}"));
    assert!(message("no JSON").contains("not a report.json"));
}

#[test]
fn an_index_out_of_range_is_an_error() {
    assert!(from_json(&to_json(&one_sample()).unwrap()).is_ok());
    let json = to_json(&one_sample()).unwrap();
    let said =
        from_json(&json.replacen("\"subject\":0,\"shape\":0", "\"subject\":0,\"shape\":3", 1)).unwrap_err();
    assert!(said.to_string().contains("samples refer to subject or load number 3"), "{said}");
    let memory = vec![MemorySample { subject: 1, ..MemorySample::default() }];
    let said = from_json(&to_json(&Comparison { memory, ..one_sample() }).unwrap()).unwrap_err();
    assert!(said.to_string().contains("memory"), "{said}");
}
