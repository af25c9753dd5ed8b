//! The backends as servers that can be compared: this program, once for each.

use std::env;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;

use common::{Backend, Limits, Service, Stop};
use compare::{Candidate, Care};
use handlers::Echo;
use handwritten::{Kind, SERVERS, Server};

use super::arguments::Compare;
use crate::descriptors;
use crate::failure::Failure;

/// Room beside the connections that are counted: for hostile clients, and for those that leave while others
/// come.
const SLACK: usize = 200;

/// A candidate for each backend that was chosen, each to be let in `connections` at once.
pub(super) fn candidates(
    arguments: &Compare,
    backends: &[&'static dyn Backend],
    connections: usize,
) -> Result<Vec<Candidate>, Failure> {
    let program = env::current_exe()
        .map_err(|error| Failure::Failed(format!("this program can't be found to be started: {error}")))?;
    let limit = descriptors::raise_limit();
    let room = limit.saturating_sub(descriptors::RESERVED);
    if connections + SLACK > room {
        return Err(Failure::Usage(format!(
            "{connections} connections, and {SLACK} beside them, are more than the {room} that {limit} open files \
             leave room for; ask for fewer with --connections or --sweep-connections"
        )));
    }
    let longest = arguments.message_size.bounds().1.max(Limits::default().max_message).to_string();
    let candidate = |backend: &&'static dyn Backend| {
        let capabilities = backend.capabilities();
        let most = capabilities.max_connections.unwrap_or(usize::MAX).min(connections + SLACK);
        let mut command = vec!["serve", "--backend", backend.name(), "--handler", arguments.handler.name];
        let (most, work) = (most.to_string(), arguments.work.map(|work| work_flag(&work)));
        command.extend([
            "--framing",
            arguments.framing.name,
            "--listen",
            "127.0.0.1:0",
            "--max-connections",
            &most,
        ]);
        command.extend(["--log-level", "error", "--idle-timeout", "300s"]);
        command.extend(["--max-message", &longest]);
        if let Some(work) = &work {
            command.extend(["--work", work]);
        }
        Candidate {
            name: backend.name().to_owned(),
            model: capabilities.model.to_owned(),
            legacy: capabilities.legacy.map(str::to_owned),
            kind: compare::Kind::Backend,
            max_connections: capabilities.max_connections,
            unavailable: unavailable(*backend),
            program: program.clone(),
            arguments: command.into_iter().map(OsString::from).collect(),
        }
    };
    let candidates = backends.iter().map(candidate);
    if !arguments.with_handwritten {
        return Ok(candidates.collect());
    }
    let holds = |candidate: &Candidate| candidate.max_connections.is_none_or(|most| most >= connections);
    let mut candidates: Vec<Candidate> = candidates.filter(holds).collect();
    if candidates.is_empty() {
        return Err(Failure::Usage(format!(
            "--with-handwritten takes {connections} connections, which none of the chosen backends can hold; choose another \
             with --backends"
        )));
    }
    candidates.extend(by_hand(&candidates, &program));
    Ok(candidates)
}

/// Why a backend can't serve on this machine, if it can't: found out by having it serve nobody. The listener is there
/// for no other purpose, and the server is told to stop before it begins.
fn unavailable(backend: &'static dyn Backend) -> Option<String> {
    let listener = TcpListener::bind("127.0.0.1:0").ok()?;
    let service = Service::framed(Arc::new(Echo), common::Framing::Line);
    let stop = Stop::new();
    stop.now();
    let error = backend.serve(listener, Arc::new(service), &stop).err()?;
    (error.kind() == ErrorKind::Unsupported).then(|| error.to_string())
}

/// The servers that were written by hand and have their counterparts among these backends, and the floor.
fn by_hand(backends: &[Candidate], program: &Path) -> Vec<Candidate> {
    let is_wanted = |baseline: &&Server| {
        let is_chosen = |name: &str| backends.iter().any(|backend| backend.name == name);
        baseline.is_supported() && baseline.backend.is_none_or(is_chosen)
    };
    let candidate = |baseline: &Server| Candidate {
        name: baseline.name.to_owned(),
        model: baseline.model.to_owned(),
        legacy: None,
        kind: compare::Kind::Handwritten {
            of: baseline.backend.map(str::to_owned),
            care: match baseline.kind {
                Kind::Plain => Care::Plain,
                Kind::Careful => Care::Careful,
                Kind::Floor => Care::Raw,
            },
        },
        max_connections: baseline.max_connections,
        unavailable: None,
        program: program.to_owned(),
        arguments: ["handwritten", baseline.name, "--listen", "127.0.0.1:0"].map(OsString::from).into(),
    };
    SERVERS.iter().filter(is_wanted).map(candidate).collect()
}

/// A load as `--work` takes it.
fn work_flag(load: &handlers::Load) -> String {
    let (kind, time) = match load {
        handlers::Load::Cpu(time) => ("cpu", time),
        handlers::Load::Block(time) => ("block", time),
    };
    format!("{kind}:{}us", time.as_micros())
}

#[cfg(test)]
mod tests {
    use std::io;

    use common::{BlockingHandlers, Capabilities, Report, Workers};

    use super::*;

    /// A backend that can't serve, for this reason.
    struct Broken(ErrorKind);

    impl Backend for Broken {
        fn name(&self) -> &'static str {
            "broken"
        }

        fn capabilities(&self) -> Capabilities {
            Capabilities {
                model: "none",
                max_connections: None,
                workers: Workers::Caller,
                blocking_handlers: BlockingHandlers::OnWorker,
                legacy: None,
            }
        }

        fn serve(&self, _: TcpListener, _: Arc<Service>, _: &Stop) -> io::Result<Report> {
            Err(io::Error::new(self.0, "it can't"))
        }
    }

    #[test]
    fn what_this_machine_does_not_support_is_not_available() {
        assert_eq!(unavailable(&Broken(ErrorKind::Unsupported)).as_deref(), Some("it can't"));
        assert_eq!(unavailable(&Broken(ErrorKind::OutOfMemory)), None, "that is a failure");
    }

    #[test]
    fn backends_that_ask_for_nothing_special_are_available() {
        for backend in registry::BACKENDS.iter().filter(|backend| backend.name() != "uring") {
            assert_eq!(unavailable(*backend), None, "{}", backend.name());
        }
    }
}
