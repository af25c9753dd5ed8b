//! The conversion of `serve`'s arguments into a service.

use std::num::NonZeroUsize;
use std::sync::Arc;

use common::{Application, BLOCKING_THREADS, Limits, Overload, Service};
use serving::Capabilities;

use crate::arguments::Serve;
use crate::catalogue::What;
use crate::descriptors::{RESERVED, reserved};
use crate::failure::Failure;
use crate::quantity::{self, Size};

/// The requested service. The error says what is wrong with the arguments, and what to write instead.
pub(crate) fn service(arguments: &Serve, descriptors: usize) -> Result<Service, Failure> {
    let capabilities = arguments.backend.capabilities();
    let name = arguments.backend.name();
    if arguments.overload == Some(Overload::Refuse) && capabilities.max_connections == Some(1) {
        return Err(Failure::Usage(format!(
            "{name} accepts no other client while it serves one, so the others wait; leave out --overload"
        )));
    }
    let limits = limits(arguments, &capabilities, descriptors).map_err(Failure::Usage)?;
    let service = Service::new(application(arguments)?)
        .with_limits(limits)
        .with_workers(arguments.workers)
        .with_blocking_threads(arguments.blocking_threads)
        .with_stack_size(arguments.stack_size);
    capabilities.check(name, &service).map_err(Failure::Usage)?;
    Ok(match &arguments.proxy_from {
        Some(proxies) => proxy_header::accept_from(service, proxies.clone()),
        None => proxy_header::warn_of_headers(
            service,
            "if it comes from a proxy, add --proxy-from with its address",
        ),
    })
}

/// The application to serve.
fn application(arguments: &Serve) -> Result<Arc<dyn Application>, Failure> {
    let served = &arguments.handler;
    served.check_required(&arguments.flags)?;
    match &served.what {
        What::Handler(make) => Ok((arguments.framing().application)(make(&arguments.flags)?)),
        What::Application(_) if arguments.framing.is_some() => Err(Failure::Usage(format!(
            "{} is a protocol without a framing; leave out --framing",
            served.name
        ))),
        What::Application(make) => make(&arguments.flags),
    }
}

fn limits(arguments: &Serve, capabilities: &Capabilities, descriptors: usize) -> Result<Limits, String> {
    let default = Limits::default();
    let Size(max_message) = arguments.max_message;
    Ok(default
        .with_max_connections(max_connections(arguments, capabilities, descriptors)?)
        .with_overload(arguments.overload.unwrap_or(default.overload))
        .with_max_message(max_message)
        // The longest message can be echoed, with a number in front of it.
        .with_max_reply(default.max_reply.max(max_message + REPLY_AROUND))
        .with_idle_timeout(Some(arguments.idle_timeout.0).filter(|timeout| !timeout.is_zero()))
        .with_message_timeout(arguments.message_timeout.0)
        .with_write_timeout(arguments.write_timeout.0)
        .with_min_rate(arguments.min_rate.0)
        .with_answer_timeout(arguments.answer_timeout.0)
        .with_drain_timeout(arguments.drain_timeout.0)
        .with_mailbox(arguments.mailbox.0)
        .with_mailbox_full(arguments.mailbox_full))
}

/// How many clients may be connected at once. The default is adapted to what is possible; a requested number that is
/// not possible is an error now rather than under load.
fn max_connections(
    arguments: &Serve,
    capabilities: &Capabilities,
    descriptors: usize,
) -> Result<usize, String> {
    let held = capabilities.max_connections.unwrap_or(usize::MAX);
    let reserved = reserved(arguments);
    let opened = descriptors.saturating_sub(reserved).max(1);
    let Some(asked) = arguments.max_connections.map(NonZeroUsize::get) else {
        return Ok(wanted_connections(arguments).min(opened));
    };
    if asked > held {
        let name = arguments.backend.name();
        return Err(format!(
            "--max-connections {asked} is more than {name} can hold; write {held} or less, or choose another \
             --backend"
        ));
    }
    if asked > opened {
        return Err(format!(
            "--max-connections {asked} is more than the {opened} that a limit of {descriptors} open files \
             allows; write {opened} or less, or raise the limit (ulimit -Hn) to {}",
            asked.saturating_add(reserved)
        ));
    }
    Ok(asked)
}

/// How many clients may be connected at once, without regard to the limit on open files.
pub(crate) fn wanted_connections(arguments: &Serve) -> usize {
    let held = arguments.backend.capabilities().max_connections.unwrap_or(usize::MAX);
    arguments.max_connections.map_or(Limits::default().max_connections.min(held), NonZeroUsize::get)
}

/// Parses the value of `--workers`.
pub(crate) fn workers(text: &str) -> Result<NonZeroUsize, String> {
    threads(text, MOST_WORKERS)
}

/// Parses the value of `--blocking-threads`.
pub(crate) fn blocking_threads(text: &str) -> Result<NonZeroUsize, String> {
    threads(text, MOST_BLOCKING_THREADS)
}

fn threads(text: &str, most: NonZeroUsize) -> Result<NonZeroUsize, String> {
    let count = quantity::count(1, most.get())(text);
    let invalid = |_| format!("`{text}` is not a number of threads; write one from 1 to {most}");
    count.map_err(invalid).map(|count| NonZeroUsize::new(count).unwrap_or(NonZeroUsize::MIN))
}

