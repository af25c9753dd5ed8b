//! The log on standard error. It never blocks the threads that log: lines are put into a bounded queue, and dropped and
//! counted if it is full.
//!
//! `tracing-appender` has such a queue as well, but if the log is not read, it writes to standard output at the end,
//! where the receipt may go, and panics if that is closed; and it doesn't report how many lines were dropped.

use std::any::Any;
use std::io::{self, Write};
use std::panic::{self, PanicHookInfo};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::util::SubscriberInitExt;

use crate::arguments::LogFormat;
use crate::escape::escaped;

/// Logs the events of the whole process, and its panics, until the returned guard is dropped.
pub(crate) fn start(format: LogFormat, level: LevelFilter) -> io::Result<Guard> {
    let (queue, guard) = queue(io::stderr())?;
    match format {
        LogFormat::Text => text_log(queue, level).init(),
        LogFormat::Json => json_log(queue, level).init(),
    }
    panic::set_hook(Box::new(log_panic));
    Ok(guard)
}

/// Lines of text. Internal errors are not logged, because that would use a macro that panics.
fn text_log(queue: Queue, level: LevelFilter) -> impl Subscriber + Send + Sync {
    let log = tracing_subscriber::fmt().with_max_level(level).with_target(false).with_ansi(false);
    log.log_internal_errors(false).with_writer(move || Plain(queue.clone())).finish()
}

/// Lines with a JSON object each.
fn json_log(queue: Queue, level: LevelFilter) -> impl Subscriber + Send + Sync {
    let log = tracing_subscriber::fmt().with_max_level(level).with_target(false).json().flatten_event(true);
    log.log_internal_errors(false).with_writer(move || queue.clone()).finish()
}

/// Logs a panic as an event; std's hook would bypass the log.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let text = panic_text(panic.payload());
    let text = &text.as_bytes()[..text.len().min(LONGEST_PANIC)];
    let location = panic.location().map(ToString::to_string);
    let thread = thread::current();
    tracing::error!(thread = thread.name(), location, panic = %escaped(text), "a panic");
}

fn panic_text(payload: &dyn Any) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("")
}

/// A queue for `output`, and the guard that flushes it at the end.
fn queue(mut output: impl Write + Send + 'static) -> io::Result<(Queue, Guard)> {
    let (sender, lines) = sync_channel(MOST_LINES);
    let (ended, end) = sync_channel(1);
    let dropped = Arc::new(AtomicU64::new(0));
    let queue = Queue { lines: sender.clone(), dropped: Arc::clone(&dropped) };
    thread::Builder::new().name("log".into()).spawn(move || {
        write_lines(&lines, &dropped, &mut output);
        let _ = ended.send(()); // the guard may have stopped waiting
    })?;
    Ok((queue, Guard { lines: sender, end }))
}

fn write_lines(lines: &Receiver<Line>, dropped: &AtomicU64, output: &mut impl Write) {
    while let Ok(Line::Text(line)) = lines.recv() {
        // There is nowhere to report that the log can't be written.
        let _ = output.write_all(&line);
        let count = dropped.swap(0, Ordering::Relaxed);
        if count > 0 {
            tracing::warn!(count, "log lines were dropped, since standard error was not read");
        }
    }
}

/// The writer of events, which gets each line in one call.
#[derive(Clone)]
struct Queue {
    lines: SyncSender<Line>,
    dropped: Arc<AtomicU64>,
}

enum Line {
    Text(Vec<u8>),
    Last,
}

impl Write for Queue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.lines.try_send(Line::Text(line.to_vec())).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Escapes an event into one line without control characters. (JSON escapes its strings itself.)
struct Plain(Queue);

impl Write for Plain {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        self.0.write_all(format!("{}\n", escaped(text)).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Keeps the log running. Dropping it waits a limited time until the queue is written.
pub(crate) struct Guard {
    lines: SyncSender<Line>,
    end: Receiver<()>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        // If the queue is full, standard error is not read, so waiting would not help.
        if self.lines.try_send(Line::Last).is_ok() {
            let _: Result<(), RecvTimeoutError> = self.end.recv_timeout(FLUSH_TIMEOUT);
        }
    }
}

/// The maximum number of lines in the queue.
const MOST_LINES: usize = 1024;
/// How long the end of the process waits for the log.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);
/// How many bytes of a panic message are logged: it may contain what a client sent.
const LONGEST_PANIC: usize = 512;

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, PoisonError};

    use super::*;

    /// Collects what is written to all clones.
    #[derive(Clone, Default)]
    struct Output(Arc<Mutex<Vec<u8>>>);

    impl Write for Output {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The log of a function.
    fn logged(run: impl FnOnce()) -> String {
        let output = Output::default();
        let (queue, guard) = queue(output.clone()).unwrap();
        tracing::subscriber::with_default(text_log(queue, LevelFilter::INFO), run);
        drop(guard);
        let bytes = output.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn the_queue_is_written_before_the_end() {
        let log = logged(|| (0..500).for_each(|number| tracing::info!(number, "an event")));
        assert_eq!(log.lines().count(), 500);
        assert!(log.ends_with("an event number=499\n"), "{log}");
    }

    #[test]
    fn one_event_is_one_line_of_plain_text() {
        let log = logged(|| {
            let text = "a client's\nway \x1b[2J of \u{9b} writing";
            tracing::info!(text, shown = %text, "an event\nis one line \x1b[31m");
        });
        assert_eq!(log.lines().count(), 1, "{log}");
        assert!(log.trim_end().chars().all(|character| !character.is_control()), "{log:?}");
    }

    #[test]
    fn an_output_that_blocks_does_not_block_logging() {
        /// Blocks until the other end is dropped, and counts.
        struct Blocked(Receiver<()>, Arc<AtomicU64>);

        impl Write for Blocked {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                let _ = self.0.recv();
                self.1.fetch_add(1, Ordering::SeqCst);
                Ok(bytes.len())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }

        let (block, blocked) = sync_channel(0);
        let count = Arc::new(AtomicU64::new(0));
        let (mut queue, guard) = queue(Blocked(blocked, Arc::clone(&count))).unwrap();
        for _ in 0..10 * MOST_LINES {
            queue.write_all(b"a line\n").unwrap();
        }
        assert_eq!(count.load(Ordering::SeqCst), 0);
        let dropped = queue.dropped.load(Ordering::Relaxed) as usize;
        assert!((9 * MOST_LINES - 1..=9 * MOST_LINES).contains(&dropped), "{dropped}");
        drop(guard); // the queue is full: nothing is waited for
        drop(block);
    }

    #[test]
    fn a_panic_is_an_event() {
        let log = logged(|| {
            let before = panic::take_hook();
            panic::set_hook(Box::new(log_panic));
            let caught = panic::catch_unwind(|| panic!("at \x1b[2J message {}", 7));
            panic::set_hook(before);
            assert!(caught.is_err());
        });
        assert!(log.contains("ERROR a panic"), "{log}");
        assert!(log.contains(r"panic=at \x1b[2J message 7") && log.contains("src/log.rs"), "{log}");
    }
}
