//! The servers that are compared: this program with each backend, other builds, handwritten servers and other programs.

use std::env;

use compare::{Candidate, Launch};
use serving::Backend;

use super::arguments::Compare;
use super::certificate::Certificate;
use super::settings::serves_backends;
use super::variants::{Variant, variants};
use super::{against, backends};
use crate::catalogue::Catalogue;
use crate::failure::Failure;
use crate::program::Program;
use crate::{descriptors, handwritten};

/// Spare connections: for hostile clients, and for connections that are being closed while others are opened.
const SLACK: usize = 200;

/// The requested servers. Each must accept `connections` at once, and messages of up to `longest` bytes, over TLS if there is
/// a certificate for that.
///
/// With --server, backends are compared only if --backends, --against or --with-handwritten is given.
pub(super) fn candidates(
    arguments: &Compare,
    catalogue: &Catalogue,
    program: &Program,
    certificate: Option<&Certificate>,
    (connections, longest): (usize, usize),
) -> Result<Vec<Candidate>, Failure> {
    check_room(connections)?;
    let chosen = match arguments.backends.as_slice() {
        [] if !serves_backends(arguments) => &[],
        [] => catalogue.backends.as_slice(),
        chosen => chosen,
    };
    let file = env::current_exe()
        .map_err(|error| Failure::Failed(format!("this program can't be found to be started: {error}")))?;
    let launch =
        |arguments| Launch::Announces { program: file.clone(), arguments, variables: program.prefix() };
    let flags = |backend: &&'static dyn Backend| {
        backends::flags(arguments, *backend, certificate, connections + SLACK, longest)
    };
    let variants = match chosen {
        [] => Vec::new(),
        [first, ..] => variants(arguments, catalogue, program, &flags(first))?,
    };
    let one = |backend: &&'static dyn Backend, variant: &Variant| {
        let flags = [flags(backend), variant.flags.clone()].concat();
        let candidate = backends::candidate(*backend, variant.blocking, launch(flags));
        Candidate { name: variant.name(&candidate.name), ..candidate }
    };
    let of_all = |backend| variants.iter().map(move |variant| one(backend, variant));
    let mut candidates: Vec<Candidate> = chosen.iter().flat_map(of_all).collect();
    if let Some(other) = &arguments.against {
        candidates = against::with_other_build(candidates, other)?;
    }
    if arguments.with_handwritten {
        candidates.retain(|one| one.max_connections.is_none_or(|most| most >= connections));
        if candidates.is_empty() {
            return Err(Failure::Usage(format!(
                "--with-handwritten needs {connections} connections, which none of the chosen backends can hold; \
                 choose another with --backends"
            )));
        }
        let tls = certificate.map(Certificate::arguments);
        candidates.extend(handwritten::candidates(&candidates, tls.as_ref().map(|of| &of[..]), launch));
    }
    let servers = arguments.server.iter().cloned().map(|server| match certificate {
        Some(of) => server.with_certificate(&of.file(), &of.key()).map_err(Failure::Usage),
        None => Ok(server),
    });
    candidates.extend(servers.collect::<Result<Vec<_>, _>>()?);
    Ok(candidates)
}

