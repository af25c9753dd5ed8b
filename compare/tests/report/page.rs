//! The page.

use compare::report::{to_html, to_markdown, to_text};

use crate::specimen::{quick, specimen, two, with_hand_written};
use crate::{PLAIN, nesting, oddities};

fn keep(name: &str, page: &str) {
    std::fs::write(format!("{}/report-{name}.html", env!("CARGO_TARGET_TMPDIR")), page).unwrap();
}

#[test]
fn the_page_is_whole_and_needs_nothing_else() {
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
        keep(name, &page);
        assert_eq!(nesting::fault(&page), None, "{name}");
        assert!(page.len() < 300 * 1024, "{name}: {} bytes", page.len());
        for outside in ["http:", "https:", "src=", "href=", "@import", "//cdn"] {
            assert!(!page.contains(outside), "{outside} leads out of the page");
        }
        for wrong in ["NaN", "inf\"", "Infinity"] {
            assert!(!page.contains(wrong), "{wrong} in the page");
        }
    }
}
