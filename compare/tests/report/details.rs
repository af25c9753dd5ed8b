//! The tables below the first screen, and the notes on doubtful figures.

use anyloop_compare::report::{to_html, to_markdown};
use anyloop_compare::{Comparison, Sample, Shape, Subject};

use crate::specimen::specimen;

/// The part of the Markdown under a heading, with plain spaces.
fn section(comparison: &Comparison, heading: &str) -> String {
    let markdown = to_markdown(comparison).replace('\u{a0}', " ");
    let section = markdown.split("\n## ").find(|section| section.starts_with(heading));
    section.unwrap_or_else(|| panic!("no {heading}: {markdown}")).to_owned()
}

fn row(section: &str, name: &str) -> String {
    let start = format!("| {name} ");
    section.lines().find(|line| line.starts_with(&start)).expect("the server has a row").to_owned()
}

/// The specimen with the closed loop of tokio changed from a round on.
fn with_tokio(from: usize, change: fn(&mut Sample)) -> Comparison {
    let mut comparison = specimen();
    let of_it = |sample: &&mut Sample| sample.subject == 4 && sample.shape == 1 && sample.round >= from;
    comparison.samples.iter_mut().filter(of_it).for_each(change);
    comparison
}

const CLOSED: &str = "64 connections × 16 in flight";

#[test]
fn a_figure_from_fewer_than_six_rounds_says_how_many_and_has_no_interval() {
    let few = section(&with_tokio(3, |sample| sample.latency.clear()), CLOSED);
    assert_eq!(row(&few, "tokio").matches("(3 of 13 rounds)").count(), 2, "p50 and p99: {few}");
    assert!(!row(&few, "smol").contains("of 13 rounds"), "{few}");
}

#[test]
fn no_figure_is_shown_if_the_generator_was_the_bottleneck() {
    let limited = section(&with_tokio(2, |sample| sample.generator_limited = true), CLOSED);
    assert!(row(&limited, "tokio").contains("not measured (generator was the bottleneck)"), "{limited}");
    let all = section(&with_tokio(0, |sample| sample.generator_limited = true), CLOSED);
    assert!(row(&all, "tokio").contains("not measured (generator was the bottleneck)"), "{all}");
}

#[test]
fn a_table_of_a_closed_loop_has_a_note_on_latencies() {
    let closed = section(&specimen(), CLOSED);
    assert!(
        closed.contains(
            "In a closed loop nothing is sent while a server stalls, so its latencies hide most of the stall."
        ),
        "{closed}"
    );
    let flagged = "Flagged as doubtful, of the 13 rounds of each server: at most 1 for CPU per message, replies, p50 \
                   latency, p99 latency and context switches per message.";
    assert!(closed.contains(flagged), "{closed}");
    let open = section(&specimen(), "64 connections, 15k/s\n");
    assert!(!open.contains("closed loop"), "{open}");
}

#[test]
fn flags_are_counted_by_metric() {
    let mut comparison = specimen();
    let said = "6 of 390 measurements are flagged for p99 latency, and 6 for server CPU per message";
    assert!(to_markdown(&comparison).contains(said), "{}", to_markdown(&comparison));
    for sample in comparison.samples.iter_mut().filter(|sample| !sample.flags.is_empty()) {
        sample.flags = vec!["generator busy 90 %".to_owned()];
    }
    let said = "6 of 390 measurements are flagged for p99 latency, and none for server CPU per message";
    assert!(to_markdown(&comparison).contains(said), "{}", to_markdown(&comparison));
    assert!(to_html(&comparison).contains(said));
}

#[test]
fn a_server_with_fewer_connections_has_a_row_that_names_its_load() {
    let mut comparison = specimen();
    comparison.subjects.push(Subject { name: "sequential".to_owned(), ..Subject::default() });
    comparison.shapes.push(Shape { name: "1 × 1".to_owned(), connections: 1, depth: 1, ..Shape::default() });
    for subject in [0, comparison.subjects.len() - 1] {
        let sample = |round| Sample { round, subject, shape: 3, cpu_user: 9.0, ..Sample::default() };
        comparison.samples.extend((0..13).map(sample));
    }
    let markdown = to_markdown(&comparison);
    let said = "| sequential | **serves one client at a time**: see 1 connection, closed loop |";
    assert!(markdown.contains(said), "{markdown}");
    let alone = section(&comparison, "1 connection, closed loop");
    assert!(row(&alone, "sequential").contains("9 µs"), "{alone}");
    assert_eq!(crate::nesting::fault(&to_html(&comparison)), None);
}
