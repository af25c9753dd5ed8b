//! The receipt: the outcome of all connections, in the log and as JSON in a file; and the log of the statistics while
//! clients are served.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process;

use common::{Address, Outcome};
use rustix::fs::Access;
use serde::Serialize;
use serving::{Report, Running};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};

use crate::failure::{Failure, print};
use crate::program::Program;

/// The destination of the receipt.
#[derive(Debug)]
pub(crate) enum Destination {
    Nowhere,
    StandardOutput,
    File(PathBuf, File),
}

impl Destination {
    /// Checks before serving begins that the receipt can be written. The content of the file is kept until then.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = path else { return Ok(Self::Nowhere) };
        if path == Path::new("-") {
            return Ok(Self::StandardOutput);
        }
        match OpenOptions::new().write(true).create(true).truncate(false).open(path) {
            Ok(file) => Ok(Self::File(path.to_owned(), file)),
            Err(error) => Err(unwritable(path, &error)),
        }
    }

    /// Checks the same without creating a file.
    pub(crate) fn check(path: Option<&Path>) -> Result<(), Failure> {
        let Some(path) = path.filter(|path| *path != Path::new("-")) else { return Ok(()) };
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let checked = match OpenOptions::new().write(true).open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                rustix::fs::access(folder, Access::WRITE_OK | Access::EXEC_OK).map_err(io::Error::from)
            }
            opened => opened.map(drop),
        };
        checked.map_err(|error| unwritable(path, &error))
    }

    /// Writes the receipt there.
    pub(crate) fn write(self, receipt: &Receipt) -> Result<(), Failure> {
        let json = serde_json::to_string(receipt).map_err(|error| Failure::Failed(error.to_string()))?;
        let line = format!("{json}\n");
        match self {
            Self::Nowhere => Ok(()),
            Self::StandardOutput => print(line.as_bytes()),
            Self::File(path, file) => replace(&path, file, line.as_bytes())
                .map_err(|error| Failure::Failed(format!("{}: {error}", path.display()))),
        }
    }
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::Usage(format!(
        "the receipt can't be written to {}: {error}; choose another --receipt",
        path.display()
    ))
}

/// Replaces the content of a file, which it creates again if it was removed. To a pipe or a device it only writes.
fn replace(path: &Path, mut file: File, content: &[u8]) -> io::Result<()> {
    let found = file.metadata()?;
    if found.is_file() && found.nlink() == 0 {
        return fs::write(path, content);
    }
    if found.is_file() {
        file.set_len(0)?;
        file.rewind()?;
    }
    file.write_all(content)
}

/// The server of a receipt.
#[derive(Debug, Serialize)]
pub(crate) struct Run {
    program: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'static str>,
    /// The version of the anyloop library.
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

/// The time in UTC in the format of the log, RFC 3339.
fn now() -> String {
    let mut text = String::new();
    let written = SystemTime.format_time(&mut Writer::new(&mut text));
    written.map_or_else(|_| String::new(), |()| text)
}

/// The server and its statistics.
#[derive(Debug, Serialize)]
pub(crate) struct Receipt {
    #[serde(flatten)]
    run: Run,
    end: String,
    #[serde(flatten)]
    report: Report,
}

/// Logs statistics, followed by further fields and a message.
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
            pushed = $statistics.pushed,
            pushes_delivered = $statistics.pushes_delivered,
            pushes_dropped = $statistics.pushes_dropped,
            pushes_refused = $statistics.pushes_refused,
            accept_errors = $statistics.accept_errors,
            unlingered = $statistics.unlingered,
            $($more)*
        )
    };
}

/// Logs the statistics of a server so far, and whether it is ready.
pub(crate) fn log(running: &Running) {
    let statistics = running.statistics();
    log!(statistics; ready = running.ready(), "statistics");
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
