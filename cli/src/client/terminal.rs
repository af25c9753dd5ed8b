//! The terminal: a line is typed at a prompt, and what is shown stands above it.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use reedline::{EditCommand, Prompt, PromptEditMode, PromptHistorySearch, Reedline, Signal};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, ioctl_fionread, read};
use rustix::termios::{
    InputModes, LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{flag, low_level};

/// The terminal at standard input, output and error. While it lives, keys come one by one and unseen; then
/// the terminal is as it was.
pub(super) struct Terminal {
    editor: Reedline,
    /// Lines that were typed before the editor was there: it would take the first and drop the others.
    early: VecDeque<String>,
    waker: Arc<AtomicBool>,
    /// The signal that has ended the client; 0 is none.
    signal: Arc<AtomicUsize>,
    before: Termios,
}

/// What came of a prompt.
pub(super) enum Typed {
    /// A line was ended.
    Line(String),
    /// Ctrl-D where nothing is typed: no more will come.
    End,
    /// The [waker](Terminal::waker) was set. Whatever is typed is kept for the next prompt, and off the screen
    /// until then.
    Woken,
}

impl Terminal {
    pub(super) fn open() -> io::Result<Self> {
        let waker = Arc::new(AtomicBool::new(false));
        let signal = Arc::new(AtomicUsize::new(0));
        for number in [SIGINT, SIGTERM] {
            // In this order, so that who is woken finds the signal.
            flag::register_usize(number, Arc::clone(&signal), number.unsigned_abs() as usize)?;
            flag::register(number, Arc::clone(&waker))?;
        }
        let before = tcgetattr(io::stdin())?;
        // The editor has modes of its own. These are for the time between two lines: nothing that is typed
        // ahead is lost or changed, and Ctrl-C is a signal.
        let mut between = before.clone();
        between.local_modes -= LocalModes::ICANON | LocalModes::ECHO | LocalModes::IEXTEN;
        between.input_modes -= InputModes::ICRNL;
        for (code, value) in [
            (SpecialCodeIndex::VMIN, 1),
            (SpecialCodeIndex::VTIME, 0),
            (SpecialCodeIndex::VQUIT, DISABLED),
            (SpecialCodeIndex::VSUSP, DISABLED),
        ] {
            between.special_codes[code] = value;
        }
        tcsetattr(io::stdin(), OptionalActions::Drain, &between)?;
        let mut early = typed_before()?;
        let unended = early.pop_back().unwrap_or_default();
        let mut editor = Reedline::create()
            .with_ansi_colors(false)
            .with_break_signal(Arc::clone(&waker))
            .with_poll_interval(MOST_DELAY);
        editor.run_edit_commands(&[EditCommand::InsertString(unended)]);
        Ok(Self { editor, early, waker, signal, before })
    }

    /// What is to be set to interrupt the prompt.
    pub(super) fn waker(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.waker)
    }

    /// Waits until a line was typed, or something else came up.
    pub(super) fn read_line(&mut self) -> io::Result<Typed> {
        if let Some(line) = self.early.pop_front() {
            let mut stdout = io::stdout().lock();
            writeln!(stdout, "{MARK}{line}")?;
            return Ok(Typed::Line(line));
        }
        match self.editor.read_line(&Mark)? {
            Signal::Success(line) => Ok(Typed::Line(line)),
            Signal::CtrlD => Ok(Typed::End),
            Signal::CtrlC => {
                // What the key means to any program, though here it was none.
                self.signal.store(SIGINT.unsigned_abs() as usize, Ordering::Relaxed);
                self.check_signal().map(|()| Typed::Woken)
            }
            _ => {
                self.hide_line()?;
                self.check_signal().map(|()| Typed::Woken)
            }
        }
    }

    /// Waits, between two lines, until `what` is ready, or `until` then. Tells whether it is.
    pub(super) fn wait(
        &self,
        what: &impl AsFd,
        events: PollFlags,
        until: Option<Instant>,
    ) -> io::Result<bool> {
        loop {
            self.check_signal()?;
            let rest = until.map_or(MOST_DELAY, |until| until.saturating_duration_since(Instant::now()));
            if rest.is_zero() {
                return Ok(false);
            }
            let timeout = Timespec::try_from(rest.min(MOST_DELAY)).ok();
            match poll(&mut [PollFd::new(what, events)], timeout.as_ref()) {
                Ok(0) | Err(Errno::INTR) => {}
                Ok(_) => return Ok(true),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Takes the line that is being typed off the screen.
    ///
    /// The editor can print above its line by itself, but counts a line's rows in bytes, so that above Chinese
    /// it would overwrite what was shown before. And after an interruption alone it would draw the line again
    /// where it was, over what has been shown since. So it is given an empty line to accept: then it forgets
    /// where it was.
    fn hide_line(&mut self) -> io::Result<()> {
        let line = self.editor.current_buffer_contents().to_owned();
        let position = self.editor.current_insertion_point();
        self.editor.run_edit_commands(&[EditCommand::Clear]);
        self.accept_at_once(true);
        let accepted = self.editor.read_line(&Mark);
        self.accept_at_once(false);
        self.editor.run_edit_commands(&[
            EditCommand::InsertString(line),
            EditCommand::MoveToPosition { position, select: false },
        ]);
        // An accepted line is left for the next row; one that a signal has interrupted is not.
        let up = if matches!(accepted?, Signal::Success(_)) { "\x1b[A" } else { "" };
        let mut stdout = io::stdout().lock();
        write!(stdout, "{up}\r\x1b[K")?;
        stdout.flush()
    }

    fn accept_at_once(&mut self, at_once: bool) {
        let editor = std::mem::replace(&mut self.editor, Reedline::create());
        self.editor = editor.with_immediately_accept(at_once);
    }

    fn check_signal(&self) -> io::Result<()> {
        match self.signal.load(Ordering::Relaxed) {
            0 => Ok(()),
            _ => Err(io::Error::new(ErrorKind::Interrupted, "a signal has ended the client")),
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing.
        let _ = tcsetattr(io::stdin(), OptionalActions::Drain, &self.before);
        let signal = self.signal.load(Ordering::Relaxed);
        if let Ok(signal @ 1..) = i32::try_from(signal) {
            let _ = low_level::emulate_default_handler(signal); // ends the process
        }
    }
}

/// The lines that wait to be read, as the terminal itself has edited them. The last is the one that has not
/// been ended.
fn typed_before() -> io::Result<VecDeque<String>> {
    let mut bytes = vec![0; usize::try_from(ioctl_fionread(io::stdin())?).unwrap_or(0)];
    let count = if bytes.is_empty() { 0 } else { read(io::stdin(), &mut bytes)? };
    let text = String::from_utf8_lossy(&bytes[..count]);
    let lines = text.split(['\n', '\r']);
    Ok(lines.map(|line| line.replace(|character: char| character.is_control(), "")).collect())
}

/// What stands in front of a line.
struct Mark;

impl Prompt for Mark {
    fn render_prompt_left(&self) -> Cow<'_, str> {
        "".into()
    }

    fn render_prompt_right(&self) -> Cow<'_, str> {
        "".into()
    }

    fn render_prompt_indicator(&self, _: PromptEditMode) -> Cow<'_, str> {
        MARK.into()
    }

    fn render_prompt_multiline_indicator(&self) -> Cow<'_, str> {
        "".into()
    }

    fn render_prompt_history_search_indicator(&self, search: PromptHistorySearch) -> Cow<'_, str> {
        format!("history, `{}`> ", search.term).into()
    }
}

/// How late the end, or a reply, may be noticed.
const MOST_DELAY: Duration = Duration::from_millis(50);

const MARK: &str = "> ";

/// No key has this special meaning.
const DISABLED: u8 = 0;
