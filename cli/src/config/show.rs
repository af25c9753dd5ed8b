//! The output of `serve --show-config`: the effective limits, and the most memory that they allow; and that of `--check`.

use std::env;
use std::thread;

use common::Service;
use serving::{BlockingHandlers, STACK_SIZE, Workers, worker_count};

use super::file::ONCE;
use crate::arguments::{Configuration, Serve};
use crate::quantity::Time;
use crate::usage::Origin;

/// The configuration of a service, as a file for `--config`: a line `name = value` for each setting, with sizes in bytes.
/// `#` begins a comment: a setting that is no flag or that the backend doesn't take, or what has set the value.
pub(crate) fn text(arguments: &Serve, service: &Service, origins: &[Origin]) -> String {
    let mut lines = Lines { origins, shown: Vec::new(), text: String::new() };
    lines.server(arguments, service);
    lines.limits(arguments, service);
    lines.others();
    lines.memory(arguments, service);
    lines.text
}

/// What `--check` says of a configuration without an error.
pub(crate) fn checked(configuration: &Configuration) -> String {
    match &configuration.config {
        Some(file) => format!("{} is valid\n", file.display()),
        None => "the configuration is valid\n".to_owned(),
    }
}

struct Lines<'a> {
    /// The flags that were given.
    origins: &'a [Origin],
    /// The flags that were shown.
    shown: Vec<&'static str>,
    text: String,
}

impl Lines<'_> {
    fn comment(&mut self, text: &str) {
        self.text.push_str(&format!("# {text}\n"));
    }

    /// Shows a setting that is a flag. It becomes a comment if the backend doesn't take it.
    fn set(&mut self, name: &'static str, value: impl Value, taken: bool) {
        let origin = self.origins.iter().find(|origin| origin.flag.strip_prefix("--") == Some(name));
        let set_by = origin.map_or_else(String::new, |origin| format!(" # {}", origin.set_by));
        let before = if taken || origin.is_some() { "" } else { "# " };
        self.text.push_str(&format!("{before}{name} = {}{set_by}\n", value.toml()));
        self.shown.push(name);
    }

    /// Shows a setting that is no flag.
    fn note(&mut self, name: &str, value: usize) {
        self.comment(&format!("{name} = {value}"));
    }

    /// Shows the other flags that were given.
    fn others(&mut self) {
        for origin in self.origins {
            let name = origin.flag.trim_start_matches('-');
            if self.shown.contains(&name) || ONCE.contains(&name) {
                continue;
            }
            let set_by = &origin.set_by;
            let line = match (origin.is_secret, origin.values.as_deref()) {
                (true, _) => format!("# {name} is secret, and not shown # {set_by}\n"),
                (_, None) => format!("{name} = true # {set_by}\n"),
                (_, Some([value])) => format!("{name} = {} # {set_by}\n", value.as_str().toml()),
                (_, Some(values)) => {
                    let values: Vec<_> = values.iter().map(|value| value.as_str().toml()).collect();
                    format!("{name} = [{}] # {set_by}\n", values.join(", "))
                }
            };
            self.text.push_str(&line);
        }
    }

    fn server(&mut self, arguments: &Serve, service: &Service) {
        let capabilities = arguments.backend.capabilities();
        self.set("backend", arguments.backend.name(), true);
        self.set("handler", arguments.handler.name, true);
        if arguments.handler.is_framed() {
            self.set("framing", arguments.framing().name, true);
        }
        self.set("listen", arguments.listen.to_string().as_str(), true);
        self.set("expose", arguments.expose, true);
        if let Some(proxies) = &arguments.proxy_from {
            self.set("proxy-from", proxies.to_string().as_str(), true);
        }
        if let Some(address) = &arguments.admin.address {
            self.set("admin", address.to_string().as_str(), true);
        }
        self.set("drain-delay", arguments.admin.drain_delay, true);
        match capabilities.workers {
            Workers::PerConnection => self.set("stack-size", stack_size(service), true),
            workers => self.set("workers", threads(workers, service), workers == Workers::Chosen),
        }
        if capabilities.blocking_handlers == BlockingHandlers::Offloaded {
            self.set("blocking-threads", service.blocking_thread_count(), true);
        }
    }

    fn limits(&mut self, arguments: &Serve, service: &Service) {
        let limits = &service.limits;
        let takes_overload = arguments.backend.capabilities().max_connections != Some(1);
        self.set("max-connections", limits.max_connections, true);
        self.set("overload", limits.overload.to_string().as_str(), takes_overload);
        self.set("max-message", limits.max_message, true);
        self.note("max-reply", limits.max_reply);
        self.set("idle-timeout", Time(limits.idle_timeout.unwrap_or_default()), true);
        self.set("message-timeout", Time(limits.message_timeout), true);
        self.set("write-timeout", Time(limits.write_timeout), true);
        self.set("min-rate", limits.min_rate, true);
        self.set("answer-timeout", Time(limits.answer_timeout), true);
        self.set("drain-timeout", Time(limits.drain_timeout), true);
        self.set("mailbox", limits.mailbox, true);
        self.set("mailbox-full", limits.mailbox_full.to_string().as_str(), true);
    }

    fn memory(&mut self, arguments: &Serve, service: &Service) {
        let capabilities = arguments.backend.capabilities();
        let connections = service.limits.max_connections;
        let client = service.memory_bound().saturating_add(capabilities.read_ahead);
        let clients = client.saturating_mul(connections);
        let stacks = match capabilities.workers {
            Workers::PerConnection => connections.saturating_mul(stack_size(service)),
            workers => threads(workers, service).saturating_mul(STACK_SIZE),
        };
        let offloaded = match capabilities.blocking_handlers {
            BlockingHandlers::Offloaded => service.blocking_thread_count().saturating_mul(STACK_SIZE),
            _ => 0,
        };
        let stacks = stacks.saturating_add(offloaded);
        self.comment(
            "The most memory for the buffers of a client and of all clients, and for the stacks of all threads. What the \
             handler keeps and the kernel's socket buffers are not included.",
        );
        self.note("memory-per-client", client);
        self.note("memory-of-clients", clients);
        self.note("memory-of-stacks", stacks);
        self.note("memory", clients.saturating_add(stacks));
    }
}

/// A value in TOML.
trait Value {
    fn toml(&self) -> String;
}

impl Value for bool {
    fn toml(&self) -> String {
        self.to_string()
    }
}

impl Value for usize {
    fn toml(&self) -> String {
        self.to_string()
    }
}

impl Value for Time {
    fn toml(&self) -> String {
        self.to_string().as_str().toml()
    }
}

impl Value for &str {
    fn toml(&self) -> String {
        let escape = |letter: char| match letter {
            '"' | '\\' => format!("\\{letter}"),
            letter if letter.is_control() => format!("\\u{:04x}", u32::from(letter)),
            letter => letter.to_string(),
        };
        format!("\"{}\"", self.chars().map(escape).collect::<String>())
    }
}

/// The size of the stack of a connection's thread.
fn stack_size(service: &Service) -> usize {
    service.stack_size.map_or(STACK_SIZE, Into::into)
}

/// How many threads serve, on a backend that doesn't have one for each connection.
fn threads(workers: Workers, service: &Service) -> usize {
    match workers {
        Workers::Caller => 1,
        // A runtime takes its number from there, or else that of the cores.
        Workers::Environment(variable) => {
            let said = env::var(variable).ok().and_then(|count| count.parse().ok());
            said.unwrap_or_else(|| thread::available_parallelism().map_or(1, Into::into))
        }
        _ => worker_count(service),
    }
}
