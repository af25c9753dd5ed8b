//! Checks that the guide quotes the example correctly.

const GUIDE: &str = include_str!("../../../docs/write-a-backend.md");
const SOURCES: [&str; 3] =
    [include_str!("../src/lib.rs"), include_str!("../src/worker.rs"), include_str!("conformance.rs")];

#[test]
fn it_shows_the_example() {
    let blocks: Vec<&str> =
        GUIDE.split("```rust,ignore\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(blocks.len() >= 3, "{} blocks", blocks.len());
    for block in blocks {
        assert!(
            SOURCES.iter().any(|source| source.contains(block)),
            "the example does not contain:\n{block}"
        );
    }
}

#[test]
fn it_shows_the_main() {
    let (_, program) =
        include_str!("../src/main.rs").split_once("#![forbid(unsafe_code)]\n\n").expect("a program");
    assert!(GUIDE.contains(program));
}

#[test]
fn every_case_that_it_names_is_one() {
    let words = GUIDE
        .split(['`', '"'])
        .filter(|word| word.contains('_') && word.chars().all(|c| c.is_ascii_lowercase() || c == '_'));
    let is_case = |word: &str| conformance::CASES.iter().any(|case| case.name == word);
    let others = [
        "accept_all",
        "begin_wait",
        "blocking_handlers",
        "end_wait",
        "is_behind",
        "is_marked",
        "mark_lost",
        "max_connections",
        "read_ahead",
        "register_slot",
        "two_clients_at_once",
        "what_now",
    ];
    let unknown: Vec<_> = words.filter(|word| !is_case(word) && !others.contains(word)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}
