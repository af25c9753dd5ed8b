//! The terminals that standard output and standard error go to, if they do.

use std::io;
use std::os::fd::AsFd;

use rustix::termios::tcgetwinsize;

/// How many columns the terminal has; `None` if standard output is none, or doesn't say.
pub(crate) fn width() -> Option<usize> {
    width_of(io::stdout())
}

fn width_of(stream: impl AsFd) -> Option<usize> {
    let size = tcgetwinsize(stream).ok()?;
    Some(usize::from(size.ws_col)).filter(|&columns| columns > 0)
}

/// The text for the terminal that standard output goes to: lines that it has no room for go on in the next one, indented.
/// Where there is none, the text as it is.
pub(crate) fn fitted(text: &str) -> String {
    match width() {
        Some(width) => fitted_to(text, width, INDENT),
        None => text.to_owned(),
    }
}

/// The same for the terminal that standard error goes to, whose width may be another. What goes on is indented by `indent`.
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
            // At the last blank that leaves a line which is not the indent alone.
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

/// How far what goes on is indented.
const INDENT: &str = "         ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_goes_on_in_the_next() {
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
