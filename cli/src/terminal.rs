//! The terminal that standard output goes to, if it does.

use std::io;

use rustix::termios::tcgetwinsize;

/// How many columns the terminal has; `None` if standard output is none, or doesn't say.
pub(crate) fn width() -> Option<usize> {
    let size = tcgetwinsize(io::stdout()).ok()?;
    Some(usize::from(size.ws_col)).filter(|&columns| columns > 0)
}

/// The text for the terminal that standard output goes to: lines that it has no room for go on in the next one, indented.
/// Where there is none, the text as it is.
pub(crate) fn fitted(text: &str) -> String {
    match width() {
        Some(width) => fitted_to(text, width),
        None => text.to_owned(),
    }
}

fn fitted_to(text: &str, width: usize) -> String {
    let mut fitted = String::new();
    for line in text.lines() {
        let mut rest: Vec<char> = line.chars().collect();
        while rest.len() > width {
            // At the last blank that leaves a line which is not the indent alone.
            let Some(at) = rest[..=width].iter().rposition(|&c| c == ' ').filter(|&at| at > INDENT.len())
            else {
                break;
            };
            fitted.push_str(rest[..at].iter().collect::<String>().trim_end());
            fitted.push('\n');
            let next: String = rest[at..].iter().collect();
            rest = format!("{INDENT}{}", next.trim_start()).chars().collect();
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
        assert_eq!(fitted_to(text, 80), text);
        assert_eq!(
            fitted_to(text, 30),
            "replies  1000 verified, all as\n         they should be, and\n         more\nshort\n"
        );
        for width in 1..40 {
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(words(&fitted_to(text, width)), words(text), "{width}");
        }
        assert_eq!(fitted_to("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 5), "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n");
    }
}
