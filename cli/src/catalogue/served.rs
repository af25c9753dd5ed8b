//! What can be served, and how it is made.

use std::ffi::OsString;
use std::fmt::{self, Display};
use std::sync::Arc;

use clap::Args;
use common::{Application, Blocking, Handler};
use load::plan::Expect;

use super::LoadOf;
use crate::failure::Failure;
use crate::flags::{Flags, Given};

/// Something that can be served: what `--handler` names.
#[derive(Clone)]
pub(crate) struct Served {
    pub(crate) name: &'static str,
    pub(crate) text: &'static str,
    pub(crate) what: What,
    /// The flags that it is made of, if there are any.
    pub(crate) flags: Option<Flags>,
    pub(crate) built_in: bool,
    pub(crate) load: LoadOf,
    /// What its replies should be, if its flags say so.
    pub(super) expect: Option<Replies>,
}

/// What is served.
#[derive(Clone)]
pub(crate) enum What {
    /// A handler, in any framing.
    Handler(Make<dyn Handler>),
    /// A protocol of its own, without a framing.
    Application(Make<dyn Application>),
}

/// Says what the replies should be, with the flags that are given.
type Replies = fn(&Given) -> Result<Expect, Failure>;

/// Makes what is served, of the flags that are given.
type Make<T> = Arc<dyn Fn(&Given) -> Result<Arc<T>, Failure> + Send + Sync>;

impl Served {
    /// One without flags, of which nothing is known: it replies anything to messages of the generator's making.
    pub(crate) fn new<T: ?Sized + 'static>(
        name: &'static str,
        text: &'static str,
        what: fn(Make<T>) -> What,
        make: impl Fn() -> Arc<T> + Send + Sync + 'static,
    ) -> Self {
        let what = what(Arc::new(move |_| Ok(make())));
        Self { name, text, what, flags: None, built_in: false, load: LoadOf::unknown(), expect: None }
    }

    /// The same of one that is made of flags, and perhaps can't be made.
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
        Self { name, text, what, flags, built_in: false, load: LoadOf::unknown(), expect: None }
    }

    /// Whether a framing tells where its messages end.
    pub(crate) fn is_framed(&self) -> bool {
        !matches!(self.what, What::Application(_))
    }

    /// Whether load can be made for it.
    pub(crate) fn can_be_loaded(&self) -> bool {
        self.is_framed() || self.load.framing.is_some()
    }

    /// What load is made for it with these flags.
    pub(crate) fn load(&self, given: &Given) -> Result<LoadOf, Failure> {
        let expect = self.expect.map(|expect| expect(given)).transpose()?;
        let load = self.load.clone();
        Ok(LoadOf { expect: expect.unwrap_or(load.expect), ..load })
    }

    /// The arguments that give its flags to another process. With `hidden`, also those whose values are secrets.
    pub(crate) fn arguments(&self, given: &Given, hidden: bool) -> Vec<OsString> {
        self.flags.as_ref().map_or(Vec::new(), |flags| given.arguments(flags, hidden))
    }

    /// Whether a call of it may take long, with these flags.
    pub(crate) fn blocking(&self, given: &Given) -> Result<Blocking, Failure> {
        self.check_required(given)?;
        Ok(match &self.what {
            What::Handler(make) => make(given)?.blocking(),
            What::Application(make) => make(given)?.blocking(),
        })
    }

    /// Makes sure that the flags are given that it can't do without.
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
