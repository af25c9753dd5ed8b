//! The width of the terminals on standard output and standard error, and wrapping to it.

use std::io;
use std::os::fd::AsFd;

use rustix::termios::tcgetwinsize;

/// The number of columns; `None` if standard output is not a terminal or doesn't report it.
pub(crate) fn width() -> Option<usize> {
    width_of(io::stdout())
}

fn width_of(stream: impl AsFd) -> Option<usize> {
    let size = tcgetwinsize(stream).ok()?;
    Some(usize::from(size.ws_col)).filter(|&columns| columns > 0)
}

/// Wraps a text to the width of the terminal on standard output, with indentation. Without a terminal the text is
/// unchanged.
pub(crate) fn fitted(text: &str) -> String {
    match width() {
        Some(width) => fitted_to(text, width, INDENT),
        None => text.to_owned(),
    }
}

/// The same for standard error, with `indent` before continued lines.
pub(crate) fn fitted_for_stderr(text: &str, indent: &str) -> String {
    match width_of(io::stderr()) {
        Some(width) => fitted_to(text, width, indent),
        None => format!("{text}\n"),
    }
}

fn fitted_to(text: &str, width: usize, indent: &str) -> String {
    let mut fitted = String::new();
    for line in text.lines() {
        let mut rest: Vec<char> = line.chars().collect();
        while rest.len() > width {
            // At the last blank after the indentation.
            let Some(at) = rest[..=width].iter().rposition(|&c| c == ' ').filter(|&at| at > indent.len())
            else {
                break;
            };
            fitted.push_str(rest[..at].iter().collect::<String>().trim_end());
            fitted.push('\n');
            let next: String = rest[at..].iter().collect();
            rest = format!("{indent}{}", next.trim_start()).chars().collect();
        }
        fitted.extend(rest);
        fitted.push('\n');
    }
    fitted
}

/// The indentation of continued lines.
const INDENT: &str = "         ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_wrapped() {
        let text = "replies  1000 verified, all as they should be, and more\nshort\n";
        assert_eq!(fitted_to(text, 80, INDENT), text);
        assert_eq!(
            fitted_to(text, 30, INDENT),
            "replies  1000 verified, all as\n         they should be, and\n         more\nshort\n"
        );
        for width in 1..40 {
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(words(&fitted_to(text, width, INDENT)), words(text), "{width}");
        }
        assert_eq!(
            fitted_to("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 5, INDENT),
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n"
        );
    }
}
