//! What there is to choose from: backends, handlers and framings, the built-in ones and one's own.

mod built_in;
mod load_of;
mod served;
mod values;

use std::fmt;
use std::sync::Arc;

use common::{Application, Codec, FramedHandler, Handler, Length, Limits, Line, Raw};
use load::framing as generator;
use registry::BACKENDS;
use serving::Backend;

pub(crate) use load_of::LoadOf;
pub(crate) use served::{Served, What};

use crate::failure::Failure;
use crate::flags::{Flags, Given};

/// What there is to choose from, in the order in which it is listed.
pub(crate) struct Catalogue {
    pub(crate) backends: Vec<&'static dyn Backend>,
    pub(crate) served: Vec<Served>,
    pub(crate) framings: Vec<Framing>,
    /// The handler that is served unless the command line names another.
    default: Option<&'static str>,
}

/// Where a message ends: what `--framing` names.
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
    /// What is built in.
    pub(crate) fn built_in() -> Self {
        Self {
            backends: BACKENDS.to_vec(),
            served: built_in::handlers(),
            framings: Framing::built_in().into(),
            default: None,
        }
    }

    /// Takes out the built-in handlers.
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

    /// Has a handler served unless the command line names another.
    pub(crate) fn set_default(&mut self, name: &'static str) {
        self.default = Some(name);
    }

    /// Makes sure that there is something to serve, and the one that is the default.
    pub(crate) fn check(&self) {
        assert!(!self.served.is_empty(), "there is no handler; add one, or keep the built-in ones");
        if let Some(name) = self.default {
            let is_there = self.served.iter().any(|served| served.name == name);
            assert!(is_there, "there is no handler `{name}` to be the default; add it, or name another");
        }
    }

    /// Makes sure that no flags are given that belong to another handler.
    pub(crate) fn check_flags(&self, handler: &Served, given: &Given) -> Result<(), Failure> {
        let is_other = |other: &Flags| handler.flags.as_ref().is_none_or(|own| !own.is_same(other));
        let others = self.served.iter().filter_map(|served| Some((served.name, served.flags.as_ref()?)));
        let mut others = others.filter(|(_, flags)| is_other(flags));
        match others.find_map(|(name, flags)| Some((name, given.first(flags)?))) {
            None => Ok(()),
            Some((name, flag)) => Err(Failure::Usage(format!(
                "--{flag} is for --handler {name}, and the handler is {}; leave out --{flag}, or choose --handler {name}",
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
                "this is said behind a method that adds a handler or an application, of what that has added"
            )
        })
    }

    /// The one that is served unless the command line names another.
    fn default(&self) -> Option<&Served> {
        self.preferred().or(self.served.first())
    }

    /// The default that the program names; or else the only one that is not built in; or else the first, if none is.
    fn preferred(&self) -> Option<&Served> {
        if let Some(name) = self.default {
            return self.served.iter().find(|served| served.name == name);
        }
        let mut own = self.served.iter().filter(|served| !served.built_in);
        let has_built_in = self.served.iter().any(|served| served.built_in);
        own.next().filter(|_| !has_built_in || own.next().is_none())
    }
}

/// A mistake of whoever writes the program, which its first start shows.
#[track_caller]
pub(crate) fn check_name(what: &str, name: &str, mut taken: impl Iterator<Item = &'static str>) {
    let letter = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
    let is_word = name.starts_with(|first: char| first.is_ascii_alphanumeric()) && name.chars().all(letter);
    assert!(is_word, "`{name}` is no name for a {what}; take letters, digits and hyphens");
    assert!(!taken.any(|one| one == name), "there is a {what} `{name}` already; give this one another name");
}

impl Framing {
    /// The framing of a codec. What makes the codecs is kept as long as the program runs.
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

    /// Those that are built in, the default first.
    pub(crate) fn built_in() -> [Self; 3] {
        let length = "a length (32 bits, most significant byte first), and so many bytes";
        [
            Self::of(common::Framing::Line.name(), "any bytes up to a line end", Line::new),
            Self::of(common::Framing::Length.name(), length, Length::new),
            Self::of(common::Framing::Raw.name(), "what has arrived: no framing at all", Raw::new),
        ]
    }

    /// Whether it tells for certain where a message ends.
    pub(crate) fn is_certain(self) -> bool {
        (self.codec)(&Limits::default()).framed()
    }

    /// The same for the load generator, which knows lines by itself.
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
