//! `serve --show-config`: the effective limits, and the most memory that they allow.

use std::env;
use std::fmt::Display;
use std::thread;

use common::Service;
use serving::{BlockingHandlers, STACK_SIZE, Workers, worker_count};

use crate::arguments::{Serve, Tls};
use crate::quantity::Time;

/// The configuration of a service, as a line `name = value` for each setting, with sizes in bytes. The names are those of the
/// flags, if there is one. `#` begins a comment: in a line of its own, or the flag or variable that has set the value.
pub(crate) fn text(arguments: &Serve, service: &Service, origins: &[(String, String)]) -> String {
    let mut lines = Lines { origins, text: String::new() };
    lines.server(arguments, service);
    lines.limits(service);
    lines.memory(arguments, service);
    lines.text
}

struct Lines<'a> {
    /// The flags that were given, each with what has set it.
    origins: &'a [(String, String)],
    text: String,
}

impl Lines<'_> {
    fn comment(&mut self, text: &str) {
        self.text.push_str(&format!("# {text}\n"));
    }

    fn set(&mut self, name: &str, value: impl Display) {
        let origin = self.origins.iter().find(|(flag, _)| flag.strip_prefix("--") == Some(name));
        let origin = origin.map_or_else(String::new, |(_, origin)| format!(" # {origin}"));
        self.text.push_str(&format!("{name} = {value}{origin}\n"));
    }

    fn server(&mut self, arguments: &Serve, service: &Service) {
        let capabilities = arguments.backend.capabilities();
        self.set("backend", arguments.backend.name());
        self.set("handler", arguments.handler.name);
        if arguments.handler.is_framed() {
            self.set("framing", arguments.framing().name);
        }
        self.set("listen", &arguments.listen);
        self.set("expose", arguments.expose);
        self.tls(&arguments.tls);
        if let Some(proxies) = &arguments.proxy_from {
            self.set("proxy-from", proxies);
        }
        if let Some(address) = &arguments.admin.address {
            self.set("admin", address);
        }
        self.set("drain-delay", arguments.admin.drain_delay);
        match capabilities.workers {
            Workers::PerConnection => self.set("stack-size", stack_size(service)),
            workers => self.set("workers", threads(workers, service)),
        }
        if capabilities.blocking_handlers == BlockingHandlers::Offloaded {
            self.set("blocking-threads", service.blocking_thread_count());
        }
    }

    /// The flags of TLS that were given.
    fn tls(&mut self, tls: &Tls) {
        let files = [
            ("tls-cert", &tls.tls_cert),
            ("tls-key", &tls.tls_key),
            ("tls-certs", &tls.tls_certs),
            ("tls-client-ca", &tls.tls_client_ca),
        ];
        for (name, file) in files {
            if let Some(file) = file {
                self.set(name, file.display());
            }
        }
        if !tls.tls_alpn.is_empty() {
            self.set("tls-alpn", tls.tls_alpn.join(","));
        }
    }

    fn limits(&mut self, service: &Service) {
        let limits = &service.limits;
        self.set("max-connections", limits.max_connections);
        self.set("overload", limits.overload);
        self.set("max-message", limits.max_message);
        self.set("max-reply", limits.max_reply);
        self.set("idle-timeout", Time(limits.idle_timeout.unwrap_or_default()));
        self.set("message-timeout", Time(limits.message_timeout));
        self.set("write-timeout", Time(limits.write_timeout));
        self.set("min-rate", limits.min_rate);
        self.set("answer-timeout", Time(limits.answer_timeout));
        self.set("drain-timeout", Time(limits.drain_timeout));
        self.set("mailbox", limits.mailbox);
        self.set("mailbox-full", limits.mailbox_full);
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
        self.set("memory-per-client", client);
        self.set("memory-of-clients", clients);
        self.set("memory-of-stacks", stacks);
        self.set("memory", clients.saturating_add(stacks));
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
