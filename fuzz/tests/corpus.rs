//! Runs every target with its corpus, which is what libFuzzer found to be worth keeping, and each input that found a
//! fault.

use std::fs;
use std::path::Path;

use anyloop_fuzz::TARGETS;

#[test]
fn no_input_of_the_corpus_finds_a_fault() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (name, target) in TARGETS {
        let folder = corpus.join(name);
        let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let mut count = 0;
        for file in files {
            let file = file.unwrap().path();
            println!("{}", file.display()); // shown if the target panics
            target(&fs::read(&file).unwrap());
            count += 1;
        }
        assert!(count > 0, "{} has no inputs", folder.display());
    }
}
