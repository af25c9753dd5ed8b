//! The report in all its forms, of a made-up comparison. The page is left in Cargo's folder for what tests make
//! (`target/tmp/report.html`), to be looked at.

mod nesting;
mod specimen;

use compare::report::{Style, conclude, from_json, to_html, to_json, to_markdown, to_table};
use compare::{Comparison, Sample, Shape, Subject};
use specimen::specimen;

const PLAIN: Style = Style { colour: false, unicode: false };

#[test]
fn the_page_is_whole_and_needs_nothing_else() {
    let page = to_html(&specimen());
    std::fs::write(concat!(env!("CARGO_TARGET_TMPDIR"), "/report.html"), &page).unwrap();
    assert_eq!(nesting::fault(&page), None);
    assert!(page.len() < 300 * 1024, "{} bytes", page.len());
    for outside in ["http:", "https:", "src=", "href=", "@import", "//cdn"] {
        assert!(!page.contains(outside), "{outside} leads out of the page");
    }
    for name in ["sequential", "threads", "pool", "async-std", "smol"] {
        assert!(page.contains(&format!("{name}<small")), "{name} is missing in the table");
    }
    for plot in ["latency", "percentiles", "connections", "cpu", "memory", "isolation", "rounds"] {
        let start = page.find(&format!("<figure id=\"{plot}\"")).unwrap();
        assert!(page[start..].split("</figure>").next().unwrap().contains("<svg"), "{plot} shows nothing");
    }
    for wrong in ["NaN", "inf\"", "Infinity"] {
        assert!(!page.contains(wrong), "{wrong} in the page");
    }
}

#[test]
fn the_page_keeps_its_order_and_its_data() {
    let comparison = specimen();
    let page = to_html(&comparison);
    let places = [
        "class=\"verdict\"",
        ">Conditions<",
        ">Summary<",
        ">Plots<",
        ">Noise and validity<",
        ">Do it again<",
    ];
    let places: Vec<usize> = places.map(|what| page.find(what).unwrap()).to_vec();
    assert!(places.is_sorted(), "{places:?}");
    let data = page.split("id=\"data\">").nth(1).unwrap().split("</script>").next().unwrap();
    assert_eq!(from_json(data).unwrap(), comparison);
    assert_eq!(from_json(&to_json(&comparison).unwrap()).unwrap(), comparison);
}

#[test]
fn the_verdict_names_winner_ratio_and_noise() {
    let verdict = conclude(&specimen()).join(" ");
    for fact in [
        "**smol** uses the least",
        "15k/s",
        "what **threads** uses (95 % interval",
        "±",
        "**threads**",
        "flagged",
    ] {
        assert!(verdict.contains(fact), "{fact}: {verdict}");
    }
}

#[test]
fn the_table_fits_a_terminal() {
    let text = to_table(&specimen(), PLAIN);
    println!("{text}");
    assert!(text.is_ascii());
    assert!(text.lines().all(|line| line.len() <= 100));
    assert!(text.contains("CHEAPER") && text.contains("reference"));
    let colourful = to_table(&specimen(), Style { colour: true, unicode: true });
    assert!(colourful.contains("\x1b[1m") && colourful.contains('µ'));
}

#[test]
fn the_failed_are_shown_and_never_ranked() {
    let mut comparison = specimen();
    comparison.subjects[4].failed = Some("3 of 41022 replies were <wrong>".to_owned());
    let page = to_html(&comparison);
    assert!(page.contains("<strong>FAILED</strong>: 3 of 41022 replies were &lt;wrong&gt;"));
    assert_eq!(nesting::fault(&page), None);
    let verdict = conclude(&comparison).join(" ");
    assert!(verdict.contains("**smol** FAILED"), "{verdict}");
    assert!(!verdict.contains("**smol** uses the least"), "{verdict}");
    assert!(to_markdown(&comparison).contains("**FAILED**"));
    assert!(to_table(&comparison, PLAIN).contains("FAILED: 3 of 41022"));
}

#[test]
fn overloaded_points_are_marked_and_never_joined() {
    let mut comparison = specimen();
    comparison.rate_sweep.retain(|point| point.subject == 1);
    let kept = comparison.rate_sweep.iter().filter(|point| !point.overloaded).count();
    let overloaded = comparison.rate_sweep.len() - kept;
    assert!(kept > 1 && overloaded > 1);
    let page = to_html(&comparison);
    let plot = page.split("<figure id=\"latency\"").nth(1).unwrap().split("</svg>").next().unwrap();
    assert_eq!(plot.matches("class=\"cross s1\"").count(), overloaded);
    let curve = plot.split("class=\"curve s1\" d=\"").nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(curve.matches(['M', 'L']).count(), kept);
}

#[test]
fn a_plot_without_data_names_the_flag() {
    let mut comparison = specimen();
    comparison.rate_sweep.clear();
    comparison.isolation.clear();
    let page = to_html(&comparison);
    assert!(
        page.contains("No rates were swept")
            && page.contains("Hostile clients were not tried. The default tier")
    );
}

#[test]
fn whatever_is_missing_nothing_panics() {
    let single = |rounds: usize, cpu: f64| Comparison {
        subjects: vec![Subject { name: "a".to_owned(), ..Subject::default() }; 2],
        shapes: vec![Shape::default()],
        samples: (0..rounds * 2)
            .map(|n| Sample { round: n / 2, subject: n % 2, cpu_user: cpu, ..Sample::default() })
            .collect(),
        ..Comparison::default()
    };
    let mut odd = specimen();
    for sample in &mut odd.samples {
        sample.cpu_user = f64::NAN;
        sample.latency.clear();
        sample.rate = 0.0;
    }
    odd.rate_sweep.iter_mut().for_each(|point| (point.p99, point.overloaded) = (f64::INFINITY, false));
    let mut all_failed = specimen();
    all_failed.samples.iter_mut().for_each(|sample| sample.bad = 1);
    let mut interrupted = specimen();
    interrupted.samples.truncate(7);
    interrupted.interrupted = true;
    let nothing = Comparison::default();
    for comparison in [nothing, single(1, 2.0), single(2, 2.0), single(3, 0.0), odd, all_failed, interrupted]
    {
        let page = to_html(&comparison);
        assert_eq!(nesting::fault(&page), None);
        assert!(!page.contains("NaN"), "{:?}", page.find("NaN").map(|at| &page[at - 200..at + 20]));
        to_markdown(&comparison);
        to_table(&comparison, PLAIN);
    }
}

#[test]
fn hostile_text_stays_text() {
    let mut comparison = specimen();
    comparison.conditions.command = "</script><script>alert(1)</script>".to_owned();
    comparison.subjects[1].name = "<b>\"x\"|y".to_owned();
    let page = to_html(&comparison);
    assert_eq!(nesting::fault(&page), None);
    assert!(!page.contains("<script>") && !page.contains("<b>"));
    assert!(!to_markdown(&comparison).contains("<b>"));
}
