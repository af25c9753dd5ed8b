//! The table of faults: what shows each of them on each backend, and the page that lists it.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::rows::ROWS;
use crate::server::{backends, concurrent_backends};

/// A fault, and what shows how each backend takes it.
#[derive(Debug)]
pub(crate) struct Row {
    /// The name of its tests, which begins with its number.
    pub(crate) name: &'static str,
    /// The fault.
    pub(crate) fault: &'static str,
    /// What the server does.
    pub(crate) behaviour: &'static str,
    /// Cases of the conformance kit, which each backend's own tests run.
    pub(crate) kit: &'static [&'static str],
    /// Other tests, as `path::name`. They run on all backends, or test code that all backends share.
    pub(crate) tests: &'static [&'static str],
    /// What its test runs: the command on this backend, under the fault.
    pub(crate) here: Option<Here>,
    /// Why it is skipped on all backends.
    pub(crate) skip: Option<&'static str>,
}

/// A test of the command on the backend of this name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Here {
    pub(crate) run: fn(&str),
    /// Whether the backend must serve several clients at once.
    pub(crate) several: bool,
}

impl Row {
    pub(crate) const EMPTY: Self =
        Self { name: "", fault: "", behaviour: "", kit: &[], tests: &[], here: None, skip: None };

    /// Why the row is skipped on this backend, if it is.
    fn skipped(&self, backend: &str) -> Option<&'static str> {
        let shown =
            !self.kit_on(backend).is_empty() || !self.tests.is_empty() || self.here_on(backend).is_some();
        self.skip.or((!shown).then_some("it serves one client at a time, and the others wait in the backlog"))
    }

    /// The cases of the kit that the backend passes, and is not exempted from.
    fn kit_on(&self, backend: &str) -> Vec<&'static str> {
        let several = concurrent_backends().any(|name| name == backend);
        let runs = |name: &&&str| several || conformance::case(name).needs.is_empty();
        self.kit.iter().filter(runs).copied().collect()
    }

    fn here_on(&self, backend: &str) -> Option<fn(&str)> {
        let here =
            self.here.filter(|here| !here.several || concurrent_backends().any(|name| name == backend));
        here.map(|here| here.run)
    }
}

/// Checks that what shows a row on a backend exists, and runs its test.
pub(crate) fn check(name: &str, backend: &str) {
    let row = ROWS.iter().find(|row| row.name == name).unwrap();
    row.tests.iter().for_each(|test| _ = is_long(test)); // they are there
    if let Some(why) = row.skipped(backend) {
        let line = format!("SKIPPED: {name} on {backend}: {why}\n");
        return io::stderr().write_all(line.as_bytes()).unwrap(); // this is not captured
    }
    let suite = format!("backend-{backend}/tests/conformance.rs");
    let suite = fs::read_to_string(workspace(&suite)).unwrap_or_else(|error| panic!("{suite}: {error}"));
    assert!(suite.contains("conformance::suite!"), "{backend} runs the whole kit");
    for case in row.kit_on(backend) {
        let needs = conformance::case(case).needs.iter().map(|need| need.name());
        for exemption in needs.chain([case]) {
            assert!(!suite.contains(&format!("{exemption}:")), "{backend} is exempted from {exemption}");
        }
    }
    if let Some(run) = row.here_on(backend) {
        run(backend);
    }
}

