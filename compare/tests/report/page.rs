//! The page.

use anyloop_compare::report::to_html;

use crate::specimen::{quick, specimen, two, with_hand_written};
use crate::{nesting, oddities};

/// A figure of the page.
fn figure<'a>(page: &'a str, key: &str) -> &'a str {
    let from = page.split(&format!("<figure id=\"{key}\"")).nth(1).unwrap_or_else(|| panic!("no {key}"));
    from.split("</figure>").next().unwrap_or_default()
}

#[test]
fn the_page_is_well_formed_and_self_contained() {
    let mut failed = specimen();
    failed.subjects[3].failed = Some("3 of 41022 replies were wrong: connection 17, message 5120".to_owned());
    failed.subjects[6].unavailable = Some("io_uring is not allowed in this sandbox".to_owned());
    failed.samples.retain(|sample| sample.round < 8);
    failed.interrupted = true;
    for (name, comparison) in [
        ("nine", specimen()),
        ("two", two()),
        ("by-hand", with_hand_written()),
        ("quick", quick()),
        ("failed", failed),
    ] {
        let page = to_html(&comparison);
        std::fs::write(format!("{}/report-{name}.html", env!("CARGO_TARGET_TMPDIR")), &page).unwrap();
        assert_eq!(nesting::fault(&page), None, "{name}");
        assert!(page.len() < 300 * 1024, "{name}: {} bytes", page.len());
        for outside in ["http:", "https:", "src=", "href=", "@import", "//cdn"] {
            assert!(!page.contains(outside), "{outside} refers to something outside the page");
        }
        for wrong in ["NaN", "inf\"", "Infinity"] {
            assert!(!page.contains(wrong), "{wrong} in the page");
        }
    }
}

#[test]
fn the_first_screen_comes_first_and_the_rest_in_order() {
    let page = to_html(&specimen());
    let places = [
        "<h1>",
        "class=\"matrix\"",
        "class=\"verdict\"",
        "<figure id=\"cores\"",
        ">Details by load<",
        ">Plots<",
        ">Noise and validity<",
        ">Conditions<",
        ">How to read it<",
        ">Reproduce<",
        "type=\"application/json\"",
    ];
    let places = places.map(|what| page.find(what).unwrap_or_else(|| panic!("{what} is missing")));
    assert!(places.is_sorted(), "{places:?}");
}

#[test]
fn every_plot_has_curves_names_and_a_description() {
    let page = to_html(&specimen());
    for key in ["cores", "cost", "latency", "percentiles", "timeline", "throughput", "memory", "rounds"] {
        let figure = figure(&page, key);
        assert!(figure.contains("<svg") && figure.contains("aria-label="), "{key} shows nothing");
        for name in ["threads", "pool", "tokio", "go-net"] {
            assert!(figure.contains(name), "{name} is missing in {key}");
        }
    }
}

#[test]
fn the_cores_plot_is_drawn_for_small_screens_too() {
    let page = to_html(&specimen());
    let cores = figure(&page, "cores");
    assert_eq!(cores.matches("<svg").count(), 2);
    assert!(cores.contains("class=\"small-screen\""));
}

#[test]
fn a_curve_that_was_never_overloaded_ends_in_a_hollow_mark() {
    let mut comparison = specimen();
    comparison.rate_sweep.retain(|point| point.subject != 4 || !point.overloaded);
    let page = to_html(&comparison);
    let cores = figure(&page, "cores");
    assert!(cores.contains("<title>tokio: not reached its limit</title>"), "{cores}");
    assert!(!cores.contains("<title>smol: not reached its limit</title>"), "{cores}");
}

#[test]
fn the_time_series_says_when_a_run_stalled() {
    let page = to_html(&specimen());
    let timeline = figure(&page, "timeline");
    // Pool stalls in the eighth round, 600 to 900 ms after its beginning.
    let longest = timeline.split(">longest ").find(|said| said.contains("in round 8")).expect("no stall");
    let second: f64 = longest.split("at ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!((0.6..0.9).contains(&second), "{second}");
}

#[test]
fn overloaded_points_are_marked_and_not_joined() {
    let mut comparison = specimen();
    comparison.rate_sweep.retain(|point| point.subject == 1);
    let kept = comparison.rate_sweep.iter().filter(|point| !point.overloaded).count();
    let overloaded = comparison.rate_sweep.len() - kept;
    assert!(kept > 1 && overloaded > 1);
    let page = to_html(&comparison);
    let plot = figure(&page, "latency").split("</svg>").next().unwrap();
    assert_eq!(plot.matches("class=\"cross s1\"").count(), overloaded);
    let curve = plot.split("class=\"curve s1\" d=\"").nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(curve.matches(['M', 'L']).count(), kept);
}

#[test]
fn a_plot_without_data_names_the_flag() {
    let page = to_html(&quick());
    for key in ["cores", "latency", "memory"] {
        assert!(figure(&page, key).contains("leave out --quick"), "{key}: {}", figure(&page, key));
    }
    // The default tier doesn't sweep connections either.
    assert!(figure(&page, "throughput").contains("--full"), "{}", figure(&page, "throughput"));
}

#[test]
fn a_server_has_the_same_class_in_every_plot() {
    let page = to_html(&specimen());
    // tokio is the fifth subject with a series.
    for key in ["cores", "cost", "latency", "percentiles", "throughput", "memory", "rounds"] {
        let labels = figure(&page, key).split("<text").filter_map(|text| text.split("</text>").next());
        let labels: Vec<&str> = labels.filter(|text| text.contains(">tokio")).collect();
        assert!(!labels.is_empty(), "no label in {key}");
        for label in labels {
            let class = label.split("class=\"").nth(1).unwrap().split('"').next().unwrap();
            assert!(class.ends_with("s4"), "{key}: {label}");
        }
    }
}

#[test]
fn missing_data_does_not_panic() {
    for comparison in oddities() {
        let page = to_html(&comparison);
        assert_eq!(nesting::fault(&page), None);
        assert!(!page.contains("NaN"), "{:?}", page.find("NaN").map(|at| &page[at - 200..at + 20]));
        crate::texts(&comparison);
    }
}

#[test]
fn hostile_text_is_escaped() {
    let mut comparison = specimen();
    let hostile = "</script><script>alert(1)</script>\"'|<b>**x**`";
    comparison.conditions.command = hostile.to_owned();
    comparison.conditions.handler = hostile.to_owned();
    comparison.conditions.message = hostile.to_owned();
    comparison.conditions.facts = vec![(hostile.to_owned(), hostile.to_owned())];
    comparison.shapes[0].name = hostile.to_owned();
    for subject in &mut comparison.subjects[1..4] {
        subject.name = format!("{hostile}\u{1b}[31m");
        subject.model = hostile.to_owned();
        subject.handler_runs = Some(hostile.to_owned());
    }
    comparison.subjects[3].failed = Some(hostile.to_owned());
    comparison.samples[0].flags = vec![hostile.to_owned()];
    comparison.samples[0].refused = 1_000_000;
    comparison.samples[0].refusal = Some(hostile.to_owned());
    let page = to_html(&comparison);
    assert_eq!(nesting::fault(&page), None);
    assert!(!page.contains("<script>") && !page.contains("<b>") && !page.contains('\u{1b}'));
    let [text, markdown] = crate::texts(&comparison);
    assert!(!text.contains('\u{1b}'), "{text:?}");
    // After that comes the command in a code fence, where nothing needs escaping.
    let markdown = markdown.split("To repeat it").next().unwrap();
    assert!(!markdown.contains("<b>") && !markdown.contains("<script>"), "{markdown}");
}
