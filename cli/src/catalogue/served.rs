//! What can be served, and how it is constructed.

use std::ffi::OsString;
use std::fmt::{self, Display};
use std::sync::Arc;

use clap::Args;
use common::{Application, Blocking, Handler};
use load::plan::Expect;

use super::Workload;
use crate::failure::Failure;
use crate::flags::{Flags, Given};

/// Something that can be served, which `--handler` selects.
#[derive(Clone)]
pub(crate) struct Served {
    pub(crate) name: &'static str,
    pub(crate) text: &'static str,
    pub(crate) what: What,
    /// The flags from which it is constructed, if any.
    pub(crate) flags: Option<Flags>,
    pub(crate) built_in: bool,
    pub(crate) load: Workload,
    /// Returns the expected replies, if they depend on its flags.
    pub(super) expect: Option<ExpectOf>,
}

/// What is served.
#[derive(Clone)]
pub(crate) enum What {
    /// A handler, in any framing.
    Handler(Make<dyn Handler>),
    /// A protocol without a framing.
    Application(Make<dyn Application>),
}

/// Returns the expected replies for these flags.
type ExpectOf = fn(&Given) -> Result<Expect, Failure>;

/// Constructs what is served from these flags.
type Make<T> = Arc<dyn Fn(&Given) -> Result<Arc<T>, Failure> + Send + Sync>;

impl Served {
    /// Something without flags, about which nothing is known: it gets generated messages and may reply anything.
    pub(crate) fn new<T: ?Sized + 'static>(
        name: &'static str,
        text: &'static str,
        what: fn(Make<T>) -> What,
        make: impl Fn() -> Arc<T> + Send + Sync + 'static,
    ) -> Self {
        let what = what(Arc::new(move |_| Ok(make())));
        Self { name, text, what, flags: None, built_in: false, load: Workload::unknown(), expect: None }
    }

    /// The same with flags, and a construction that may fail.
    pub(crate) fn of_flags<A: Args + 'static, T: ?Sized + 'static, E: Display>(
        name: &'static str,
        text: &'static str,
        what: fn(Make<T>) -> What,
        make: impl Fn(&A) -> Result<Arc<T>, E> + Send + Sync + 'static,
    ) -> Self {
        let what = what(Arc::new(move |given| {
            make(&given.read()?).map_err(|error| Failure::Unmade(error.to_string()))
        }));
        let flags = Some(Flags::of::<A>());
        Self { name, text, what, flags, built_in: false, load: Workload::unknown(), expect: None }
    }

    /// Whether it uses a framing.
    pub(crate) fn is_framed(&self) -> bool {
        !matches!(self.what, What::Application(_))
    }

    /// Whether the load generator can talk to it.
    pub(crate) fn can_be_loaded(&self) -> bool {
        self.is_framed() || self.load.framing.is_some()
    }

    /// How the load generator talks to it with these flags.
    pub(crate) fn load(&self, given: &Given) -> Result<Workload, Failure> {
        let expect = self.expect.map(|expect| expect(given)).transpose()?;
        let load = self.load.clone();
        Ok(Workload { expect: expect.unwrap_or(load.expect), ..load })
    }

    /// The arguments that pass its flags to another process. With `hidden`, also those with secret values.
    pub(crate) fn arguments(&self, given: &Given, hidden: bool) -> Vec<OsString> {
        self.flags.as_ref().map_or(Vec::new(), |flags| given.arguments(flags, hidden))
    }

    /// Whether its calls may block, with these flags.
    pub(crate) fn blocking(&self, given: &Given) -> Result<Blocking, Failure> {
        self.check_required(given)?;
        Ok(match &self.what {
            What::Handler(make) => make(given)?.blocking(),
            What::Application(make) => make(given)?.blocking(),
        })
    }

    /// Checks that its required flags are given.
    pub(crate) fn check_required(&self, given: &Given) -> Result<(), Failure> {
        match self.flags.as_ref().and_then(|flags| given.missing(flags)) {
            Some(flag) => Err(Failure::Usage(format!("{} needs {flag}; add it", self.name))),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
