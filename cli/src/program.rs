//! The name of the program, and what depends on it.

use std::env;
use std::path::Path;

/// The name, version and description of the program.
#[derive(Debug)]
pub(crate) struct Program {
    name: Option<&'static str>,
    pub(crate) version: Option<&'static str>,
    pub(crate) about: Option<&'static str>,
    /// The name of its file.
    file: String,
}

impl Program {
    /// A program without name, version and description.
    pub(crate) fn new() -> Self {
        let path = env::args_os().next().unwrap_or_default();
        let file = Path::new(&path).file_stem().and_then(|name| name.to_str()).unwrap_or(LIBRARY);
        Self { name: None, version: None, about: None, file: file.to_owned() }
    }

    /// Sets its name.
    pub(crate) fn set_name(&mut self, name: &'static str) {
        self.name = Some(name);
    }

    /// Its name, or the name of its file.
    pub(crate) fn name(&self) -> &str {
        self.name.unwrap_or(&self.file)
    }

    /// The text of `--version` after the name: the program's version, or anyloop's.
    pub(crate) fn version_text(&self) -> &'static str {
        self.version.unwrap_or(concat!("(anyloop ", env!("CARGO_PKG_VERSION"), ")"))
    }

    /// The prefix of its environment variables. It doesn't depend on the name of the file, so that renaming the file
    /// doesn't change it.
    pub(crate) fn prefix(&self) -> String {
        let name = self.name.unwrap_or(LIBRARY);
        name.replace(|letter: char| !letter.is_ascii_alphanumeric(), "_").to_uppercase() + "_"
    }

    /// The environment variable of a flag of a command.
    pub(crate) fn variable(&self, command: &str, flag: &str) -> String {
        self.prefix() + &format!("{command}_{flag}").replace('-', "_").to_uppercase()
    }

    /// The folder for the reports of `compare`.
    pub(crate) fn reports(&self) -> String {
        format!("{}-report", self.name.unwrap_or(LIBRARY))
    }
}

/// The name for programs without one.
const LIBRARY: &str = "anyloop";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_and_reports_are_called_after_the_program() {
        let mut program = Program::new();
        assert_eq!(program.variable("serve", "max-message"), "ANYLOOP_SERVE_MAX_MESSAGE");
        assert_eq!(program.reports(), "anyloop-report");
        program.set_name("shout.d-2");
        assert_eq!(program.name(), "shout.d-2");
        assert_eq!(program.variable("serve", "listen"), "SHOUT_D_2_SERVE_LISTEN");
        assert_eq!(program.reports(), "shout.d-2-report");
    }
}
