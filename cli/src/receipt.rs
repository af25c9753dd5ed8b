//! The receipt: what became of every client, for people in the log and for programs in a file; and the statistics, which
//! say so while clients are served.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};
use std::process;

use common::{Address, Outcome};
use serde::Serialize;
use serving::{Report, Statistics};
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
    address: String,
    pid: u32,
    start: String,
}

impl Run {
    /// A server of this process, which starts now.
    pub(crate) fn start(program: &Program, backend: &'static str, address: &Address) -> Self {
        Self {
            program: program.name().to_owned(),
            version: program.version,
            anyloop: env!("CARGO_PKG_VERSION"),
            backend,
            address: address.to_string(),
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

/// Which server this was, and what it has counted.
#[derive(Debug, Serialize)]
pub(crate) struct Receipt {
    #[serde(flatten)]
    run: Run,
    end: String,
    #[serde(flatten)]
    report: Report,
}

/// Logs statistics, and behind them what else is said: fields, and a message.
macro_rules! log {
    ($statistics:expr; $($more:tt)*) => {
        tracing::info!(
            open = $statistics.open(),
            accepted = $statistics.accepted,
            finished = $statistics.outcome(Outcome::Finished),
            drained = $statistics.outcome(Outcome::Drained),
            cut = $statistics.outcome(Outcome::Cut),
            timed_out = $statistics.outcome(Outcome::TimedOut),
            refused = $statistics.outcome(Outcome::Refused),
            failed = $statistics.outcome(Outcome::Failed),
            messages = $statistics.messages,
            bytes_in = $statistics.bytes_in,
            bytes_out = $statistics.bytes_out,
            accept_errors = $statistics.accept_errors,
            unlingered = $statistics.unlingered,
            $($more)*
        )
    };
}

/// Logs what a server has counted up to now.
pub(crate) fn log(statistics: &Statistics) {
    log!(statistics; "statistics");
}

impl Receipt {
    pub(crate) fn new(run: Run, report: Report) -> Self {
        Self { run, end: now(), report }
    }

    /// Whether clients were cut off.
    pub(crate) fn has_cut(&self) -> bool {
        self.report.outcome(Outcome::Cut) > 0
    }

    pub(crate) fn log(&self) {
        log!(
            self.report;
            program = self.run.program,
            version = self.run.version,
            anyloop = self.run.anyloop,
            backend = self.run.backend,
            address = self.run.address,
            pid = self.run.pid,
            start = self.run.start,
            end = self.end,
            "ended"
        );
    }
}
