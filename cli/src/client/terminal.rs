//! The terminal: lines are typed at a prompt, and replies are shown above it.

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

/// The terminal at standard input, output and error, in a mode without line editing and echo. On drop its previous mode
/// is restored.
pub(super) struct Terminal {
    editor: Reedline,
    /// Lines that were typed before the editor was created, since it would read the first and discard the others.
    early: VecDeque<String>,
    waker: Arc<AtomicBool>,
    /// The signal that has ended the client, or 0.
    signal: Arc<AtomicUsize>,
    before: Termios,
}

/// The result of a prompt.
pub(super) enum Typed {
    /// A line was entered.
    Line(String),
    /// Ctrl-D on an empty line: the end of the input.
    End,
    /// The [waker](Terminal::waker) was set. The typed text is hidden and kept for the next prompt.
    Woken,
}

impl Terminal {
    pub(super) fn open() -> io::Result<Self> {
        let waker = Arc::new(AtomicBool::new(false));
        let signal = Arc::new(AtomicUsize::new(0));
        for number in [SIGINT, SIGTERM] {
            // In this order, so that the signal is set before the waker.
            flag::register_usize(number, Arc::clone(&signal), number.unsigned_abs() as usize)?;
            flag::register(number, Arc::clone(&waker))?;
        }
        let before = tcgetattr(io::stdin())?;
        // The editor sets its own modes. These apply between two lines: keys that are typed ahead are neither lost nor
        // changed, and Ctrl-C is a signal.
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
            .with_poll_interval(MAX_DELAY);
        editor.run_edit_commands(&[EditCommand::InsertString(unended)]);
        Ok(Self { editor, early, waker, signal, before })
    }

    /// The flag that interrupts the prompt when it is set.
    pub(super) fn waker(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.waker)
    }

    /// Waits until a line was entered, or the prompt was interrupted.
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
                // Treat the key as the signal that it usually sends.
                self.signal.store(SIGINT.unsigned_abs() as usize, Ordering::Relaxed);
                self.check_signal().map(|()| Typed::Woken)
            }
            _ => {
                self.hide_line()?;
                self.check_signal().map(|()| Typed::Woken)
            }
        }
    }

    /// Waits, between two lines, until `what` is ready, at most until `until`. Returns whether it is ready.
    pub(super) fn wait(
        &self,
        what: &impl AsFd,
        events: PollFlags,
        until: Option<Instant>,
    ) -> io::Result<bool> {
        loop {
            self.check_signal()?;
            let rest = until.map_or(MAX_DELAY, |until| until.saturating_duration_since(Instant::now()));
            if rest.is_zero() {
                return Ok(false);
            }
            let timeout = Timespec::try_from(rest.min(MAX_DELAY)).ok();
            match poll(&mut [PollFd::new(what, events)], timeout.as_ref()) {
                Ok(0) | Err(Errno::INTR) => {}
                Ok(_) => return Ok(true),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Hides the line that is being typed.
    ///
    /// The editor can print above its line itself, but it computes the rows of a line from its bytes, so that above
    /// Chinese text it would overwrite earlier output. After an interruption it would draw the line at its old
    /// position, over later output. So it accepts an empty line instead, after which it forgets the position.
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
        // After an accepted line the cursor is in the next row; after an interrupted one it is not.
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
        // An error means that the terminal is gone.
        let _ = tcsetattr(io::stdin(), OptionalActions::Drain, &self.before);
        let signal = self.signal.load(Ordering::Relaxed);
        if let Ok(signal @ 1..) = i32::try_from(signal) {
            let _ = low_level::emulate_default_handler(signal); // ends the process
        }
    }
}

/// Reads the lines in the terminal's input queue, as the terminal has edited them. The last one is incomplete.
fn typed_before() -> io::Result<VecDeque<String>> {
    let mut bytes = vec![0; usize::try_from(ioctl_fionread(io::stdin())?).unwrap_or(0)];
    let count = if bytes.is_empty() { 0 } else { read(io::stdin(), &mut bytes)? };
    let text = String::from_utf8_lossy(&bytes[..count]);
    let lines = text.split(['\n', '\r']);
    Ok(lines.map(|line| line.replace(|character: char| character.is_control(), "")).collect())
}

/// The prompt before a line.
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

/// The maximum delay until the end or a reply is noticed.
const MAX_DELAY: Duration = Duration::from_millis(50);

const MARK: &str = "> ";

/// Disables a special character.
const DISABLED: u8 = 0;
