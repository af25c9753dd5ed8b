//! The verdict, which is the same in every format of the report.

use anyloop_compare::report::{conclusions, to_html};
use anyloop_compare::statistics::{Absent, assess};
use anyloop_compare::{Comparison, Sample};

use crate::specimen::{quick, specimen, two, with_another_build, with_hand_written};
use crate::texts;

/// The verdict without the asterisks around names.
fn verdict(comparison: &Comparison) -> String {
    conclusions(comparison).join(" ").replace("**", "")
}

fn in_one_line(text: String) -> String {
    text.split(['\n', ' ']).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Checks that every format of the report contains a text.
fn every_format_contains(comparison: &Comparison, what: &str) {
    let unmarked = |text: String| text.replace("**", "").replace("<strong>", "").replace("</strong>", "");
    for text in texts(comparison).into_iter().chain([to_html(comparison)]) {
        let text = in_one_line(unmarked(text));
        assert!(text.contains(what), "{what:?} is missing in {}", &text[..text.len().min(6000)]);
    }
}

#[test]
fn it_names_the_best_server_its_figure_the_ratio_and_the_interval() {
    let comparison = specimen();
    let said = conclusions(&comparison);
    let assessment = assess(&comparison);
    let leader = assessment.columns[0].leader.unwrap();
    let name = format!("**{}**", comparison.subjects[leader].name);
    for fact in [
        "Serving echo to 64 connections at 15k/s",
        &name,
        "that of **threads** (",
        "interval",
        "server CPU per message",
    ] {
        assert!(said[0].contains(fact), "{fact}: {said:?}");
    }
}

#[test]
fn it_has_at_most_three_sentences_without_jargon() {
    let mut refused = specimen();
    refused.samples.iter_mut().for_each(|sample| sample.refused = sample.replies);
    refused.conditions.unverified = true;
    for comparison in
        [specimen(), two(), quick(), with_hand_written(), refused].into_iter().chain(crate::oddities())
    {
        let said = conclusions(&comparison);
        assert!((1..=3).contains(&said.len()), "{said:?}");
        let text = said.join(" ");
        for word in ["dearer", "cheaper", "NaN", "inf"] {
            assert!(!text.contains(word), "{word}: {text}");
        }
    }
}

#[test]
fn every_format_has_the_same_verdict() {
    for comparison in [specimen(), two(), quick()] {
        for said in conclusions(&comparison) {
            every_format_contains(&comparison, &said.replace("**", ""));
        }
    }
}

#[test]
fn columns_that_were_not_measured_name_the_flag() {
    let comparison = two();
    let assessment = assess(&comparison);
    assert_eq!(assessment.columns[2].absent, Some(Absent::NeedsSlo));
    assert_eq!(assessment.columns[5].absent, Some(Absent::NeedsFull));
    for text in texts(&comparison).map(in_one_line) {
        assert!(text.contains("Highest rate is not measured without --slo"), "{text}");
        assert!(text.contains("p99 beside hostile clients is not measured without --full"), "{text}");
    }
    let page = to_html(&comparison);
    assert!(page.contains("not measured without <code class=\"flag\">--slo</code>"));
    assert!(page.contains("not measured without <code class=\"flag\">--full</code>"));
}

#[test]
fn refusals_come_first() {
    let mut comparison = specimen();
    for sample in comparison.samples.iter_mut().filter(|sample| sample.subject == 3) {
        sample.replies = 10_000;
        sample.refused = 9_990;
        sample.refusal = Some("ERR rate-limited".to_owned());
    }
    let said = conclusions(&comparison)[0].replace(['\u{a0}', '*'], " ");
    assert!(
        said.starts_with("99.9 % of the replies of   smol   were refusals, such as `ERR rate-limited`"),
        "{said}"
    );
    every_format_contains(&comparison, "were refusals, such as `ERR rate-limited`");
    // The refusals of one load are not hidden by the replies of the others.
    let one_load = |sample: &mut Sample| sample.refused = if sample.shape == 1 { sample.refused } else { 0 };
    comparison.samples.iter_mut().for_each(one_load);
    comparison
        .samples
        .iter_mut()
        .filter(|sample| sample.shape != 1)
        .for_each(|sample| sample.replies = 10_000_000);
    let said = conclusions(&comparison)[0].replace(['\u{a0}', '*'], " ");
    assert!(said.starts_with("Up to 99.9 % of the replies of   smol   were refusals"), "{said}");
    // A few are not reported.
    let few = |sample: &mut Sample| (sample.refused, sample.replies) = (9, 10_000);
    comparison.samples.iter_mut().for_each(few);
    assert!(!verdict(&comparison).contains("refusals"));
}

#[test]
fn unverified_replies_are_reported() {
    let mut comparison = specimen();
    comparison.conditions.unverified = true;
    every_format_contains(&comparison, "counted, not verified");
    assert!(verdict(&comparison).to_lowercase().contains("the replies were counted, not verified"));
    assert!(!to_html(&specimen()).contains("not verified"));
}

#[test]
fn a_quick_run_is_screening() {
    let comparison = quick();
    every_format_contains(&comparison, "screening only");
    assert!(verdict(&comparison).contains("5 rounds"), "{}", verdict(&comparison));
    assert!(!verdict(&specimen()).contains("screening"));
}

#[test]
fn an_interrupted_comparison_says_after_how_many_rounds() {
    let mut comparison = specimen();
    comparison.samples.retain(|sample| sample.round < 8);
    comparison.interrupted = true;
    every_format_contains(&comparison, "interrupted after 8 of 13 rounds");
}

#[test]
fn a_busy_machine_is_a_warning() {
    let mut comparison = specimen();
    let warning = "load average 5.2 at the start, on 2 cores: other programs were running";
    assert!(!to_html(&comparison).contains("other programs were running"));
    let mut machine = comparison.conditions.machine.iter_mut();
    machine.find(|(name, _)| name.starts_with("load average")).unwrap().1 = "5.20".to_owned();
    every_format_contains(&comparison, warning);
}

#[test]
fn pinning_of_what_was_not_measured_is_left_out() {
    let mut comparison = specimen();
    let pinned = "closed loops and the highest rate: server on 1, generator on 0";
    comparison.conditions.pinned = Some(pinned.to_owned());
    every_format_contains(&comparison, pinned);
    comparison.probes.clear();
    every_format_contains(&comparison, "pinned: closed loops: server on 1, generator on 0");
}

#[test]
fn failed_servers_are_shown_and_not_ranked() {
    let mut comparison = specimen();
    comparison.subjects[5].failed = Some("3 of 41022 replies were wrong".to_owned());
    every_format_contains(&comparison, "FAILED: 3 of 41022 replies were wrong");
    assert!(!verdict(&comparison).contains("epoll"), "{}", verdict(&comparison));
}

#[test]
fn an_unavailable_server_has_not_failed() {
    let mut comparison = specimen();
    comparison.subjects[6].unavailable = Some("no such kernel".to_owned());
    every_format_contains(&comparison, "not available here: no such kernel");
    for text in texts(&comparison) {
        assert!(!text.contains("FAILED"), "{text}");
    }
}

#[test]
fn handwritten_servers_are_grouped_and_have_ratios() {
    let comparison = with_hand_written();
    let assessment = assess(&comparison);
    let is_by_hand = |subject: &usize| comparison.subjects[*subject].name.contains("careful");
    assert!(!assessment.ranked.iter().any(is_by_hand));
    every_format_contains(&comparison, "handwritten, without limits and deadlines; not ranked");
    every_format_contains(&comparison, "compared with the careful server on the same runtime");
    every_format_contains(
        &comparison,
        "compared with the raw loop, which sends bytes back without parsing them",
    );
    let [text, _] = texts(&comparison);
    let (matrix, ratios) = text.split_once("compared with the careful server").unwrap();
    let place = |name: &str| matrix.find(name).unwrap();
    assert!(place("go-net") < place("handwritten") && place("handwritten") < place("tokio-careful"));
    let careful = ratios.split("compared with the plain server").next().unwrap();
    let rows: Vec<&str> = careful.lines().filter(|line| line.contains('×')).collect();
    assert_eq!(rows.len(), 3, "threads, tokio and epoll have a careful counterpart: {careful}");
}

#[test]
fn another_build_is_grouped_and_compared_with_this_one() {
    let comparison = with_another_build();
    every_format_contains(&comparison, "the other build, each compared with the same backend of this build");
    every_format_contains(&comparison, "This build compared with the other, by server CPU");
    let [text, _] = texts(&comparison);
    let (matrix, builds) = text.split_once("This build compared with the other").unwrap();
    let row = |text: &str, name: &str| {
        text.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned()
    };
    // If this build is better, the other one is worse.
    assert!(row(matrix, "epoll (other)").contains("worse"), "{text}");
    assert!(row(builds, "epoll").contains("better"), "{text}");
    assert!(!row(builds, "tokio").contains("better") && !row(builds, "tokio").contains("worse"), "{text}");
}
