//! What comes before a conversation: a preamble, and a check of the first input of clients without one.

use std::sync::Arc;

use common::{Address, Client, ErrorReply, Preamble, PreambleProgress};

use crate::book::{Book, text};
use crate::session::{Shared, number};

/// Which clients send a preamble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Preambles {
    /// None, and the service reads none.
    None,
    All,
    /// Every third one.
    Some,
}

/// How the preamble of a client is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    Line,
    /// The client sends none, which is known before any input.
    Nothing,
    /// The client sends none, which its first input shows.
    Peek,
}

impl Preambles {
    /// How the preamble of this client is read, if the service reads any.
    pub(crate) fn reading(self, client: usize) -> Option<Reading> {
        match self {
            Self::None => None,
            Self::All => Some(Reading::Line),
            Self::Some => Some([Reading::Nothing, Reading::Peek, Reading::Line][client % 3]),
        }
    }

    /// Whether this client sends one.
    pub(crate) fn is_sent(self, client: usize) -> bool {
        self.reading(client) == Some(Reading::Line)
    }
}

/// A line with the number of the client, which replaces the port of its address.
pub(crate) struct Number {
    shared: Arc<Shared>,
    client: usize,
}

impl Number {
    /// The preamble of the client whose connection does something now.
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        let client = shared.book().current;
        shared.may_panic(client, true);
        Self { shared: Arc::clone(shared), client }
    }
}

impl Drop for Number {
    fn drop(&mut self) {
        self.shared.may_panic_in_destructor(self.client);
    }
}

/// Appends the preamble of a client.
pub(crate) fn encode(client: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("N{client}\n").as_bytes());
}

impl Preamble for Number {
    fn receive(&mut self, input: &[u8], _client: &mut Client) -> PreambleProgress {
        self.shared.may_panic(self.client, false);
        if self.shared.is_at_fault(self.client, false) {
            return PreambleProgress::More { used: input.len() + 1 };
        }
        match self.shared.options.preamble.reading(self.client) {
            Some(Reading::Peek) if input.is_empty() => return PreambleProgress::More { used: 0 },
            Some(Reading::Nothing | Reading::Peek) => return PreambleProgress::Done { used: 0 },
            Some(Reading::Line) | None => {}
        }
        let Some(end) = input.iter().position(|&byte| byte == b'\n') else {
            let is_valid = input.first().is_none_or(|&byte| byte == b'N') && !input.contains(&b'!');
            return if is_valid { PreambleProgress::More { used: 0 } } else { broken() };
        };
        let mut expected = Vec::new();
        encode(self.client, &mut expected);
        if input[..=end] == expected { PreambleProgress::Done { used: end + 1 } } else { broken() }
    }
}

fn broken() -> PreambleProgress {
    PreambleProgress::Broken(ErrorReply::malformed("number"))
}

/// Checks the first input of a client. Some are refused.
pub(crate) fn check_first_input(shared: &Shared, peer: &Address, input: &[u8]) -> Result<(), ErrorReply> {
    let client = number(peer);
    shared.book().checked(client, input);
    shared.may_panic(client, false);
    if shared.chance(64) {
        shared.book().clients[client].is_refused_after_check = true;
        return Err(ErrorReply::malformed("first input"));
    }
    Ok(())
}

impl Book {
    /// The first input of a client is checked: what one read has returned, or what a preamble has left.
    pub(crate) fn checked(&mut self, client: usize, input: &[u8]) {
        let account = &mut self.clients[client];
        let is_due = account.input.is_to_be_checked && !std::mem::replace(&mut account.is_checked, true);
        let start = &account.input.start[..input.len().min(account.input.start.len())];
        let is_first = !input.is_empty() && input.starts_with(start);
        self.check(client, is_due && is_first, || {
            format!("{} is checked, and is not its first input", text(input))
        });
    }

    /// Input is passed on, which is to be checked before.
    pub(crate) fn check_checked(&mut self, client: usize, input: &[u8]) {
        let Some(account) = self.clients.get(client) else { return };
        let was_checked = account.is_checked || !account.input.is_to_be_checked;
        let is_refused = account.is_refused_after_check;
        self.check(client, was_checked || input.is_empty(), || {
            "its first input was passed on before it was checked".into()
        });
        self.check(client, !is_refused, || "it continues after its first input was refused".into());
    }
}
