//! A comparison with subscribers, in all forms.

use anyloop_compare::Comparison;
use anyloop_compare::report::{Style, conclusions, from_json, to_html, to_json, to_markdown, to_text};
use serde_json::Value;

use crate::PLAIN;
use crate::specimen::with_subscribers;

/// The text for a wide terminal, with plain spaces.
fn text(comparison: &Comparison) -> String {
    let style = Style { unicode: true, width: 250, details: true, ..PLAIN };
    to_text(comparison, style).replace('\u{a0}', " ")
}

/// The line of a text that begins like this.
#[track_caller]
fn line<'a>(text: &'a str, begin: &str) -> &'a str {
    text.lines().find(|line| line.starts_with(begin)).unwrap_or_else(|| panic!("no line {begin}: {text}"))
}

#[test]
fn each_load_has_a_column_for_the_cost_and_one_for_the_delay() {
    let text = text(&with_subscribers());
    let loads = ["to 1 subscriber, at 6k/s", "to 100 subscribers, at 60/s", "to 10k subscribers, at 2/s"];
    let under = text.lines().find(|line| line.contains(loads[0])).unwrap();
    for load in loads {
        assert_eq!(under.matches(load).count(), 2, "{under}");
    }
    let headings = text.lines().find(|line| line.contains("CPU per delivery")).unwrap();
    assert_eq!(headings.matches("p99 delivery delay").count(), 3, "{headings}");
    assert!(!text.contains("CPU at saturation") && !text.contains("--slo"), "{text}");
    // It costs more on `pool` than on the reference, and less on `epoll`.
    // The reference has no figures under the last load.
    assert!(line(&text, "pool ").matches("worse").count() >= 3, "{text}");
    assert_eq!(line(&text, "epoll ").matches("better").count(), 4, "{text}");
    assert!(line(&text, "threads ").contains("not measured"), "{text}");
}

#[test]
fn servers_without_some_figures_are_explained() {
    for text in [text(&with_subscribers()), to_markdown(&with_subscribers())] {
        let text = text.replace("**", "");
        assert!(text.contains("not measured: it serves one client at a time"), "{text}");
        let note = "Pushing to 10k subscribers was not measured in all rounds of threads: 3 connections could not be made.";
        assert!(text.contains(note), "{text}");
        assert!(text.contains("100 subscribers of pool missed 39 of 260k messages."), "{text}");
    }
}

#[test]
fn the_conclusion_names_the_cheapest() {
    let said = conclusions(&with_subscribers()).join(" ").replace("**", "").replace('\u{a0}', " ");
    let begin = "Serving fanout to 1 subscriber at 6k/s, epoll has the lowest CPU per delivery: ";
    assert!(said.starts_with(begin), "{said}");
    assert!(said.contains("epoll has the lowest CPU per delivery to 100 subscribers ("), "{said}");
    assert!(said.contains(", the lowest p99 delivery delay to 1 subscriber ("), "{said}");
}

#[test]
fn all_of_it_is_stored_and_read_back() {
    let comparison = with_subscribers();
    let json = to_json(&comparison).unwrap();
    assert_eq!(from_json(&json).unwrap(), comparison);
    let json: Value = serde_json::from_str(&json).unwrap();
    let verdicts = json["verdicts"].as_array().unwrap();
    let of = |column: &str, load: &str| {
        let is_it =
            |one: &&Value| one["column"] == column && one["load"] == load && one["subject"] == "epoll";
        verdicts.iter().find(is_it).unwrap_or_else(|| panic!("no {column} under {load}")).clone()
    };
    for load in ["64 at 6000/s to 1", "64 at 60/s to 100"] {
        for column in ["cpu_per_delivery", "p99_delivery_delay"] {
            let verdict = of(column, load);
            assert_eq!((&verdict["told"], &verdict["unit"]), (&"better".into(), &"µs".into()), "{verdict}");
        }
    }
    let mut beyond = comparison;
    beyond.subjects[0].not_held[0].shape = 3;
    let error = from_json(&to_json(&beyond).unwrap()).unwrap_err().to_string();
    assert!(error.contains("subjects refer to subject or load number 3"), "{error}");
}

#[test]
fn the_page_has_the_plots_of_pushes_and_no_others() {
    let page = to_html(&with_subscribers());
    assert_eq!(crate::nesting::fault(&page), None);
    for question in ["What does a push cost?", "How long does a push take?", "How much do the rounds differ?"]
    {
        assert!(page.contains(question), "{question}");
    }
    assert!(page.contains("<dt>delivery</dt>") && page.contains("subscribers (logarithmic)"));
    for other in ["How many cores does a rate need?", "What does an idle client cost?"] {
        assert!(!page.contains(other), "{other}");
    }
    let data = page.split("id=\"data\">").nth(1).unwrap().split("</script>").next().unwrap();
    let data: Value = serde_json::from_str(data).unwrap();
    let width = data["samples"]["columns"].as_array().unwrap().len();
    let rows = data["samples"]["rows"].as_array().unwrap();
    assert!(width == 14 && rows.iter().all(|row| row.as_array().unwrap().len() == width), "{data}");
}
