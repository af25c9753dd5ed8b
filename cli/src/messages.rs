//! The user's own messages for `load` and `compare`.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use load::framing::Framing;
use load::plan::{Expect, Messages};

use crate::failure::Failure;

/// The user's own messages.
#[derive(Args, Debug)]
#[group(skip)]
pub(crate) struct Own {
    /// Message to send; can be repeated, and each connection sends them in turn: a line in `line`, words as for
    /// redis-cli in `resp`, `GET /path` in `http`
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true, conflicts_with_all = ["messages", "message_size"])]
    message: Vec<String>,

    /// File with a message on each line, to send in turn; `-` is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "message_size")]
    messages: Option<PathBuf>,
}

impl Own {
    /// The file that the messages are read from.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.messages.as_deref()
    }

    /// The messages in a framing, if there are any.
    pub(crate) fn encoded(&self, framing: Framing) -> Result<Option<Messages>, Failure> {
        let encoded = match &self.messages {
            Some(file) => from_file(file, framing)?,
            None => self
                .message
                .iter()
                .map(|text| framing.encode(text))
                .collect::<Result<_, _>>()
                .map_err(|error| Failure::Usage(format!("--message: {error}")))?,
        };
        Ok((!encoded.is_empty()).then(|| Messages::Own(encoded.into())))
    }
}

/// The messages of a file, one on each line.
fn from_file(file: &Path, framing: Framing) -> Result<Vec<Vec<u8>>, Failure> {
    let wrong = |why: &dyn std::fmt::Display| Failure::Usage(format!("--messages {}: {why}", file.display()));
    let text = read(file).map_err(|error| wrong(&error))?;
    let line = |(number, text): (usize, &str)| {
        framing.encode(text).map_err(|error| wrong(&format!("line {}: {error}", number + 1)))
    };
    let messages: Vec<_> = text.lines().enumerate().map(line).collect::<Result<_, _>>()?;
    if messages.is_empty() {
        return Err(wrong(&"it is empty; write a message on each line"));
    }
    Ok(messages)
}

/// The text of a file.
///
/// # Errors
/// If it can't be read, or is not UTF-8.
fn read(file: &Path) -> io::Result<String> {
    if file != Path::new("-") {
        return fs::read_to_string(file);
    }
    let mut text = String::new();
    io::stdin().read_to_string(&mut text).map(|_| text)
}

/// The values of `--expect`; with `built_in`, also the replies of built-in handlers.
pub(crate) fn expects(built_in: bool) -> impl TypedValueParser<Value = Expect> {
    let of_handlers = [
        PossibleValue::new("counter").help("the replies of the handler `counter`, in Chinese"),
        PossibleValue::new("counter-en").help("the replies of the handler `counter`, in English"),
        PossibleValue::new("ack").help("the replies of the handler `ack`"),
        PossibleValue::new("ok").help("`ok` for each message: the replies of the handler `fanout`"),
    ];
    let mut values = vec![PossibleValue::new("echo").help("the message itself")];
    values.extend(of_handlers.into_iter().filter(|_| built_in));
    values.extend([
        PossibleValue::new("any").help("any reply for each message, and no greeting: counted, not verified"),
        PossibleValue::new("greeted")
            .help("any greeting, and then any reply for each message: counted, not verified"),
    ]);
    PossibleValuesParser::new(values).map(|name| match name.as_str() {
        "echo" => Expect::Echo,
        "counter" => Expect::Counter,
        "counter-en" => Expect::CounterEnglish,
        "ack" => Expect::Ack,
        "ok" => Expect::Ok,
        "greeted" => Expect::Greeted,
        _ => Expect::Any,
    })
}
