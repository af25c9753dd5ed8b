//! External programs that the tests run. A test is skipped if one is missing, but fails if `CI` is set.

use std::io::{ErrorKind, Write};
use std::process::{Command, Output, Stdio};

/// A program, and the Debian package that contains it.
pub(crate) struct Tool {
    pub(crate) name: &'static str,
    pub(crate) package: &'static str,
}

impl Tool {
    /// Its output; `None` if it isn't installed, which is printed.
    pub(crate) fn run(&self, arguments: &[&str]) -> Option<String> {
        let output = self.output(arguments)?;
        assert!(output.status.success(), "{} {arguments:?}: {output:?}", self.name);
        Some(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// The same, whatever its exit code.
    pub(crate) fn output(&self, arguments: &[&str]) -> Option<Output> {
        match Command::new(self.name).args(arguments).stdin(Stdio::null()).output() {
            Ok(output) => Some(output),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let Self { name, package } = self;
                let missing = format!("{name} is not installed: apt-get install {package}");
                let required = std::env::var_os("CI").is_some_and(|value| !value.is_empty());
                assert!(!required, "{missing}");
                // Not with a macro, whose output is captured in passing tests.
                let _ = writeln!(std::io::stderr(), "skipped: {missing}");
                None
            }
            Err(error) => panic!("{} can't be run: {error}", self.name),
        }
    }
}