/// Parses the value of `--stack-size`.
pub(crate) fn stack_size(text: &str) -> Result<NonZeroUsize, String> {
    let Size(size) = text.parse()?;
    match NonZeroUsize::new(size) {
        Some(size) if size >= LEAST_STACK => Ok(size),
        _ => Err(format!("`{text}` is too small; write {} or more", Size(LEAST_STACK.get()))),
    }
}

/// The help of `--max-connections`.
pub(crate) fn max_connections_help() -> String {
    format!(
        "Maximum number of connected clients [default: the minimum of {}, the limit on open files − \
         {RESERVED} ({} with --admin), and what the backend can hold]",
        Limits::default().max_connections,
        RESERVED + admin::DESCRIPTORS
    )
}

/// The help of `--blocking-threads`.
pub(crate) fn blocking_threads_help() -> String {
    format!(
        "Maximum number of blocking handlers at once, on backends that have threads for them; further ones wait \
         [default: {BLOCKING_THREADS}]"
    )
}

/// An upper bound for what a built-in handler and a framing add to an echoed message.
const REPLY_AROUND: usize = 1024;

/// Workers never wait for a client, so more workers than cores are of no use; and a process that starts a hundred
/// thousand threads is aborted.
const MOST_WORKERS: NonZeroUsize = NonZeroUsize::new(1024).unwrap();

/// Each thread may use a stack and a handler's memory, so a larger number would do harm.
const MOST_BLOCKING_THREADS: NonZeroUsize = NonZeroUsize::new(16_384).unwrap();

/// The built-in handlers need half of it.
const LEAST_STACK: NonZeroUsize = NonZeroUsize::new(64 * 1024).unwrap();

#[cfg(test)]
mod tests {
    use clap::FromArgMatches;
    use handlers::HANDLERS;

    use super::*;
    use crate::arguments::{Arguments, Task};
    use crate::catalogue::Catalogue;
    use crate::program::Program;

    fn asked(arguments: &str, descriptors: usize) -> Result<Service, String> {
        let arguments = ["anyloop", "serve"].into_iter().chain(arguments.split_whitespace());
        let command = Catalogue::built_in().command(&Program::new());
        let matches = command.try_get_matches_from(arguments).unwrap();
        match Arguments::from_arg_matches(&matches).unwrap().task {
            Task::Serve(arguments) => service(&arguments, descriptors).map_err(|failure| failure.to_string()),
            _ => unreachable!(),
        }
    }

    #[test]
    fn every_listed_handler_can_be_served() {
        for handler in HANDLERS {
            assert!(asked(&format!("--handler {}", handler.name), 1024).is_ok(), "{}", handler.name);
        }
    }

    #[test]
    fn without_flags_the_limits_are_the_defaults() {
        assert_eq!(asked("", 1_000_000).unwrap().limits, Limits::default());
    }

    #[test]
    fn the_maximum_of_connections_depends_on_open_files_and_backend() {
        let connections =
            |flags: &str, descriptors| Ok::<_, String>(asked(flags, descriptors)?.limits.max_connections);
        assert_eq!(connections("", 1024), Ok(960));
        assert_eq!(connections("", 20), Ok(1));
        assert_eq!(connections("--admin 127.0.0.1:0", 1024), Ok(1024 - 113), "as docs/serve.md says");
        assert_eq!(connections("--backend sequential", 1024), Ok(1));
        assert_eq!(connections("--max-connections 960", 1024), Ok(960));
        assert_eq!(connections("--max-connections 20000", 1_000_000), Ok(20_000));
        let error = connections("--max-connections 961", 1024).unwrap_err();
        assert!(
            error.contains("961") && error.contains("write 960 or less") && error.contains("1025"),
            "{error}"
        );
        let error = connections("--backend sequential --max-connections 2", 1024).unwrap_err();
        assert!(error.contains("sequential can hold; write 1 or less"), "{error}");
    }

    #[test]
    fn a_message_of_any_allowed_length_can_be_echoed() {
        let limits = asked("--max-message 4MiB", 1024).unwrap().limits;
        assert!(limits.max_reply > limits.max_message);
    }

    #[test]
    fn an_idle_timeout_of_0_is_none() {
        assert_eq!(asked("--idle-timeout 0", 1024).unwrap().limits.idle_timeout, None);
    }

    #[test]
    fn the_number_of_workers_is_bounded() {
        assert_eq!(workers("1024").unwrap().get(), 1024);
        for (text, expected) in [
            ("0", "from 1 to 1024"),
            ("two", "from 1 to"),
            ("1025", "from 1 to 1024"),
            ("18446744073709551616", "from 1 to 1024"),
        ] {
            assert!(workers(text).unwrap_err().contains(expected), "{text}");
        }
    }

    #[test]
    fn a_stack_has_a_minimum_size() {
        assert_eq!(stack_size("64KiB").unwrap().get(), 65_536);
        assert!(stack_size("1").unwrap_err().contains("write 64KiB or more"));
    }
}
