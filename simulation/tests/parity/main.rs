//! Situations of a connected socket, each of which has the same result over the simulated kernel and over the real one.
#![allow(clippy::unwrap_used, reason = "these are tests, their helpers too")]

mod closing;
mod queues;
mod reading;
mod real;
mod resets;
mod server;
mod simulated;
mod urgent;

use std::io::{self, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use crate::server::{Ends, Server};

/// A connection.
trait Connection: Server + Client {}

impl<C: Server + Client> Connection for C {}

/// The client's end of a connection.
trait Client {
    fn send(&self, bytes: &[u8]);
    fn send_urgent(&self);
    fn end(&self);
    fn close(&self);
    fn reset(&self);
    fn receive(&self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Lets the network do something.
    fn pass(&self);
}

/// A situation: its name, and what is done and asserted.
type Situation = (&'static str, fn(&dyn Connection));

/// A situation fails if what it waits for has not happened in this time.
const PATIENCE: Duration = Duration::from_secs(20);

impl dyn Connection + '_ {
    /// Waits until something holds.
    fn until(&self, holds: impl Fn(&Self) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !holds(self) {
            assert!(Instant::now() < end, "what the situation waits for does not happen");
            self.pass();
        }
    }

    /// The client sends bytes, which arrive.
    fn sends(&self, bytes: &str) {
        let before = self.arrived();
        self.send(bytes.as_bytes());
        self.until(|this| this.arrived() == before + bytes.len());
    }

    /// What the server reads, with room for this many bytes.
    fn reads(&self, most: usize) -> Result<String, ErrorKind> {
        let mut buffer = vec![0; most];
        let count = self.read(&mut buffer).map_err(|error| error.kind())?;
        Ok(String::from_utf8(buffer[..count].to_vec()).unwrap())
    }

    /// Waits until the server reads something other than `WouldBlock`.
    fn reads_next(&self) -> Result<String, ErrorKind> {
        self.awaited(|this| this.reads(100))
    }

    fn writes(&self, bytes: &str) -> Result<usize, ErrorKind> {
        self.write(bytes.as_bytes()).map_err(|error| error.kind())
    }

    /// Waits until the client receives something other than `WouldBlock`, with room for this many bytes.
    fn receives(&self, most: usize) -> Result<String, ErrorKind> {
        self.awaited(|this| {
            let mut buffer = vec![0; most];
            let count = this.receive(&mut buffer).map_err(|error| error.kind())?;
            Ok(String::from_utf8(buffer[..count].to_vec()).unwrap())
        })
    }

    /// All that the client receives up to the end, and how that is: `None` for the end of the input.
    fn receives_all(&self) -> (String, Option<ErrorKind>) {
        let mut all = String::new();
        loop {
            match self.receives(65536) {
                Ok(text) if text.is_empty() => return (all, None),
                Ok(text) => all += &text,
                Err(error) => return (all, Some(error)),
            }
        }
    }

    fn awaited<T>(&self, result: impl Fn(&Self) -> Result<T, ErrorKind>) -> Result<T, ErrorKind> {
        let end = Instant::now() + PATIENCE;
        loop {
            match result(self) {
                Err(ErrorKind::WouldBlock) => self.pass(),
                other => return other,
            }
            assert!(Instant::now() < end, "nothing arrives");
        }
    }

    /// Writes until both queues are full. Returns how many bytes were written.
    fn fill(&self) -> usize {
        let mut total = 0;
        // What has left the send queue makes room in it, until the client's queue is full as well.
        for _ in 0..3 {
            while let Ok(count) = self.write(&[b'x'; 16384]) {
                total += count;
            }
            (0..100).for_each(|_| self.pass());
        }
        assert!(total > 0);
        total
    }
}

fn situations() -> Vec<Situation> {
    [reading::ALL, urgent::ALL, queues::ALL, resets::ALL, closing::ALL].concat()
}

/// Runs all situations, each over a connection of its own, and panics with the names of those that fail.
fn check<E: Ends + Connection>() {
    let failed: Vec<_> = situations()
        .into_iter()
        .filter(|(_, situation)| catch_unwind(AssertUnwindSafe(|| situation(&E::connect()))).is_err())
        .map(|(name, _)| name)
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn a_simulated_socket_behaves_as_the_situations_say() {
    check::<simulated::Simulated>();
}

#[test]
fn a_real_socket_behaves_as_the_situations_say() {
    check::<real::Real>();
}

#[test]
fn there_are_at_least_fifty_situations_and_each_has_its_name() {
    let mut names: Vec<_> = situations().into_iter().map(|(name, _)| name).collect();
    assert!(names.len() >= 50, "{}", names.len());
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
}
