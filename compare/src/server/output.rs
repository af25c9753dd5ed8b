//! The output of a server. It is read to its end, so that the server never blocks on a full pipe, and kept in part.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read};
use std::mem;
use std::net::SocketAddr;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// The lines of one output stream that explain why a server ended.
#[derive(Clone, Debug, Default)]
pub(super) struct Output(Arc<Mutex<KeptLines>>);

/// The lines that are kept, without control characters.
#[derive(Debug, Default)]
struct KeptLines {
    /// The first line that reports a panic, and the message after it.
    panic: Vec<String>,
    /// The last line that isn't blank.
    last: Option<String>,
}

/// How many bytes of a line are kept.
const LINE: usize = 512;

/// The lines that servers have written, until [`take`](Self::take) is called.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lines(Arc<Mutex<Written>>);

/// Lines that servers have written.
#[derive(Debug, Default)]
pub(crate) struct Written {
    /// The name of the server, and the line without control characters.
    pub(crate) lines: Vec<(String, String)>,
    /// How many further lines were dropped.
    pub(crate) left_out: usize,
}

/// How many lines are kept between two calls of [`Lines::take`].
const LINES: usize = 1000;

/// The text that Rust writes when a thread panics. The panic message is on the next line.
const PANIC: &str = "panicked at";

/// The prefix of the hint that Rust writes after the message.
const HINT: &str = "note: ";

/// The text before the address that a server announces.
const ANNOUNCEMENT: &str = "listening on ";

/// Receives the address when the server announces it. At the end of the stream the sender is dropped.
pub(super) type Announced = Receiver<SocketAddr>;

impl Output {
    /// Reads a stream in a separate thread, and calls `on_line` with each line that isn't blank.
    ///
    /// # Errors
    /// If the thread can't be started.
    pub(super) fn read(
        stream: impl Read + Send + 'static,
        on_line: impl Fn(&str) + Send + 'static,
    ) -> io::Result<(Self, Announced)> {
        let (address, announced) = mpsc::channel();
        let output = Self::default();
        let reading = output.clone();
        thread::Builder::new()
            .name("server-output".into())
            .spawn(move || reading.keep(BufReader::new(stream), &address, &on_line))?;
        Ok((output, announced))
    }

    fn keep(&self, mut stream: impl BufRead, address: &Sender<SocketAddr>, on_line: &dyn Fn(&str)) {
        let mut line = VecDeque::new();
        let mut is_announced = false;
        let mut line_end = |line: &mut VecDeque<u8>| {
            let text = String::from_utf8_lossy(line.make_contiguous()).into_owned();
            line.clear();
            // Only the first announcement is awaited; further ones would fill the channel.
            if let Some(found) = announcement(&text).filter(|_| !is_announced) {
                is_announced = true;
                // The receiver is gone if the server took too long.
                let _ = address.send(found);
                return;
            }
            let shown: String = text.trim_end().chars().map(shown).collect();
            if !shown.trim().is_empty() {
                on_line(&shown);
                self.kept().keep(shown.trim());
            }
        };
        // The length of a line is bounded: only the beginning of a longer one is kept.
        while let Ok(piece @ [_, ..]) = stream.fill_buf() {
            let length = piece.len();
            for part in piece.split_inclusive(|byte| *byte == b'\n') {
                line.extend(part.iter().take(LINE - line.len().min(LINE)));
                if part.ends_with(b"\n") {
                    line_end(&mut line);
                }
            }
            stream.consume(length);
        }
        line_end(&mut line);
    }

    /// The line that explains why the server ended: the panic if there was one, otherwise the last line.
    pub(super) fn reason(&self) -> Option<String> {
        self.panic().or_else(|| self.kept().last.clone())
    }

    /// The line that reports a panic, if there was one.
    pub(super) fn panic(&self) -> Option<String> {
        let kept = self.kept();
        (!kept.panic.is_empty()).then(|| kept.panic.join(" "))
    }

    fn kept(&self) -> MutexGuard<'_, KeptLines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KeptLines {
    fn keep(&mut self, line: &str) {
        match self.panic.len() {
            0 if line.contains(PANIC) => self.panic.push(line.to_owned()),
            1 if !line.starts_with(HINT) => self.panic.push(line.to_owned()),
            _ => {}
        }
        self.last = Some(line.to_owned());
    }
}

