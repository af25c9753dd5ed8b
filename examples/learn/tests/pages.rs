//! The pages of `docs/learn` have the same steps, commands and faults in both languages.

#[path = "pages/page.rs"]
mod page;

use self::page::{CHINESE, ENGLISH, steps};

#[test]
fn each_step_has_its_heading() {
    for page in [ENGLISH, CHINESE] {
        let numbers: Vec<_> = steps(page).iter().map(|step| step.number).collect();
        assert_eq!(numbers, (1..=12).collect::<Vec<_>>());
    }
}

#[test]
fn both_languages_have_the_same_commands_code_and_faults() {
    for (english, chinese) in steps(ENGLISH).iter().zip(&steps(CHINESE)) {
        assert_eq!(english.commands(), chinese.commands(), "step {}", english.number);
        assert_eq!(english.code(), chinese.code(), "step {}", english.number);
        assert_eq!(english.faults(), chinese.faults(), "step {}", english.number);
        assert_eq!(english.links(), chinese.links(), "step {}", english.number);
    }
}

#[test]
fn each_step_is_complete() {
    for step in steps(ENGLISH) {
        let number = step.number;
        assert!(step.commands().contains(&format!("docs/learn/lesson.sh {number}\n")), "{number}: no lesson");
        assert!(!step.faults().is_empty(), "{number}: no fault");
        for part in ["**Predict.**", "**Figure.**", "**Exercise.**"] {
            assert!(step.text.contains(part), "{number}: no {part}");
        }
    }
    for step in steps(CHINESE) {
        for part in ["**预测。**", "**数字。**", "**练习。**"] {
            assert!(step.text.contains(part), "{}: no {part}", step.number);
        }
    }
}

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/learn");

#[test]
fn each_block_of_code_is_in_a_file_that_its_step_links() {
    for step in steps(ENGLISH) {
        let linked = step.links().into_iter().map(|target| format!("{FOLDER}/{target}"));
        let sources: Vec<_> = linked.filter_map(|path| std::fs::read_to_string(path).ok()).collect();
        for (_, code) in step.code().into_iter().filter(|(language, _)| *language != "text") {
            let is_there = sources.iter().any(|source| source.contains(code.trim_end()));
            assert!(is_there, "step {}: no linked file contains:\n{code}", step.number);
        }
    }
}

#[test]
fn each_experiment_expects_the_faults_of_its_page() {
    for step in steps(ENGLISH) {
        let path = format!("{FOLDER}/lessons/step{:02}.py", step.number);
        let script = std::fs::read_to_string(&path).expect("the experiment");
        let (_, list) = script.split_once("\nFAULTS = [").expect("its faults");
        let list = list.split(']').next().unwrap_or_default();
        let expected: Vec<_> = list.split('"').skip(1).step_by(2).collect();
        assert_eq!(expected, step.faults(), "{path}");
    }
}
