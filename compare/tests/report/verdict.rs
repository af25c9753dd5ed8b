//! What is told, in every form of the report alike.

use anyloop_compare::report::{conclude, to_html};
use anyloop_compare::statistics::{Absent, assess};
use anyloop_compare::{Comparison, Sample};

use crate::specimen::{quick, specimen, two, with_another_build, with_hand_written};
use crate::texts;

/// The verdict without the marks of names.
fn verdict(comparison: &Comparison) -> String {
    conclude(comparison).join(" ").replace("**", "")
}

fn in_one_line(text: String) -> String {
    text.split(['\n', ' ']).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// What every form of the report must say.
fn every_form_says(comparison: &Comparison, what: &str) {
    let unmarked = |text: String| text.replace("**", "").replace("<strong>", "").replace("</strong>", "");
    for text in texts(comparison).into_iter().chain([to_html(comparison)]) {
        let text = in_one_line(unmarked(text));
        assert!(text.contains(what), "{what:?} is missing in {}", &text[..text.len().min(6000)]);
    }
}

#[test]
fn it_names_the_best_its_figure_the_ratio_and_the_interval() {
    let comparison = specimen();
    let said = conclude(&comparison);
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
fn it_has_at_most_three_sentences_of_plain_words() {
    let mut refused = specimen();
    refused.samples.iter_mut().for_each(|sample| sample.refused = sample.replies);
    refused.conditions.unverified = true;
    for comparison in
        [specimen(), two(), quick(), with_hand_written(), refused].into_iter().chain(crate::oddities())
    {
        let said = conclude(&comparison);
        assert!((1..=3).contains(&said.len()), "{said:?}");
        let text = said.join(" ");
        for word in ["dearer", "cheaper", "NaN", "inf"] {
            assert!(!text.contains(word), "{word}: {text}");
        }
    }
}

#[test]
fn every_form_says_the_same() {
    for comparison in [specimen(), two(), quick()] {
        for said in conclude(&comparison) {
            every_form_says(&comparison, &said.replace("**", ""));
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
fn refusals_are_the_first_that_is_said() {
    let mut comparison = specimen();
    for sample in comparison.samples.iter_mut().filter(|sample| sample.subject == 3) {
        sample.replies = 10_000;
        sample.refused = 9_990;
        sample.refusal = Some("ERR rate-limited".to_owned());
    }
    let said = conclude(&comparison)[0].replace(['\u{a0}', '*'], " ");
    assert!(
        said.starts_with("99.9 % of the replies of   smol   were refusals, such as `ERR rate-limited`"),
        "{said}"
    );
    every_form_says(&comparison, "were refusals, such as `ERR rate-limited`");
    // Those of one load are not lost among the replies of the others.
    let one_load = |sample: &mut Sample| sample.refused = if sample.shape == 1 { sample.refused } else { 0 };
    comparison.samples.iter_mut().for_each(one_load);
    comparison
        .samples
        .iter_mut()
        .filter(|sample| sample.shape != 1)
        .for_each(|sample| sample.replies = 10_000_000);
    let said = conclude(&comparison)[0].replace(['\u{a0}', '*'], " ");
    assert!(said.starts_with("Up to 99.9 % of the replies of   smol   were refusals"), "{said}");
    // A few are no news.
    let few = |sample: &mut Sample| (sample.refused, sample.replies) = (9, 10_000);
    comparison.samples.iter_mut().for_each(few);
    assert!(!verdict(&comparison).contains("refusals"));
}

#[test]
fn what_was_not_verified_is_not_called_right() {
    let mut comparison = specimen();
    comparison.conditions.unverified = true;
    every_form_says(&comparison, "counted, not verified");
    assert!(verdict(&comparison).to_lowercase().contains("the replies were counted, not verified"));
    assert!(!to_html(&specimen()).contains("not verified"));
}

#[test]
fn a_quick_run_is_screening() {
    let comparison = quick();
    every_form_says(&comparison, "screening only");
    assert!(verdict(&comparison).contains("5 rounds"), "{}", verdict(&comparison));
    assert!(!verdict(&specimen()).contains("screening"));
}

#[test]
fn an_interrupted_comparison_says_after_how_many_rounds() {
    let mut comparison = specimen();
    comparison.samples.retain(|sample| sample.round < 8);
    comparison.interrupted = true;
    every_form_says(&comparison, "interrupted after 8 of 13 rounds");
}

#[test]
fn a_machine_that_others_use_is_warned_of() {
    let mut comparison = specimen();
    let warning = "load average 5.2 at the start, on 2 cores: other programs were running";
    assert!(!to_html(&comparison).contains("other programs were running"));
    let mut machine = comparison.conditions.machine.iter_mut();
    machine.find(|(name, _)| name.starts_with("load average")).unwrap().1 = "5.20".to_owned();
    every_form_says(&comparison, warning);
}

#[test]
fn what_was_not_measured_is_not_said_to_be_pinned() {
    let mut comparison = specimen();
    let pinned = "closed loops and the highest rate: server on 1, generator on 0";
    comparison.conditions.pinned = Some(pinned.to_owned());
    every_form_says(&comparison, pinned);
    comparison.probes.clear();
    every_form_says(&comparison, "pinned: closed loops: server on 1, generator on 0");
}

#[test]
fn the_failed_are_shown_and_never_ranked() {
    let mut comparison = specimen();
    comparison.subjects[5].failed = Some("3 of 41022 replies were wrong".to_owned());
    every_form_says(&comparison, "FAILED: 3 of 41022 replies were wrong");
    assert!(!verdict(&comparison).contains("epoll"), "{}", verdict(&comparison));
}

#[test]
fn who_can_not_run_here_has_not_failed() {
    let mut comparison = specimen();
    comparison.subjects[6].unavailable = Some("no such kernel".to_owned());
    every_form_says(&comparison, "not available here: no such kernel");
    for text in texts(&comparison) {
        assert!(!text.contains("FAILED"), "{text}");
    }
}

#[test]
fn servers_written_by_hand_stand_apart_and_have_ratios() {
    let comparison = with_hand_written();
    let assessment = assess(&comparison);
    let is_by_hand = |subject: &usize| comparison.subjects[*subject].name.contains("careful");
    assert!(!assessment.ranked.iter().any(is_by_hand));
    every_form_says(&comparison, "written by hand, without limits and deadlines; not ranked");
    every_form_says(&comparison, "to the careful server on the same runtime");
    every_form_says(&comparison, "to the loop that sends bytes back without looking at them");
    let [text, _] = texts(&comparison);
    let (matrix, ratios) = text.split_once("to the careful server").unwrap();
    let place = |name: &str| matrix.find(name).unwrap();
    assert!(place("go-net") < place("written by hand") && place("written by hand") < place("tokio-careful"));
    let careful = ratios.split("to the plain server").next().unwrap();
    let rows: Vec<&str> = careful.lines().filter(|line| line.contains('×')).collect();
    assert_eq!(rows.len(), 3, "threads, tokio and epoll have a careful counterpart: {careful}");
}

#[test]
fn another_build_stands_apart_and_is_held_against_this_one() {
    let comparison = with_another_build();
    every_form_says(&comparison, "the other build, each against the same backend of this build");
    every_form_says(&comparison, "This build against the other, by server CPU");
    let [text, _] = texts(&comparison);
    let (matrix, builds) = text.split_once("This build against the other").unwrap();
    let row = |text: &str, name: &str| {
        text.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned()
    };
    // What is better of this build is worse of the other.
    assert!(row(matrix, "epoll (other)").contains("worse"), "{text}");
    assert!(row(builds, "epoll").contains("better"), "{text}");
    assert!(!row(builds, "tokio").contains("better") && !row(builds, "tokio").contains("worse"), "{text}");
}
