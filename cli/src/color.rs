//! Colors: `--color`, and the environment variables.

use std::ffi::OsString;
use std::io;

use anstream::{AutoStream, ColorChoice};

/// The choice with this name.
pub(crate) fn choice(name: &str) -> ColorChoice {
    match name {
        "always" => ColorChoice::Always,
        "never" => ColorChoice::Never,
        _ => ColorChoice::Auto,
    }
}

/// The choice of the arguments, for output before they are parsed, such as the help.
pub(crate) fn asked(arguments: &[OsString]) -> ColorChoice {
    let mut asked = ColorChoice::Auto;
    let mut arguments = arguments.iter().filter_map(|argument| argument.to_str());
    while let Some(argument) = arguments.next() {
        match argument.strip_prefix("--color") {
            Some("") => asked = arguments.next().map_or(asked, choice),
            Some(value) if value.starts_with('=') => asked = choice(&value[1..]),
            _ if argument == "--" => break,
            _ => {}
        }
    }
    asked
}

/// The same choice as clap's type.
pub(crate) fn for_clap(choice: ColorChoice) -> clap::ColorChoice {
    match choice {
        ColorChoice::Always | ColorChoice::AlwaysAnsi => clap::ColorChoice::Always,
        ColorChoice::Never => clap::ColorChoice::Never,
        ColorChoice::Auto => clap::ColorChoice::Auto,
    }
}

/// Whether standard output gets colors, according to `--color`, or else NO_COLOR, CLICOLOR_FORCE and whether it is a
/// terminal.
pub(crate) fn on_stdout() -> bool {
    AutoStream::choice(&io::stdout()) != ColorChoice::Never
}

/// Whether standard error gets colors.
pub(crate) fn on_stderr() -> bool {
    AutoStream::choice(&io::stderr()) != ColorChoice::Never
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_choice_counts() {
        for (arguments, expected) in [
            ("anyloop load", ColorChoice::Auto),
            ("anyloop --color never load", ColorChoice::Never),
            ("anyloop load --color=always", ColorChoice::Always),
            ("anyloop --color never load --color always", ColorChoice::Always),
            ("anyloop load --color", ColorChoice::Auto),
            ("anyloop load --colorful", ColorChoice::Auto),
            ("anyloop load -- --color never", ColorChoice::Auto),
        ] {
            let arguments: Vec<_> = arguments.split(' ').map(OsString::from).collect();
            assert_eq!(asked(&arguments), expected, "{arguments:?}");
        }
    }
}
