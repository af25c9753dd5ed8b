//! The terminal that standard output goes to, if it does.

use std::io;

use rustix::termios::tcgetwinsize;

/// How many columns the terminal has; `None` if standard output is none, or doesn't say.
pub(crate) fn width() -> Option<usize> {
    let size = tcgetwinsize(io::stdout()).ok()?;
    Some(usize::from(size.ws_col)).filter(|&columns| columns > 0)
}
