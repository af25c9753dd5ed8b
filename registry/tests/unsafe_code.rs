//! Checks that each library and program forbids unsafe code, or has some.

use std::fs;
use std::path::{Path, PathBuf};

use cargo_metadata::{MetadataCommand, TargetKind};

/// The attribute that a crate without unsafe code has, and the one that each use of it has.
const FORBIDDEN: &str = "#![forbid(unsafe_code)]";
const EXPECTED: &str = "#[expect(unsafe_code";

/// The Rust files in a folder and those below it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let is_rust = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "rs");
    let below = folders.iter().flat_map(|folder| self::files(folder));
    files.into_iter().filter(is_rust).chain(below).collect()
}

fn has(file: &Path, attribute: &str) -> bool {
    fs::read_to_string(file).expect("a file of text").contains(attribute)
}

#[test]
fn what_has_no_unsafe_code_forbids_it() {
    let metadata = MetadataCommand::new().no_deps().exec().expect("the metadata of the workspace");
    let mut checked = 0;
    for package in metadata.workspace_packages() {
        let is_shipped = |kinds: &[TargetKind]| {
            kinds.iter().any(|kind| matches!(kind, TargetKind::Lib | TargetKind::Bin | TargetKind::RLib))
        };
        for target in package.targets.iter().filter(|target| is_shipped(&target.kind)) {
            let root = target.src_path.as_std_path();
            let is_library = root.ends_with("src/lib.rs");
            // The modules of a package belong to its library, if it has one.
            let of_target =
                if is_library { files(root.parent().expect("a folder")) } else { vec![root.to_owned()] };
            let has_unsafe = of_target.iter().any(|file| has(file, EXPECTED));
            assert!(
                has_unsafe != has(root, FORBIDDEN),
                "{} needs {FORBIDDEN} unless it has unsafe code, each use with {EXPECTED}, reason = …)]",
                root.display()
            );
            checked += 1;
        }
    }
    assert!(checked > 30, "{checked}");
}
