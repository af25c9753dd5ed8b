//! The command, and the methods that extend it.

mod run;

use std::fmt::{self, Display};
use std::iter;
use std::sync::Arc;
use std::time::Duration;

use ::load::framing as generator;
use ::load::plan::{Expect, MessageHook, ReplyHook};
use clap::Args;
use common::{Application, Codec, Handler, Limits, Service};
use serving::Backend;

use crate::catalogue::{Catalogue, Framing, Served, What, check_name};
use crate::program::Program;
use crate::quantity::Time;
use crate::serve::Configure;

/// The command `anyloop`, to which backends, handlers, framings and protocols can be added; or a product with its own
/// name, flags and handlers.
///
/// Each backend, handler and framing has a name, by which the command line selects it. If a single handler is added, it
/// is the default of `--handler`.
///
/// # Panics
/// The methods that add something panic if its name is taken, or has characters other than letters, digits and hyphens;
/// those that add flags, if one has no long name, or has the name of another flag of `serve` or `compare`. These are
/// mistakes in the program, which its first start reveals.
#[must_use = "it does nothing until it is run"]
pub struct Command {
    catalogue: Catalogue,
    program: Program,
    configure: Option<Configure>,
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut command = f.debug_struct("Command");
        command.field("program", &self.program).finish_non_exhaustive()
    }
}

impl Command {
    /// The command with the built-in backends, handlers and framings.
    pub fn new() -> Self {
        Self { catalogue: Catalogue::built_in(), program: Program::new(), configure: None }
    }

    /// Sets the name of the program, which its help, manual, completions, errors, log and receipt show. Its environment
    /// variables begin with the name in capitals: `shoutd` has `SHOUTD_SERVE_LISTEN`. `compare` writes to the folder
    /// `shoutd-report`.
    ///
    /// The default is the name of the executable file, with variables that begin with `ANYLOOP_`.
    ///
    /// # Panics
    /// If it has characters other than letters, digits and hyphens.
    #[track_caller]
    pub fn name(mut self, name: &'static str) -> Self {
        check_name("program", name, iter::empty());
        self.program.set_name(name);
        self
    }

    /// Sets the first line of the help: in a few words, what the program is for.
    pub fn about(mut self, text: &'static str) -> Self {
        self.program.about = Some(text);
        self
    }

    /// Sets the version that `--version`, the log and the receipt show, such as `env!("CARGO_PKG_VERSION")`. The
    /// default of `--version` is the version of anyloop.
    pub fn version(mut self, version: &'static str) -> Self {
        self.program.version = Some(version);
        self
    }

    /// Removes the built-in handlers and their flags, but not the backends and framings. The default of `--handler` is
    /// then the handler that was added first. The names of the built-in handlers and flags may be used again.
    pub fn without_builtins(mut self) -> Self {
        self.catalogue.remove_built_in();
        self
    }

    /// Sets the default of `--handler`.
    ///
    /// # Panics
    /// [`run`](Self::run) panics if there is no handler or application with this name.
    pub fn default_handler(mut self, name: &'static str) -> Self {
        self.catalogue.set_default(name);
        self
    }

