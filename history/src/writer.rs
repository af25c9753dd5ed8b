//! Writes a history while a client runs, on a thread of its own.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::record::{Digest, Event, RECORD, Record, header};

/// How many bytes a recorder collects before it passes them to the thread that writes.
const BLOCK: usize = 256 * 1024;

/// How many blocks may wait to be written. If the disk is slower than the client, the client waits.
const WAITING: usize = 32;

/// The least time between two records of the time.
const TICK: Duration = Duration::from_millis(1);

/// Writes the history of a client: what its [recorders](Self::recorder) record.
///
/// Until the history [begins](Self::begin), what is recorded is kept in memory, and a file keeps its content. If the
/// writer is dropped before that, the file is as it was; if it is dropped before it has [finished](Self::finish), the
/// history has no end.
#[derive(Debug)]
pub struct Writer {
    parts: SyncSender<Part>,
    next: Arc<AtomicU32>,
    thread: JoinHandle<io::Result<u64>>,
}

impl Writer {
    /// Opens a file, whose content is replaced by a history with this description of the load when it begins. What is
    /// no regular file has no content to keep, so the history begins at once.
    ///
    /// # Errors
    /// If the file can't be written, or if the system has no threads left.
    pub fn create(file: impl AsRef<Path>, description: &str) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(file)?;
        if !file.metadata()?.is_file() {
            return Self::to(file, description);
        }
        let header = header(description);
        Self::start(file, move |file: &mut File| file.set_len(0).and_then(|()| file.write_all(&header)))
    }

    /// Writes a history with this description of the load to an output, in blocks. It begins at once.
    ///
    /// # Errors
    /// If the description can't be written, or if the system has no threads left.
    pub fn to(mut output: impl Write + Send + 'static, description: &str) -> io::Result<Self> {
        output.write_all(&header(description))?;
        let writer = Self::start(output, |_| Ok(()))?;
        writer.begin();
        Ok(writer)
    }

    fn start<W: Write + Send + 'static>(
        output: W,
        begin: impl FnOnce(&mut W) -> io::Result<()> + Send + 'static,
    ) -> io::Result<Self> {
        let (parts, waiting) = sync_channel(WAITING);
        let thread = thread::Builder::new().name("history".into()).spawn(|| write(output, begin, waiting))?;
        Ok(Self { parts, next: Arc::default(), thread })
    }

    /// Begins the history, unless it has begun: replaces the content of the file.
    pub fn begin(&self) {
        let _ = self.parts.send(Part::Begin); // the thread takes parts until this is dropped
    }

    /// A recorder for one thread of the client. All events of a connection have to be recorded by the same one.
    pub fn recorder(&self) -> Recorder {
        let (parts, next) = (self.parts.clone(), self.next.clone());
        Recorder { parts, next, block: Vec::with_capacity(BLOCK), now: Duration::ZERO }
    }

    /// Waits until all recorders are dropped, and writes the rest and the end. A history that has not begun begins.
    /// Returns the number of records.
    ///
    /// # Errors
    /// If anything could not be written.
    pub fn finish(self) -> io::Result<u64> {
        let _ = self.parts.send(Part::Finish); // as in `begin`
        drop(self.parts);
        self.thread
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the thread that writes the history panicked")))
    }
}

/// What the thread that writes is told.
enum Part {
    /// The history begins.
    Begin,
    /// Records.
    Block(Vec<u8>),
    /// The history has an end, behind the records that are left.
    Finish,
}

/// Writes blocks, from the beginning on, until no recorder is left, and then the end. After an error the blocks are
/// discarded, so that no recorder waits for ever.
fn write<W: Write>(
    mut output: W,
    begin: impl FnOnce(&mut W) -> io::Result<()>,
    waiting: Receiver<Part>,
) -> io::Result<u64> {
    let (mut begin, mut held, mut finishes) = (Some(begin), Vec::new(), false);
    let (mut bytes, mut written) = (0, Ok(()));
    for part in waiting {
        finishes |= matches!(part, Part::Finish);
        match part {
            Part::Block(block) => held.push(block),
            Part::Begin | Part::Finish => {
                if let Some(begin) = begin.take() {
                    written = begin(&mut output);
                }
            }
        }
        if begin.is_none() {
            for block in held.drain(..) {
                bytes += block.len();
                written = written.and_then(|()| output.write_all(&block));
            }
        }
    }
    written?;
    if !finishes {
        return Ok(0);
    }
    let records = (bytes / RECORD) as u64;
    output.write_all(&Record { connection: 0, event: Event::End(records) }.encode())?;
    output.flush()?;
    Ok(records)
}

