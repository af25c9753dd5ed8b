//! A program on tokio that does jobs, and serves clients who ask how many it has done.

#![forbid(unsafe_code)]

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyloop::{Client, Flow, Framing, Handler, Replies, Service, Session, Tokio};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{interval, sleep};

/// The number of jobs that the program has done.
#[derive(Clone, Default)]
struct Jobs(Arc<AtomicU64>);

impl Handler for Jobs {
    fn open(&self, _: &Client, _: &mut Replies<'_>) -> Box<dyn Session> {
        Box::new(self.clone())
    }
}

impl Session for Jobs {
    fn message(&mut self, message: &[u8], out: &mut Replies<'_>) -> Flow {
        match message {
            b"jobs" => out.send(self.0.load(Ordering::Relaxed).to_string().as_bytes()),
            _ => out.reject("unknown-command"),
        }
        Flow::Continue
    }
}

/// The program's own work, which shares the runtime with the server.
async fn work(jobs: Jobs) {
    loop {
        sleep(Duration::from_millis(1)).await; // a job
        jobs.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8888".to_owned());
    let (mut stdout, mut interrupt) = (io::stdout(), signal(SignalKind::interrupt())?);
    let jobs = Jobs::default();
    tokio::spawn(work(jobs.clone()));

    let service = Service::framed(Arc::new(jobs), Framing::Line);
    let listener = TcpListener::bind(address).await?.into_std()?;
    let mut running = anyloop::start(Tokio::current(), listener, service)?;
    writeln!(stdout, "listening on {}", running.address())?;

    let mut second = interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            _ = second.tick() => writeln!(stdout, "{}", running.statistics())?,
            _ = interrupt.recv() => running.stop(), // the clients are drained, and then the server ends
            report = &mut running => return writeln!(stdout, "ended: {}", report?),
        }
    }
}
