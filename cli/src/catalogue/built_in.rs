//! The built-in handlers, and their flags.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use common::Handler;
use handlers::{Ack, Counter, Description, Echo, Fanout, HANDLERS, Language, Load, Work};
use load::plan::Expect;

use super::{Served, What};
use crate::locale;
use crate::quantity::Time;

/// The built-in handlers, in the order in which they are listed.
pub(super) fn handlers() -> Vec<Served> {
    HANDLERS.iter().map(handler).collect()
}

fn handler(&Description { name, text, .. }: &Description) -> Served {
    let mut served = match name {
        "counter" => Served::of_flags(name, text, What::Handler, CounterFlags::handler),
        "ack" => Served::new(name, text, What::Handler, || Arc::new(Ack)),
        "echo" => Served::new(name, text, What::Handler, || Arc::new(Echo)),
        "fanout" => Served::new(name, text, What::Handler, || Arc::new(Fanout::default())),
        "work" => Served::of_flags(name, text, What::Handler, WorkFlags::handler),
        name => unreachable!("the built-in handler `{name}` has no constructor"),
    };
    served.built_in = true;
    served.load.expect = match name {
        "counter" => replies(locale::language()),
        "ack" => Expect::Ack,
        "fanout" => Expect::Ok,
        _ => Expect::Echo,
    };
    if name == "counter" {
        served.expect = Some(|given| given.read::<CounterFlags>().map(|flags| replies(flags.language())));
    }
    served
}

/// The replies of `counter`.
fn replies(language: Language) -> Expect {
    match language {
        Language::Chinese => Expect::Counter,
        Language::English => Expect::CounterEnglish,
    }
}

#[derive(Args)]
struct CounterFlags {
    /// Language of the handler `counter` [default: zh if the locale (LC_ALL, LC_MESSAGES, LANG) is Chinese,
    /// else en]
    #[arg(long, value_parser = languages())]
    language: Option<Language>,
}

impl CounterFlags {
    fn language(&self) -> Language {
        self.language.unwrap_or_else(locale::language)
    }

    fn handler(&self) -> Result<Arc<dyn Handler>, Infallible> {
        Ok(Arc::new(Counter::default().with_language(self.language())))
    }
}

#[derive(Args)]
struct WorkFlags {
    #[arg(long, value_name = "LOAD", value_parser = load, help = work_help())]
    work: Option<Load>,
}

impl WorkFlags {
    fn handler(&self) -> Result<Arc<dyn Handler>, Infallible> {
        Ok(Arc::new(Work::new(self.work.unwrap_or(WORK))))
    }
}

fn languages() -> impl TypedValueParser<Value = Language> {
    PossibleValuesParser::new(["zh", "en"])
        .map(|name| if name == "en" { Language::English } else { Language::Chinese })
}

/// Parses the value of `--work`.
fn load(text: &str) -> Result<Load, String> {
    let invalid = || {
        format!(
            "`{text}` is not valid work; write cpu:TIME, block:TIME or wait:TIME, such as cpu:50us or block:2ms"
        )
    };
    let (kind, time) = text.split_once(':').ok_or_else(invalid)?;
    let load = match kind {
        "cpu" => Load::Cpu,
        "block" => Load::Block,
        "wait" => Load::Wait,
        _ => return Err(invalid()),
    };
    time.parse().map(|Time(time)| load(time))
}

/// The help of `--work`.
fn work_help() -> String {
    let default = match WORK {
        Load::Cpu(time) => format!("cpu:{}", Time(time)),
        Load::Block(time) => format!("block:{}", Time(time)),
        Load::Wait(time) => format!("wait:{}", Time(time)),
    };
    format!(
        "Work of the handler `work` for each message: cpu:TIME computes, block:TIME sleeps, wait:TIME answers later [default: {default}]"
    )
}

/// The default work of the handler `work`: a short computation, which every backend runs on its workers.
const WORK: Load = Load::Cpu(Duration::from_micros(50));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_parsed() {
        assert_eq!(load("cpu:50us"), Ok(Load::Cpu(Duration::from_micros(50))));
        assert_eq!(load("block:2ms"), Ok(Load::Block(Duration::from_millis(2))));
        assert_eq!(load("wait:1s"), Ok(Load::Wait(Duration::from_secs(1))));
        for text in ["", "cpu", "disk:2ms", ":2ms"] {
            assert!(load(text).unwrap_err().contains("cpu:50us"), "{text}");
        }
        assert!(load("cpu:5").unwrap_err().contains("no unit"));
    }
}
