//! Writes a history while a client runs, on a thread of its own.

use std::fs::File;
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
#[derive(Debug)]
pub struct Writer {
    blocks: SyncSender<Vec<u8>>,
    next: Arc<AtomicU32>,
    thread: JoinHandle<io::Result<u64>>,
}

impl Writer {
    /// Replaces the content of a file by a history with this description of the load.
    ///
    /// # Errors
    /// If the file can't be written, or if the system has no threads left.
    pub fn create(file: impl AsRef<Path>, description: &str) -> io::Result<Self> {
        Self::to(File::create(file)?, description)
    }

    /// Writes a history with this description of the load to an output, in blocks.
    ///
    /// # Errors
    /// If the description can't be written, or if the system has no threads left.
    pub fn to(mut output: impl Write + Send + 'static, description: &str) -> io::Result<Self> {
        output.write_all(&header(description))?;
        let (blocks, waiting) = sync_channel(WAITING);
        let thread = thread::Builder::new().name("history".into()).spawn(|| write(output, waiting))?;
        Ok(Self { blocks, next: Arc::default(), thread })
    }

    /// A recorder for one thread of the client. All events of a connection have to be recorded by the same one.
    pub fn recorder(&self) -> Recorder {
        let (blocks, next) = (self.blocks.clone(), self.next.clone());
        Recorder { blocks, next, block: Vec::with_capacity(BLOCK), now: Duration::ZERO }
    }

    /// Waits until all recorders are dropped, and writes the rest and the end. Returns the number of records.
    ///
    /// # Errors
    /// If anything could not be written.
    pub fn finish(self) -> io::Result<u64> {
        drop(self.blocks);
        self.thread
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the thread that writes the history panicked")))
    }
}

/// Writes blocks until no recorder is left, and then the end. After an error the blocks are discarded, so that no
/// recorder waits for ever.
fn write(mut output: impl Write, waiting: Receiver<Vec<u8>>) -> io::Result<u64> {
    let (mut bytes, mut written) = (0, Ok(()));
    for block in waiting {
        bytes += block.len();
        written = written.and_then(|()| output.write_all(&block));
    }
    written?;
    let records = (bytes / RECORD) as u64;
    output.write_all(&Record { connection: 0, event: Event::End(records) }.encode())?;
    output.flush()?;
    Ok(records)
}

/// Records the events of one thread's connections. What it has collected is passed on when it is dropped.
#[derive(Debug)]
pub struct Recorder {
    blocks: SyncSender<Vec<u8>>,
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
        let _ = self.blocks.send(std::mem::replace(&mut self.block, next));
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let _ = self.blocks.send(std::mem::take(&mut self.block));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails after it has taken the description.
    struct Full(bool);

    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            match std::mem::replace(&mut self.0, true) {
                false => Ok(bytes.len()),
                true => Err(io::ErrorKind::StorageFull.into()),
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_is_an_error_and_does_not_block_the_client() {
        let writer = Writer::to(Full(false), "").unwrap();
        let mut recorder = writer.recorder();
        let connection = recorder.open(0);
        for _ in 0..2 * (WAITING + 1) * BLOCK / RECORD {
            recorder.request(connection, Digest::of(b""));
        }
        drop(recorder);
        assert_eq!(writer.finish().unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert!(Writer::to(Full(true), "").is_err(), "there is no room for the description");
    }
}