/// Records the events of one thread's connections. What it has collected is passed on when it is dropped.
#[derive(Debug)]
pub struct Recorder {
    parts: SyncSender<Part>,
    next: Arc<AtomicU32>,
    block: Vec<u8>,
    /// The time of the last record.
    now: Duration,
}

impl Recorder {
    /// Sets the time of the events that are recorded next, since the start. It is recorded once per millisecond.
    #[inline]
    pub fn set_time(&mut self, now: Duration) {
        if now.abs_diff(self.now) >= TICK {
            self.now = now;
            self.add(0, Event::Time(now));
        }
    }

    /// Records a connection that was established, for which the client has this number. Returns its number in the
    /// history.
    pub fn open(&mut self, client: u64) -> u32 {
        let connection = self.next.fetch_add(1, Ordering::Relaxed);
        self.add(connection, Event::Opened(client));
        connection
    }

    /// Records a request that is about to be sent, with the digest of the reply that answers it. If the client decides
    /// by a rule which replies answer it, it is the digest of the request.
    #[inline]
    pub fn request(&mut self, connection: u32, answer: Digest) {
        self.add(connection, Event::Request(answer));
    }

    /// Records a reply.
    #[inline]
    pub fn reply(&mut self, connection: u32, reply: Digest) {
        self.add(connection, Event::Reply(reply));
    }

    /// Records a reply that the client has judged by a rule, or that is malformed.
    #[inline]
    pub fn judged(&mut self, connection: u32, reply: Digest, is_accepted: bool) {
        self.add(connection, if is_accepted { Event::Accepted(reply) } else { Event::Rejected(reply) });
    }

    /// Records an error reply that refuses the oldest unanswered request.
    pub fn refused(&mut self, connection: u32, reply: Digest) {
        self.add(connection, Event::Refused(reply));
    }

    /// Records an error reply that announces the end of the connection.
    pub fn farewell(&mut self, connection: u32, reply: Digest) {
        self.add(connection, Event::Farewell(reply));
    }

    /// Records that the server also receives messages of this load that are not in the history, so that the history does
    /// not tell how many it handles.
    pub fn unrecorded(&mut self) {
        self.add(0, Event::Unrecorded);
    }

    /// Records that the server or the network ended the connection.
    pub fn died(&mut self, connection: u32) {
        self.add(connection, Event::Died);
    }

    /// Records that the client ended the connection. A request without a reply is lost then.
    pub fn left(&mut self, connection: u32) {
        self.add(connection, Event::Left);
    }

    /// Records that the client was interrupted, and ended the connection before it had waited for replies.
    pub fn interrupted(&mut self, connection: u32) {
        self.add(connection, Event::Interrupted);
    }

    #[inline]
    fn add(&mut self, connection: u32, event: Event) {
        if self.block.len() + RECORD > BLOCK {
            self.pass_on();
        }
        self.block.extend_from_slice(&Record { connection, event }.encode());
    }

    /// Passes the block on, and begins another one with the time, since it may be written behind one of another
    /// recorder.
    #[cold]
    fn pass_on(&mut self) {
        let mut next = Vec::with_capacity(BLOCK);
        next.extend_from_slice(&Record { connection: 0, event: Event::Time(self.now) }.encode());
        // The thread takes blocks until all recorders are dropped.
        let _ = self.parts.send(Part::Block(std::mem::replace(&mut self.block, next)));
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let _ = self.parts.send(Part::Block(std::mem::take(&mut self.block)));
    }
}

#[cfg(test)]
mod tests;