/// Whether the test of this path and name is ignored by default, so that only `.ci/full` runs it.
///
/// # Panics
/// If there is no such test.
fn is_long(test: &str) -> bool {
    let (path, name) = test.split_once("::").unwrap();
    let file = fs::read_to_string(workspace(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    let (before, _) = file.split_once(&format!("fn {name}(")).unwrap_or_default();
    let attributes: Vec<_> = before
        .trim_end()
        .lines()
        .rev()
        .map(str::trim_start)
        .take_while(|line| line.starts_with("#["))
        .collect();
    assert!(attributes.contains(&"#[test]"), "{path} has no test `{name}`");
    attributes.iter().any(|attribute| attribute.starts_with("#[ignore"))
}

fn workspace(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(path)
}

/// Defines the rows, and a test for each of them on each backend.
macro_rules! rows {
    ($($name:ident $fault:literal => $behaviour:literal { $($field:ident: $value:expr),* $(,)? })*) => {
        pub(crate) static ROWS: &[$crate::table::Row] = &[$($crate::table::Row {
            name: stringify!($name),
            fault: $fault,
            behaviour: $behaviour,
            $($field: $value,)*
            ..$crate::table::Row::EMPTY
        }),*];

        $(mod $name {
            on_each_backend! {
                $name
                sequential "sequential" threads "threads" pool "pool" async_std "async-std"
                smol "smol" tokio "tokio" epoll "epoll" uring "uring"
            }
        })*
    };
}

macro_rules! on_each_backend {
    ($row:ident $($test:ident $backend:literal)*) => {
        $(
            #[test]
            fn $test() {
                $crate::table::check(stringify!($row), $backend);
            }
        )*

        #[test]
        fn no_backend_is_missing() {
            assert!($crate::server::backends().eq([$($backend),*]));
        }
    };
}

/// The page that lists the table.
fn page() -> String {
    let mut page = INTRODUCTION.to_owned();
    let names: Vec<_> = backends().collect();
    writeln!(page, "| | fault | what the server does | {} | shown by |", names.join(" | ")).unwrap();
    writeln!(page, "| --- | --- | --- |{} --- |", " --- |".repeat(names.len())).unwrap();
    let mut passed = vec![0; names.len()];
    for (row, number) in ROWS.iter().zip(1..) {
        write!(page, "| {number} | {} | {} |", row.fault, row.behaviour).unwrap();
        for (backend, passed) in names.iter().zip(&mut passed) {
            let skipped = row.skipped(backend);
            *passed += usize::from(skipped.is_none());
            let result = skipped.map_or("pass", |why| if row.skip == Some(why) { "skip" } else { "skip¹" });
            write!(page, " {result} |").unwrap();
        }
        let own = row.here.map(|_| format!("`{}`", row.name));
        let kit = row.kit.iter().map(|case| format!("kit: `{case}`"));
        let tests = row
            .tests
            .iter()
            .map(|test| format!("`{test}`{}", if is_long(test) { " (`.ci/full`)" } else { "" }));
        let shown: Vec<_> = own.into_iter().chain(kit).chain(tests).collect();
        writeln!(page, " {} |", shown.join(", ")).unwrap();
    }
    let total = |counts: Vec<usize>| counts.iter().map(ToString::to_string).collect::<Vec<_>>().join(" | ");
    let skipped = passed.iter().map(|passed| ROWS.len() - passed).collect();
    writeln!(page, "| | **pass** | | {} | |", total(passed)).unwrap();
    writeln!(page, "| | **skip** | | {} | |", total(skipped)).unwrap();
    page.push_str(
        "\n¹ It serves one client at a time, and the others wait in the backlog.\n\n## What is skipped\n\n",
    );
    for (row, number) in ROWS.iter().zip(1..) {
        if let Some(why) = row.skip {
            writeln!(page, "- **{number}**, {}: {why}.", row.fault).unwrap();
        }
    }
    page
}

const INTRODUCTION: &str = "# Every fault on every backend

How each backend takes each fault. It is generated from the table in `cli/tests/faults/rows.rs`, where each row is a test on each
backend: `cargo nextest run -p anyloop-cli --test faults`. Cases that are marked *kit* are run by the tests of each backend, and those
with a path by the tests of that crate; that they exist, and that the backend is not exempted from them, is checked. All others run
the command. Those that are marked `.ci/full` are long, and run by that alone. A test that needs a program or a right that this
machine doesn't have says so and is skipped; in CI it fails.

";

#[test]
fn the_page_is_up_to_date() {
    let path = workspace("docs/faults.md");
    if std::env::var_os("ANYLOOP_TEST_UPDATE").is_some() {
        fs::write(&path, page()).unwrap();
    }
    let is = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        is == page(),
        "docs/faults.md is out of date; write it by ANYLOOP_TEST_UPDATE=1 cargo test -p anyloop-cli --test faults page"
    );
}

#[test]
fn rows_are_numbered() {
    for (row, number) in ROWS.iter().zip(1..) {
        assert!(row.name.starts_with(&format!("row_{number:02}_")), "{}", row.name);
    }
    assert_eq!(ROWS.len(), 35);
}
