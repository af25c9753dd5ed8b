//! Another build of this program, which is started once before it is compared.

use std::io::{ErrorKind, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{self, Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::sync::mpsc;
use std::time::Duration;
use std::{fs, thread};

use compare::{Candidate, Kind, Launch, Settings, try_start};

use crate::failure::Failure;

/// How long the other build may take to print its version.
const VERSION: Duration = Duration::from_secs(5);

/// Each backend, followed by the same backend of another build of this program.
pub(super) fn with_other_build(candidates: Vec<Candidate>, other: &Path) -> Result<Vec<Candidate>, Failure> {
    let program = program(other)?;
    let mut all = Vec::new();
    for candidate in candidates {
        let build = candidate.of_build(&program).map_err(Failure::Usage)?;
        all.extend([candidate, build]);
    }
    Ok(all)
}

/// The file of another build, if it can be one.
fn program(other: &Path) -> Result<PathBuf, Failure> {
    let wrong = |why: &str| Failure::Usage(format!("--against {}: {why}", other.display()));
    let file = fs::metadata(other).map_err(|error| wrong(&error.to_string()))?;
    if file.is_dir() {
        return Err(wrong("it is a folder; name the program in it"));
    }
    if file.permissions().mode() & 0o111 == 0 {
        return Err(wrong("it can't be executed; name another build of this program"));
    }
    // A relative path without a slash would be looked for in PATH.
    path::absolute(other).map_err(|error| wrong(&error.to_string()))
}

/// Checks that the other build serves at least one backend, and adds its version to the facts.
pub(super) fn try_out(settings: &mut Settings, stop: &AtomicBool) -> Result<(), Failure> {
    let is_its = |one: &&Candidate| matches!(one.kind, Kind::Build { .. }) && one.unavailable.is_none();
    let mut first = None;
    for candidate in settings.candidates.iter().filter(is_its) {
        let Launch::Announces { program, .. } = &candidate.launch else { continue };
        let failed = |error: &dyn std::fmt::Display| {
            Failure::Failed(format!("--against {}: it does not serve: {error}", program.display()))
        };
        match try_start(candidate, stop) {
            Ok(()) => {
                let version = version(program);
                settings.facts.extend(version.map(|version| ("other build".to_owned(), version)));
                return Ok(());
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {
                return Err(Failure::Interrupted("interrupted before anything was measured".into()));
            }
            // Every further backend would take as long.
            Err(error) if error.kind() == ErrorKind::TimedOut => return Err(failed(&error)),
            Err(error) => first = first.or_else(|| Some(failed(&error))),
        }
    }
    first.map_or(Ok(()), Err)
}

/// The output of `--version` of a program, in one line.
fn version(program: &Path) -> Option<String> {
    let mut command = Command::new(program);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().ok()?;
    let (sender, said) = mpsc::channel();
    if let Some(out) = child.stdout.take() {
        thread::spawn(move || {
            let mut text = Vec::new();
            let _ = out.take(1000).read_to_end(&mut text);
            // The receiver is gone if it took too long.
            let _ = sender.send(String::from_utf8_lossy(&text).into_owned());
        });
    }
    let text = said.recv_timeout(VERSION).unwrap_or_default();
    // It has ended, or will not end by itself.
    let _ = child.kill();
    let _ = child.wait();
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let line: String = lines.join(", ").chars().filter(|character| !character.is_control()).collect();
    (!line.is_empty()).then_some(line)
}