    /// Sets the default of `--idle-timeout`; `None` if clients may be idle for ever.
    pub fn default_idle_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.catalogue.set_default_idle_timeout(Time(timeout.into().unwrap_or_default()));
        self
    }

    /// Changes the service before `serve` starts it, for example to set what determines whether the server is
    /// [ready](Service::with_ready_check), which the log of the statistics shows. It is called once, after the handler was made
    /// and with the limits that the flags have set.
    ///
    /// ```no_run
    /// use std::process::ExitCode;
    /// use std::sync::Arc;
    /// use std::time::Duration;
    ///
    /// use anyloop::handlers::Echo;
    /// use anyloop::{Exchange, LocalExchange};
    ///
    /// fn main() -> ExitCode {
    ///     let exchange = Arc::new(LocalExchange::new());
    ///     anyloop_cli::Command::new()
    ///         .name("chatd")
    ///         .handler("chat", "talk to each other", || Arc::new(Echo))
    ///         .default_idle_timeout(Duration::from_secs(3600))
    ///         .configure(move |service| {
    ///             let exchange = Arc::clone(&exchange);
    ///             service.with_ready_check(move || exchange.is_ready())
    ///         })
    ///         .run()
    /// }
    /// ```
    pub fn configure(mut self, change: impl Fn(Service) -> Service + Send + Sync + 'static) -> Self {
        self.configure = Some(Box::new(change));
        self
    }

    /// Adds a backend, under its own name.
    #[track_caller]
    pub fn backend(mut self, backend: &'static dyn Backend) -> Self {
        self.catalogue.add_backend(backend);
        self
    }

    /// Adds a handler, which can be served in any framing: its name, what it does in a few words, and its constructor.
    /// `load` and `compare` send it generated messages, and accept any reply, one for each message, and no greeting.
    /// Call [`replies`](Self::replies), [`messages`](Self::messages) or [`expecting`](Self::expecting) afterwards to
    /// change that.
    #[track_caller]
    pub fn handler<M>(mut self, name: &'static str, text: &'static str, make: M) -> Self
    where
        M: Fn() -> Arc<dyn Handler> + Send + Sync + 'static,
    {
        self.catalogue.add_served(Served::new(name, text, What::Handler, make));
        self
    }

    /// Adds a handler that has flags, or whose construction may fail. `A` is the type of the flags; `()` means no
    /// flags.
    ///
    /// `serve` and `compare` take the flags, under a separate heading. Each needs a long name, and has an environment
    /// variable: for `--database` of `shoutd` that is `SHOUTD_SERVE_DATABASE`, unless `#[arg(env = "…")]` sets another.
    /// `compare` passes its flags to its servers as arguments, which other users of the machine can see; the report
    /// shows them, except for those that `hide_env_values` marks as secret.
    ///
    /// `serve` calls `make` before it listens, and `compare` before it starts a server, to find out whether the handler
    /// [may block](Handler::blocking). An error ends the program with exit code 1 and one line on standard error: the
    /// name of the program, and the error. `compare` quotes such an error of a server.
    ///
    /// ```no_run
    /// use std::path::PathBuf;
    /// use std::process::ExitCode;
    /// use std::sync::Arc;
    /// use std::{fs, io};
    ///
    /// use anyloop::{Handler, Client, Replies, Session};
    /// use anyloop_cli::clap;
    /// # use anyloop::Flow;
    /// # struct Talk;
    /// # impl Session for Talk {
    /// #     fn message(&mut self, _: &[u8], _: &mut Replies<'_>) -> Flow { Flow::Continue }
    /// # }
    ///
    /// #[derive(clap::Args)]
    /// struct Flags {
    ///     /// File with the message of the day
    ///     #[arg(long, value_name = "FILE")]
    ///     motd: PathBuf,
    /// }
    ///
    /// struct Chat {
    ///     motd: String,
    /// }
    ///
    /// impl Chat {
    ///     fn open(flags: &Flags) -> io::Result<Arc<dyn Handler>> {
    ///         Ok(Arc::new(Self { motd: fs::read_to_string(&flags.motd)? }))
    ///     }
    /// }
    ///
    /// impl Handler for Chat {
    ///     fn open(&self, _client: &Client, out: &mut Replies<'_>) -> Box<dyn Session> {
    ///         out.send(self.motd.as_bytes());
    ///         // …
    /// #       Box::new(Talk)
    ///     }
    /// }
    ///
    /// fn main() -> ExitCode {
    ///     anyloop_cli::Command::new().name("chatd").try_handler("chat", "talk to each other", Chat::open).run()
    /// }
    /// ```
    #[track_caller]
    pub fn try_handler<A, E, M>(mut self, name: &'static str, text: &'static str, make: M) -> Self
    where
        A: Args + 'static,
        E: Display,
        M: Fn(&A) -> Result<Arc<dyn Handler>, E> + Send + Sync + 'static,
    {
        self.catalogue.add_served(Served::of_flags(name, text, What::Handler, make));
        self
    }

    /// Adds a framing: its name, its description in a few words, and the constructor of the codec for a client.
    #[track_caller]
    pub fn framing<C, M>(mut self, name: &'static str, text: &'static str, new: M) -> Self
    where
        C: Codec,
        M: Fn(&Limits) -> C + Clone + Send + Sync + 'static,
    {
        self.catalogue.add_framing(Framing::of(name, text, new));
        self
    }

    /// Adds a protocol without a framing, which `--handler` selects as well. For `load` and `compare`, call
    /// [`load_framing`](Self::load_framing) afterwards to define how the load generator parses its replies, and
    /// [`messages`](Self::messages) to define what is sent.
    #[track_caller]
    pub fn application<M>(mut self, name: &'static str, text: &'static str, make: M) -> Self
    where
        M: Fn() -> Arc<dyn Application> + Send + Sync + 'static,
    {
        self.catalogue.add_served(Served::new(name, text, What::Application, make));
        self
    }

    /// Adds a protocol that has flags, or whose construction may fail, as [`try_handler`](Self::try_handler) adds a
    /// handler.
    #[track_caller]
    pub fn try_application<A, E, M>(mut self, name: &'static str, text: &'static str, make: M) -> Self
    where
        A: Args + 'static,
        E: Display,
        M: Fn(&A) -> Result<Arc<dyn Application>, E> + Send + Sync + 'static,
    {
        self.catalogue.add_served(Served::of_flags(name, text, What::Application, make));
        self
    }

    /// Sets the expected replies of the handler or application that was added last: [`Expect::Greeted`] if it greets,
    /// [`Expect::Echo`] if it returns each message, so that `load` and `compare` can verify every byte.
    ///
    /// # Panics
    /// If no handler or application was added.
    #[track_caller]
    pub fn replies(mut self, expect: Expect) -> Self {
        self.catalogue.last_own().load.expect = expect;
        self
    }

    /// Sets the messages that `load` and `compare` send to the handler or application that was added last, in place of
    /// generated ones. The function gets the number of the connection, the number of the message within that
    /// connection, each from 0, and an empty buffer. It writes the payload of the message into the buffer; for an
    /// application whose [`load_framing`](Self::load_framing) is `Resp` or `Http`, the whole encoded request. It is
    /// called once for each message, by several threads concurrently.
    ///
    /// # Panics
    /// If no handler or application was added.
    #[track_caller]
    pub fn messages(mut self, write: impl Fn(u32, u64, &mut Vec<u8>) + Send + Sync + 'static) -> Self {
        self.catalogue.last_own().load.messages = Some(MessageHook::new(write));
        self
    }

    /// Sets a function that checks the replies of the handler or application that was added last. It gets the message
    /// and the reply, in the form that [`messages`](Self::messages) describes. It is not called for a greeting
    /// ([`replies`](Self::replies)) or for an error reply, which counts as refused.
    ///
    /// # Panics
    /// If no handler or application was added.
    #[track_caller]
    pub fn expecting(mut self, judge: impl Fn(&[u8], &[u8]) -> bool + Send + Sync + 'static) -> Self {
        self.catalogue.last_own().load.judge = Some(ReplyHook::new(judge));
        self
    }

    /// Sets how the load generator parses the replies of the application that was added last:
    /// [`LoadFraming::Resp`](generator::Framing::Resp), [`LoadFraming::Http`](generator::Framing::Http),
    /// [`LoadFraming::Line`](generator::Framing::Line), or a codec by [`LoadFraming::of`](generator::Framing::of).
    ///
    /// # Panics
    /// If what was added last is a handler, whose framing the command line selects, or if nothing was added.
    #[track_caller]
    pub fn load_framing(mut self, framing: generator::Framing) -> Self {
        let last = self.catalogue.last_own();
        assert!(!last.is_framed(), "`{}` is a handler, whose framing --framing selects", last.name);
        last.load.framing = Some(framing);
        self
    }
}

impl Default for Command {
    fn default() -> Self {
        Self::new()
    }
}
