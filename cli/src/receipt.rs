//! The receipt: what became of every client, for people in the log and for programs in a file.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process;

use common::{CloseReason, Outcome};
use serde::Serialize;
use serde_json::{Map, Value};
use serving::Report;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};

use crate::failure::{Failure, print};
use crate::program::Program;

/// Where the receipt goes.
#[derive(Debug)]
pub(crate) enum Destination {
    Nowhere,
    StandardOutput,
    File(PathBuf, File),
}

impl Destination {
    /// Makes sure, before anybody is served, that the receipt can be written. What is in the file stays
    /// there until then.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = path else { return Ok(Self::Nowhere) };
        if path == Path::new("-") {
            return Ok(Self::StandardOutput);
        }
        match OpenOptions::new().write(true).create(true).truncate(false).open(path) {
            Ok(file) => Ok(Self::File(path.to_owned(), file)),
            Err(error) => Err(Failure::Usage(format!(
                "the receipt can't be written to {}: {error}; choose another --receipt",
                path.display()
            ))),
        }
    }

    /// Writes the receipt there.
    pub(crate) fn write(self, receipt: &Receipt) -> Result<(), Failure> {
        let json = serde_json::to_string(receipt).map_err(|error| Failure::Failed(error.to_string()))?;
        let line = format!("{json}\n");
        match self {
            Self::Nowhere => Ok(()),
            Self::StandardOutput => print(line.as_bytes()),
            Self::File(path, file) => replace(file, line.as_bytes())
                .map_err(|error| Failure::Failed(format!("{}: {error}", path.display()))),
        }
    }
}

/// Puts `content` in the place of what a file holds. A pipe or a device only takes it.
fn replace(mut file: File, content: &[u8]) -> io::Result<()> {
    if file.metadata()?.is_file() {
        file.set_len(0)?;
        file.rewind()?;
    }
    file.write_all(content)
}

/// Which server a receipt is of.
#[derive(Debug, Serialize)]
pub(crate) struct Run {
    program: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'static str>,
    /// The version of the library that it is made with.
    anyloop: &'static str,
    backend: &'static str,
    address: SocketAddr,
    pid: u32,
    start: String,
}

impl Run {
    /// A server of this process, which starts now.
    pub(crate) fn start(program: &Program, backend: &'static str, address: SocketAddr) -> Self {
        Self {
            program: program.name().to_owned(),
            version: program.version,
            anyloop: env!("CARGO_PKG_VERSION"),
            backend,
            address,
            pid: process::id(),
            start: now(),
        }
    }
}

/// The time, as the log has it: in UTC, as RFC 3339 writes it.
fn now() -> String {
    let mut text = String::new();
    let written = SystemTime.format_time(&mut Writer::new(&mut text));
    written.map_or_else(|_| String::new(), |()| text)
}

/// Which server this was, and what became of every client. `accepted` is the sum of the six that follow.
#[derive(Debug, Serialize)]
pub(crate) struct Receipt {
    #[serde(flatten)]
    run: Run,
    end: String,
    pub(crate) accepted: u64,
    pub(crate) finished: u64,
    pub(crate) drained: u64,
    pub(crate) cut: u64,
    pub(crate) timed_out: u64,
    pub(crate) refused: u64,
    pub(crate) failed: u64,
    pub(crate) messages: u64,
    pub(crate) accept_errors: u64,
    pub(crate) unlingered: u64,
    /// How many ended for each reason, of those reasons that there were.
    pub(crate) reasons: Map<String, Value>,
}

impl Receipt {
    pub(crate) fn new(run: Run, report: &Report) -> Self {
        let counted = CloseReason::ALL.iter().copied().filter(|&reason| report.reason(reason) > 0);
        Self {
            run,
            end: now(),
            accepted: report.accepted,
            finished: report.outcome(Outcome::Finished),
            drained: report.outcome(Outcome::Drained),
            cut: report.outcome(Outcome::Cut),
            timed_out: report.outcome(Outcome::TimedOut),
            refused: report.outcome(Outcome::Refused),
            failed: report.outcome(Outcome::Failed),
            messages: report.messages,
            accept_errors: report.accept_errors,
            unlingered: report.unlingered,
            reasons: counted.map(|reason| (reason.name().into(), report.reason(reason).into())).collect(),
        }
    }

    pub(crate) fn log(&self) {
        tracing::info!(
            program = self.run.program,
            version = self.run.version,
            anyloop = self.run.anyloop,
            accepted = self.accepted,
            finished = self.finished,
            drained = self.drained,
            cut = self.cut,
            timed_out = self.timed_out,
            refused = self.refused,
            failed = self.failed,
            messages = self.messages,
            accept_errors = self.accept_errors,
            unlingered = self.unlingered,
            backend = self.run.backend,
            address = %self.run.address,
            pid = self.run.pid,
            start = self.run.start,
            end = self.end,
            "ended"
        );
    }
}
