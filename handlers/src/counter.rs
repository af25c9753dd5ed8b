//! `counter`: numbers the messages.

use common::{Client, Flow, Handler, Replies, Session};

use crate::is_exit;

/// Greets, answers the n-th message with its number and itself, and ends on `exit`.
///
/// ```
/// use std::sync::Arc;
///
/// use anyloop::handlers::{Counter, Language};
/// use anyloop::testing::TestClient;
/// use anyloop::{Framing, Service};
///
/// let counter = Counter::default().with_language(Language::English);
/// let mut client = TestClient::connect(Service::framed(Arc::new(counter), Framing::Line));
/// client.say("hello\n");
/// assert_eq!(client.heard(), "Connected!\nMessage 1: hello\n");
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Counter {
    /// The language of the greeting and of the replies.
    pub language: Language,
}

/// The language of [`Counter`], whose example sets it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// Chinese, to the byte as in the tutorial: `連接成功!`, `第1條信息:hello`.
    #[default]
    Chinese,
    /// English: `Connected!`, `Message 1: hello`.
    English,
}

impl Counter {
    /// Sets the language.
    pub fn with_language(self, language: Language) -> Self {
        Self { language, ..self }
    }
}

struct Numbering {
    language: Language,
    framed: bool,
    number: u64,
}

impl Handler for Counter {
    fn open(&self, client: &Client, out: &mut Replies<'_>) -> Box<dyn Session> {
        out.send(match self.language {
            Language::Chinese => "連接成功!".as_bytes(),
            Language::English => b"Connected!",
        });
        Box::new(Numbering { language: self.language, framed: client.framed, number: 0 })
    }
}

impl Session for Numbering {
    fn message(&mut self, message: &[u8], out: &mut Replies<'_>) -> Flow {
        if is_exit(message, self.framed) {
            return Flow::Close;
        }
        if std::str::from_utf8(message).is_err() {
            out.reject("not-utf8");
            return Flow::Continue;
        }
        self.number += 1;
        let mut digits = itoa::Buffer::new();
        let number = digits.format(self.number).as_bytes();
        match self.language {
            Language::Chinese => out.send_parts(&["第".as_bytes(), number, "條信息:".as_bytes(), message]),
            Language::English => out.send_parts(&[b"Message ", number, b": ", message]),
        }
        Flow::Continue
    }
}