/// Checks that the limit on open files allows the connections.
fn check_room(connections: usize) -> Result<(), Failure> {
    let limit = descriptors::raise_limit();
    let room = limit.saturating_sub(descriptors::RESERVED);
    if connections + SLACK > room {
        return Err(Failure::Usage(format!(
            "{connections} connections and {SLACK} spare ones are more than the {room} that a limit of {limit} open files \
             allows; choose fewer with --connections, --sweep-connections or --subscribe"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches;

    use super::*;
    use crate::catalogue::Catalogue;

    /// The names of the candidates with these flags.
    fn names(flags: &[&str]) -> Vec<String> {
        all(flags).unwrap().into_iter().map(|candidate| candidate.name).collect()
    }

    fn all(flags: &[&str]) -> Result<Vec<Candidate>, Failure> {
        let (program, catalogue) = (Program::new(), Catalogue::built_in());
        let command = catalogue.command(&program);
        let matches = command.try_get_matches_from([&["anyloop", "compare"], flags].concat()).unwrap();
        let arguments = Compare::from_arg_matches(matches.subcommand().unwrap().1).unwrap();
        let certificate = arguments.tls.then(|| Certificate::make().unwrap());
        candidates(&arguments, &catalogue, &program, certificate.as_ref(), (64, 32))
    }

    #[test]
    fn each_backend_is_compared_with_each_variant() {
        let flags = ["-b", "smol,epoll", "--handler", "work", "--variant", "--work block:2ms", "--variant"];
        let found = all(&[&flags[..], &["--work wait:2ms --workers 1"]].concat()).unwrap();
        let names: Vec<_> = found.iter().map(|candidate| candidate.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "smol (--work block:2ms)",
                "smol (--work wait:2ms --workers 1)",
                "epoll (--work block:2ms)",
                "epoll (--work wait:2ms --workers 1)",
            ]
        );
        let runs: Vec<_> = found.iter().map(|candidate| candidate.handler_runs.as_deref().unwrap()).collect();
        assert_eq!(runs[..2], ["blocking pool of 512", "worker"], "it depends on the variant");
        let Launch::Announces { arguments, .. } = &found[3].launch else { panic!("{found:?}") };
        assert!(
            arguments.ends_with(&["--work", "wait:2ms", "--workers", "1"].map(Into::into)),
            "{arguments:?}"
        );
    }

    #[test]
    fn a_variant_has_flags_of_serve_that_are_not_set_otherwise() {
        for (variant, expected) in [
            ("", "it is empty"),
            ("--work 'wait:2ms", "a quote is not closed"),
            ("--work soon", "is not valid work"),
            ("--tornado", "unexpected argument '--tornado'"),
            ("--listen 127.0.0.1:1", "'--listen <HOST:PORT|unix:PATH>' cannot be used multiple times"),
            ("--language en", "--language belongs to --handler counter"),
            ("block:2ms", "unexpected argument 'block:2ms'"),
        ] {
            let error = all(&["--handler", "work", "--variant", variant]).unwrap_err();
            let Failure::Usage(text) = error else { panic!("{variant}") };
            assert!(text.contains(expected), "{variant}: {text}");
        }
    }

    #[test]
    fn servers_are_compared_without_backends_unless_these_are_requested() {
        let server = ["--server", "own=serve {port}"];
        assert_eq!(names(&server), ["own"]);
        assert_eq!(names(&[&server[..], &["-b", "smol"]].concat()), ["smol", "own"]);
        let with_handwritten = names(&[&server[..], &["--with-handwritten"]].concat());
        for name in ["smol", "smol-careful", "own"] {
            assert!(with_handwritten.iter().any(|one| one == name), "{name}: {with_handwritten:?}");
        }
    }

    #[test]
    fn over_tls_all_servers_have_the_certificate() {
        let server = ["--tls", "--server", "own=serve {port} {cert} {key}"];
        let found = all(&[&server[..], &["-b", "smol,epoll", "--with-handwritten"]].concat()).unwrap();
        let found_names: Vec<_> = found.iter().map(|candidate| candidate.name.as_str()).collect();
        assert_eq!(
            found_names,
            ["smol", "epoll", "tokio-tls", "own"],
            "no other handwritten server speaks TLS"
        );
        for candidate in &found {
            let is_named = match &candidate.launch {
                Launch::Announces { arguments, .. } => arguments.iter().any(|one| one == "--tls-key"),
                Launch::Command { words } => words.last().is_some_and(|word| word.ends_with("server.key")),
            };
            assert!(is_named, "{candidate:?}");
        }
        let Failure::Usage(error) = all(&["--tls", "--server", "own=serve {port}"]).unwrap_err() else {
            panic!()
        };
        assert!(error.contains("write {cert} and {key}"), "{error}");
        let without = names(&["--with-handwritten"]);
        assert!(!without.iter().any(|name| name == "tokio-tls"), "{without:?}");
    }
}
