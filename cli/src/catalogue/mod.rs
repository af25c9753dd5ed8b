//! What there is to choose from: backends, handlers and framings, the built-in ones and one's own.

mod load_of;
mod values;

use std::fmt;
use std::sync::Arc;

use common::{Application, Codec, FramedHandler, Handler, Length, Limits, Line, Raw};
use handlers::{HANDLERS, Language};
use load::framing as generator;
use load::plan::Expect;
use registry::BACKENDS;
use serving::Backend;

pub(crate) use load_of::LoadOf;

use crate::locale;

/// What there is to choose from, in the order in which it is listed.
pub(crate) struct Catalogue {
    pub(crate) backends: Vec<&'static dyn Backend>,
    pub(crate) served: Vec<Served>,
    pub(crate) framings: Vec<Framing>,
}

/// Something that can be served: what `--handler` names.
#[derive(Clone)]
pub(crate) struct Served {
    pub(crate) name: &'static str,
    pub(crate) text: &'static str,
    pub(crate) what: What,
    pub(crate) load: LoadOf,
}

/// What is served.
#[derive(Clone)]
pub(crate) enum What {
    /// A built-in handler, which has flags of its own.
    BuiltIn,
    /// Somebody's handler, in any framing.
    Handler(Arc<dyn Fn() -> Arc<dyn Handler> + Send + Sync>),
    /// A protocol of its own, without a framing.
    Application(Arc<dyn Fn() -> Arc<dyn Application> + Send + Sync>),
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
        let served = HANDLERS.map(|handlers::Description { name, text }| {
            let expect = match name {
                // A server of `compare` has this program's locale.
                "counter" => match locale::language() {
                    Language::Chinese => Expect::Counter,
                    Language::English => Expect::CounterEnglish,
                },
                "ack" => Expect::Ack,
                _ => Expect::Echo,
            };
            let served = Served::new(name, text, What::BuiltIn);
            Served { load: LoadOf { expect, ..served.load }, ..served }
        });
        Self { backends: BACKENDS.to_vec(), served: served.into(), framings: Framing::built_in().into() }
    }

    /// Adds a backend.
    #[track_caller]
    pub(crate) fn add_backend(&mut self, backend: &'static dyn Backend) {
        check("backend", backend.name(), self.backends.iter().map(|backend| backend.name()));
        self.backends.push(backend);
    }

    /// Adds something that can be served.
    #[track_caller]
    pub(crate) fn add_served(&mut self, served: Served) {
        check("handler", served.name, self.served.iter().map(|served| served.name));
        self.served.push(served);
    }

    /// Adds a framing.
    #[track_caller]
    pub(crate) fn add_framing(&mut self, framing: Framing) {
        check("framing", framing.name, self.framings.iter().map(|framing| framing.name));
        self.framings.push(framing);
    }

    /// The handler or application that was added last.
    #[track_caller]
    pub(crate) fn last_own(&mut self) -> &mut Served {
        let last = self.served.last_mut().filter(|served| !matches!(served.what, What::BuiltIn));
        last.unwrap_or_else(|| {
            panic!("this is said behind `handler` or `application`, of what that has added")
        })
    }

    /// The one that is not built in, if there is exactly one: then it is the default.
    fn only_own(&self) -> Option<&Served> {
        let mut own = self.served.iter().filter(|served| !matches!(served.what, What::BuiltIn));
        own.next().filter(|_| own.next().is_none())
    }
}

/// A mistake of whoever writes the program, which its first start shows.
#[track_caller]
fn check(what: &str, name: &str, mut taken: impl Iterator<Item = &'static str>) {
    let letter = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
    let is_word = name.starts_with(|first: char| first.is_ascii_alphanumeric()) && name.chars().all(letter);
    assert!(is_word, "`{name}` is no name for a {what}; take letters, digits and hyphens");
    assert!(!taken.any(|one| one == name), "there is a {what} `{name}` already; give this one another name");
}

impl Served {
    /// One of which nothing is known: it replies anything to messages of the generator's making.
    pub(crate) fn new(name: &'static str, text: &'static str, what: What) -> Self {
        Self { name, text, what, load: LoadOf::unknown() }
    }

    /// Whether a framing tells where its messages end.
    pub(crate) fn is_framed(&self) -> bool {
        !matches!(self.what, What::Application(_))
    }

    /// Whether load can be made for it.
    pub(crate) fn can_be_loaded(&self) -> bool {
        self.is_framed() || self.load.framing.is_some()
    }
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
        common::Framing::ALL.map(|framing| match framing {
            common::Framing::Line => Self::of(framing.name(), "any bytes up to a line end", Line::new),
            common::Framing::Length => Self::of(
                framing.name(),
                "a length (32 bits, most significant byte first), and so many bytes",
                Length::new,
            ),
            common::Framing::Raw => Self::of(framing.name(), "what has arrived: no framing at all", Raw::new),
        })
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

impl fmt::Debug for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl fmt::Debug for Framing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

#[cfg(test)]
mod tests;
