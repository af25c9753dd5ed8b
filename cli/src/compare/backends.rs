//! Backends as candidates: `anyloop serve` with the flags of the comparison.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::sync::Arc;

use common::{Blocking, Limits, Service};
use compare::{Candidate, Kind, Launch};
use handlers::Echo;
use serving::{Backend, BlockingHandlers, Stop};

use super::arguments::Compare;
use super::certificate::Certificate;

/// The candidate of a backend, for a handler that may block or not.
pub(super) fn candidate(backend: &'static dyn Backend, blocking: Blocking, launch: Launch) -> Candidate {
    let capabilities = backend.capabilities();
    Candidate {
        name: backend.name().to_owned(),
        model: capabilities.model.to_owned(),
        legacy: capabilities.legacy.map(str::to_owned),
        kind: Kind::Backend,
        max_connections: capabilities.max_connections,
        unavailable: unavailable(backend),
        handler_runs: Some(handler_runs(capabilities.blocking_handlers, blocking)),
        launch,
    }
}

/// The arguments of a server that accepts `connections` at once, and messages of up to `longest` bytes.
pub(super) fn flags(
    arguments: &Compare,
    backend: &dyn Backend,
    certificate: Option<&Certificate>,
    connections: usize,
    longest: usize,
) -> Vec<OsString> {
    let most = backend.capabilities().max_connections.unwrap_or(usize::MAX).min(connections).to_string();
    let longest = longest.max(Limits::default().max_message).to_string();
    let handler = &arguments.handler;
    let mut flags = vec!["serve", "--backend", backend.name(), "--handler", handler.name];
    flags.extend(["--listen", "127.0.0.1:0", "--max-connections", &most, "--max-message", &longest]);
    flags.extend(["--log-level", "error", "--idle-timeout", "300s"]);
    if handler.is_framed() {
        flags.extend(["--framing", arguments.framing.name()]);
    }
    let flags = flags.into_iter().map(OsString::from).chain(handler.arguments(&arguments.flags, true));
    flags.chain(certificate.map(Certificate::arguments).into_iter().flatten()).collect()
}

/// Where a backend runs a handler.
fn handler_runs(handlers: BlockingHandlers, blocking: Blocking) -> String {
    match (handlers, blocking) {
        (BlockingHandlers::OwnThread, _) => "own thread".to_owned(),
        (BlockingHandlers::OnWorker, _) | (_, Blocking::Never) => "worker".to_owned(),
        (BlockingHandlers::Offloaded, _) => format!("blocking pool of {}", common::BLOCKING_THREADS),
        (other, _) => format!("{other:?}"),
    }
}

/// Why a backend can't serve on this machine, if so. To find out, it serves a temporary listener and is stopped before
/// it begins.
fn unavailable(backend: &'static dyn Backend) -> Option<String> {
    let listener = TcpListener::bind("127.0.0.1:0").ok()?;
    let service = Service::framed(Arc::new(Echo), common::Framing::Line);
    let stop = Stop::new();
    stop.now();
    let error = backend.serve(listener.into(), Arc::new(service), &stop).err()?;
    (error.kind() == ErrorKind::Unsupported).then(|| error.to_string())
}

#[cfg(test)]
mod tests {
    use std::io;

    use serving::{Capabilities, Report, Workers};

    use super::*;

    /// A backend that can't serve, for this reason.
    struct Broken(ErrorKind);

    impl Backend for Broken {
        fn name(&self) -> &'static str {
            "broken"
        }

        fn capabilities(&self) -> Capabilities {
            Capabilities::new("none", Workers::Caller, BlockingHandlers::OnWorker)
        }

        fn serve(&self, _: serving::Listener, _: Arc<Service>, _: &Stop) -> io::Result<Report> {
            Err(io::Error::new(self.0, "it can't"))
        }
    }

    #[test]
    fn an_unsupported_backend_is_not_available() {
        assert_eq!(unavailable(&Broken(ErrorKind::Unsupported)).as_deref(), Some("it can't"));
        assert_eq!(unavailable(&Broken(ErrorKind::OutOfMemory)), None, "that is a failure");
    }

    #[test]
    fn all_backends_but_uring_are_always_available() {
        for backend in registry::BACKENDS.iter().filter(|backend| backend.name() != "uring") {
            assert_eq!(unavailable(*backend), None, "{}", backend.name());
        }
    }

    #[test]
    fn where_a_handler_runs_depends_on_whether_it_blocks() {
        for (handlers, blocking, expected) in [
            (BlockingHandlers::OwnThread, Blocking::Never, "own thread"),
            (BlockingHandlers::OwnThread, Blocking::MayBlock, "own thread"),
            (BlockingHandlers::OnWorker, Blocking::MayBlock, "worker"),
            (BlockingHandlers::Offloaded, Blocking::Never, "worker"),
            (BlockingHandlers::Offloaded, Blocking::MayBlock, "blocking pool of 512"),
        ] {
            assert_eq!(handler_runs(handlers, blocking), expected);
        }
    }
}
