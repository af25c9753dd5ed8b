//! The terminal: its keys, and one row at the bottom where a line is typed.

use std::collections::VecDeque;
use std::io::{self, Write};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno, read};

use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetwinsize, tcsetattr,
};

use super::editor::{Editor, Typed};
use crate::escape::escaped;

/// The terminal at standard input and output.
#[derive(Default)]
pub(super) struct Terminal {
    editor: Editor,
    /// Keys that were typed and not looked at yet.
    keys: VecDeque<u8>,
}

impl Terminal {
    /// Draws the row where a line is typed.
    pub(super) fn prompt(&self) -> io::Result<()> {
        let columns = tcgetwinsize(io::stdout()).map_or(0, |size| usize::from(size.ws_col));
        let columns = if columns == 0 { USUAL_COLUMNS } else { columns };
        write_out(&self.editor.row(PROMPT, columns))
    }

    /// Shows a reply above the row where a line is typed, which is drawn again by the next
    /// [`prompt`](Self::prompt).
    pub(super) fn show(&self, reply: &[u8]) -> io::Result<()> {
        write_out(&format!("\r\x1b[K{}\n", escaped(reply)))
    }

    /// Takes the keys that were typed. Nothing is left to come where it tells `false`.
    pub(super) fn read_keys(&mut self) -> io::Result<bool> {
        let mut bytes = [0; 1024];
        match read(io::stdin(), &mut bytes) {
            Ok(0) => Ok(false),
            Ok(count) => {
                self.keys.extend(&bytes[..count]);
                Ok(true)
            }
            Err(Errno::INTR | Errno::AGAIN) => Ok(true),
            Err(Errno::IO) => Ok(false), // the terminal was closed
            Err(error) => Err(error.into()),
        }
    }

    /// What was typed next, if it was ended.
    pub(super) fn typed(&mut self) -> io::Result<Option<Typed>> {
        while let Some(key) = self.keys.pop_front() {
            if let Some(typed) = self.editor.take(key) {
                if let Typed::Line(line) = &typed {
                    // What was said stays to be seen, whole even if the row showed a part of it.
                    write_out(&format!("\r{PROMPT}{}\x1b[K\n", escaped(line.as_bytes())))?;
                }
                return Ok(Some(typed));
            }
        }
        Ok(None)
    }

    /// Waits until a line was typed.
    pub(super) fn read_line(&mut self) -> io::Result<Typed> {
        let _raw = RawMode::enter()?;
        loop {
            if let Some(typed) = self.typed()? {
                return Ok(typed);
            }
            self.prompt()?;
            match poll(&mut [PollFd::new(&io::stdin(), PollFlags::IN)], None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            if !self.read_keys()? {
                return Ok(Typed::Leave);
            }
        }
    }
}

/// While it lives, keys come one by one and unseen. Then the terminal is as it was.
pub(super) struct RawMode(Termios);

impl RawMode {
    pub(super) fn enter() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut raw = before.clone();
        raw.local_modes -= LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG | LocalModes::IEXTEN;
        raw.special_codes[SpecialCodeIndex::VMIN] = 1;
        raw.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(io::stdin(), OptionalActions::Drain, &raw)?;
        Ok(Self(before))
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing.
        let _ = write_out("\r\x1b[K");
        let _ = tcsetattr(io::stdin(), OptionalActions::Drain, &self.0);
    }
}

fn write_out(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

const PROMPT: &str = "> ";

/// The width of a terminal that does not tell.
const USUAL_COLUMNS: usize = 80;
