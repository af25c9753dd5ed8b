//! The available backends, handlers and framings: built-in and added ones.

mod built_in;
mod served;
mod values;
mod workload;

use std::fmt;
use std::sync::Arc;

use common::{Application, Codec, FramedHandler, Handler, Length, Limits, Line, Raw};
use load::framing as generator;
use registry::BACKENDS;
use serving::Backend;

pub(crate) use served::{Served, What};
pub(crate) use workload::Workload;

use crate::failure::Failure;
use crate::flags::{Flags, Given};
use crate::quantity::Time;

/// The available backends, handlers and framings, in the order of their lists.
pub(crate) struct Catalogue {
    pub(crate) backends: Vec<&'static dyn Backend>,
    pub(crate) served: Vec<Served>,
    pub(crate) framings: Vec<Framing>,
    /// The default handler, if the program sets one.
    default: Option<&'static str>,
    /// The default idle timeout, if the program sets one.
    idle_timeout: Option<Time>,
}

/// A framing, which `--framing` selects.
#[derive(Clone, Copy)]
pub(crate) struct Framing {
    pub(crate) name: &'static str,
    pub(crate) text: &'static str,
    /// Makes a codec.
    pub(crate) codec: &'static (dyn Fn(&Limits) -> Box<dyn Codec> + Send + Sync),
    /// Makes the application that serves a handler.
    pub(crate) application: &'static (dyn Fn(Arc<dyn Handler>) -> Arc<dyn Application> + Send + Sync),
}

impl Catalogue {
    /// The built-in catalogue.
    pub(crate) fn built_in() -> Self {
        Self {
            backends: BACKENDS.to_vec(),
            served: built_in::handlers(),
            framings: Framing::built_in().into(),
            default: None,
            idle_timeout: None,
        }
    }

    /// Removes the built-in handlers.
    pub(crate) fn remove_built_in(&mut self) {
        self.served.retain(|served| !served.built_in);
    }

    /// Adds a backend.
    #[track_caller]
    pub(crate) fn add_backend(&mut self, backend: &'static dyn Backend) {
        check_name("backend", backend.name(), self.backends.iter().map(|backend| backend.name()));
        self.backends.push(backend);
    }

    /// Adds something that can be served.
    #[track_caller]
    pub(crate) fn add_served(&mut self, served: Served) {
        check_name("handler", served.name, self.served.iter().map(|served| served.name));
        if let Some(flags) = &served.flags {
            let others = self.served.iter().filter_map(|other| Some((other.name, other.flags.as_ref()?)));
            flags.check(served.name, others);
        }
        self.served.push(served);
    }

    /// Sets the default handler.
    pub(crate) fn set_default(&mut self, name: &'static str) {
        self.default = Some(name);
    }

    /// Sets the default idle timeout.
    pub(crate) fn set_default_idle_timeout(&mut self, timeout: Time) {
        self.idle_timeout = Some(timeout);
    }

    /// Checks that there is a handler, and that the default exists.
    pub(crate) fn check(&self) {
        assert!(!self.served.is_empty(), "there is no handler; add one, or keep the built-in ones");
        if let Some(name) = self.default {
            let is_there = self.served.iter().any(|served| served.name == name);
            assert!(is_there, "there is no handler `{name}` to be the default; add it, or name another");
        }
    }

    /// Checks that no flags of another handler are given.
    pub(crate) fn check_flags(&self, handler: &Served, given: &Given) -> Result<(), Failure> {
        let is_other = |other: &Flags| handler.flags.as_ref().is_none_or(|own| !own.is_same(other));
        let others = self.served.iter().filter_map(|served| Some((served.name, served.flags.as_ref()?)));
        let mut others = others.filter(|(_, flags)| is_other(flags));
        match others.find_map(|(name, flags)| Some((name, given.first(flags)?))) {
            None => Ok(()),
            Some((name, flag)) => Err(Failure::Usage(format!(
                "--{flag} belongs to --handler {name}, but the handler is {}; leave out --{flag}, or choose --handler {name}",
                handler.name
            ))),
        }
    }

    /// Adds a framing.
    #[track_caller]
    pub(crate) fn add_framing(&mut self, framing: Framing) {
        check_name("framing", framing.name, self.framings.iter().map(|framing| framing.name));
        self.framings.push(framing);
    }

    /// The handler or application that was added last.
    #[track_caller]
    pub(crate) fn last_own(&mut self) -> &mut Served {
        let last = self.served.last_mut().filter(|served| !served.built_in);
        last.unwrap_or_else(|| {
            panic!(
                "this method must be called after a method that adds a handler or an application, which it configures"
            )
        })
    }

    /// The default of `serve`.
    fn default(&self) -> Option<&Served> {
        self.preferred().or(self.served.first())
    }

    /// The default that the program sets; otherwise the only one that isn't built in; otherwise the first, if none is
    /// built in.
    fn preferred(&self) -> Option<&Served> {
        if let Some(name) = self.default {
            return self.served.iter().find(|served| served.name == name);
        }
        let mut own = self.served.iter().filter(|served| !served.built_in);
        let has_built_in = self.served.iter().any(|served| served.built_in);
        own.next().filter(|_| !has_built_in || own.next().is_none())
    }
}

/// Panics if a name is invalid or taken: a mistake in the program, which its first start reveals.
#[track_caller]
pub(crate) fn check_name(what: &str, name: &str, mut taken: impl Iterator<Item = &'static str>) {
    let letter = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
    let is_word = name.starts_with(|first: char| first.is_ascii_alphanumeric()) && name.chars().all(letter);
    assert!(is_word, "`{name}` is not a valid name for a {what}; use letters, digits and hyphens");
    assert!(!taken.any(|one| one == name), "there is a {what} `{name}` already; choose another name");
}

impl Framing {
    /// The framing of a codec. The constructor is leaked, because it is used until the program ends.
    pub(crate) fn of<C, M>(name: &'static str, text: &'static str, new: M) -> Self
    where
        C: Codec,
        M: Fn(&Limits) -> C + Clone + Send + Sync + 'static,
    {
        let own = new.clone();
        Self {
            name,
            text,
            codec: Box::leak(Box::new(move |limits: &Limits| Box::new(own(limits)) as _)),
            application: Box::leak(Box::new(move |handler| {
                Arc::new(FramedHandler::new(handler, new.clone())) as _
            })),
        }
    }

    /// The built-in framings, the default first.
    pub(crate) fn built_in() -> [Self; 3] {
        let length = "a length prefix (32 bits, big-endian), and that number of bytes";
        [
            Self::of(common::Framing::Line.name(), "any bytes up to a line end", Line::new),
            Self::of(common::Framing::Length.name(), length, Length::new),
            Self::of(common::Framing::Raw.name(), "what has arrived: no framing", Raw::new),
        ]
    }

    /// Whether it has message boundaries.
    pub(crate) fn is_certain(self) -> bool {
        (self.codec)(&Limits::default()).framed()
    }

    /// The same framing for the load generator, which has its own implementation of lines.
    pub(crate) fn for_load(self) -> generator::Framing {
        if self.name == generator::Framing::Line.name() {
            generator::Framing::Line
        } else {
            generator::Framing::Codec { name: self.name, new: self.codec }
        }
    }
}

impl fmt::Debug for Framing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

#[cfg(test)]
mod tests;