impl Lines {
    /// A function that adds a line of the server with this name.
    pub(super) fn of(&self, name: &str) -> impl Fn(&str) + Send + use<> {
        let (lines, name) = (self.clone(), name.to_owned());
        move |line| {
            let mut written = lines.written();
            if written.lines.len() < LINES {
                written.lines.push((name.clone(), line.to_owned()));
            } else {
                written.left_out += 1;
            }
        }
    }

    /// Takes all that was written since the last call.
    pub(crate) fn take(&self) -> Written {
        mem::take(&mut *self.written())
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Replaces control characters, which could affect a terminal.
fn shown(character: char) -> char {
    if character.is_control() { '\u{fffd}' } else { character }
}

fn announcement(line: &str) -> Option<SocketAddr> {
    line.trim().strip_prefix(ANNOUNCEMENT)?.parse().ok()
}

/// Waits for the end of a stream.
pub(super) fn wait_for_end(announced: &Announced, timeout: Duration) {
    while announced.recv_timeout(timeout).is_ok() {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(text: &str) -> Option<String> {
        let (address, _announced) = mpsc::channel();
        let output = Output::default();
        output.keep(text.as_bytes(), &address, &|_| ());
        output.reason()
    }

    #[test]
    fn the_last_line_that_is_not_blank_is_the_reason() {
        assert_eq!(reason("one\ntwo\n\n \r\n").as_deref(), Some("two"));
        assert_eq!(reason("no line end").as_deref(), Some("no line end"));
        assert_eq!(reason("bad\u{1b}[0m\n").as_deref(), Some("bad\u{fffd}[0m"));
        assert_eq!(reason(""), None);
    }

    #[test]
    fn a_panic_is_the_reason_whatever_follows_it() {
        let panic = "thread 'main' panicked at src/main.rs:2:5:\nindex out of bounds\n";
        let trace = "   0: std::panicking\n".repeat(1000) + "note: Some details are omitted\n";
        let expected = "thread 'main' panicked at src/main.rs:2:5: index out of bounds";
        assert_eq!(reason(&format!("hello\n{panic}{trace}")).as_deref(), Some(expected));
        let former = "thread 'main' panicked at 'boom', src/main.rs:2\nnote: run with `RUST_BACKTRACE=1`\n";
        let expected = "thread 'main' panicked at 'boom', src/main.rs:2";
        assert_eq!(reason(former).as_deref(), Some(expected));
    }

    #[test]
    fn only_the_first_announcement_is_sent() {
        let (address, announced) = mpsc::channel();
        let text = "listening on 127.0.0.1:1\nlistening on 127.0.0.1:2\n";
        Output::default().keep(text.as_bytes(), &address, &|_| ());
        drop(address);
        assert_eq!(announced.iter().collect::<Vec<_>>(), ["127.0.0.1:1".parse().unwrap()]);
    }

    #[test]
    fn a_panic_is_recognised() {
        let panic = |text: &str| {
            let output = Output::default();
            output.keep(text.as_bytes(), &mpsc::channel().0, &|_| ());
            output.panic()
        };
        assert_eq!(panic("hello\nbye\n"), None);
        assert_eq!(
            panic("thread panicked at a.rs:1:\nno\nbye\n").as_deref(),
            Some("thread panicked at a.rs:1: no")
        );
    }

    #[test]
    fn lines_are_taken_once_and_dropped_ones_are_counted() {
        let lines = Lines::default();
        let on_line = lines.of("own");
        Output::default().keep(&b"one\n\n  two\r\nthree"[..], &mpsc::channel().0, &on_line);
        let told = ["one", "  two", "three"].map(|line| ("own".to_owned(), line.to_owned()));
        assert_eq!(lines.take().lines, told);
        (0..LINES + 7).for_each(|_| on_line("again"));
        let told = lines.take();
        assert_eq!((told.lines.len(), told.left_out), (LINES, 7));
        assert!(lines.take().lines.is_empty());
    }

    #[test]
    fn a_line_is_bounded() {
        let long = "x".repeat(100_000);
        assert_eq!(reason(&long).unwrap().len(), LINE);
        assert_eq!(reason(&format!("{long}\nthe end\n")).as_deref(), Some("the end"));
    }

    #[test]
    fn only_an_address_is_an_announcement() {
        assert!(announcement("listening on [::1]:80\r\n").is_some());
        for line in ["listening on nowhere\n", "listening on", "", "we are listening on 1.2.3.4:5\n"] {
            assert_eq!(announcement(line), None);
        }
    }
}
