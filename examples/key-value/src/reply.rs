//! The encoding of replies.

use std::fmt;

use anyloop::protocol::Outbox;

/// Writes the replies to one command.
pub(crate) struct Reply<'a> {
    out: &'a mut Outbox,
    version: Version,
    /// The longest reply.
    most: usize,
    /// While only the length of a reply is computed: its length so far.
    measured: Option<usize>,
}

/// The version of the protocol that a client speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Version {
    #[default]
    Two,
    Three,
}

impl<'a> Reply<'a> {
    pub(crate) fn new(out: &'a mut Outbox, version: Version, most: usize) -> Self {
        Self { out, version, most, measured: None }
    }

    /// From here on, replies are written in this version.
    pub(crate) fn speak(&mut self, version: Version) {
        self.version = version;
    }

    /// Sends the reply that `write` writes, or an error if it is too long. `write` is called twice, the first time to
    /// compute the length.
    pub(crate) fn bounded(&mut self, write: impl Fn(&mut Self)) {
        self.measured = Some(0);
        write(self);
        let length = self.measured.take().unwrap_or(0);
        if length > self.most {
            let most = self.most;
            return self.error(format_args!(
                "ERR the reply would be {length} bytes long, and may be {most}; ask for less at once"
            ));
        }
        write(self);
    }

    /// A simple string, such as `OK`.
    pub(crate) fn status(&mut self, text: &str) {
        self.push(b"+");
        self.push(text.as_bytes());
        self.push(LINE_END);
    }

    /// An error, which begins with an error code such as `ERR`.
    pub(crate) fn error(&mut self, text: fmt::Arguments<'_>) {
        error(self.out, text);
    }

    /// A whole number.
    pub(crate) fn integer(&mut self, number: i64) {
        self.headed(b":", number);
    }

    /// Bytes.
    pub(crate) fn bulk(&mut self, bytes: &[u8]) {
        self.headed(b"$", bytes.len() as i64);
        self.push(bytes);
        self.push(LINE_END);
    }

    /// Bytes or null.
    pub(crate) fn optional_bulk(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            Some(bytes) => self.bulk(bytes),
            None => self.null(),
        }
    }

    /// A text for display.
    pub(crate) fn text(&mut self, text: &str) {
        match self.version {
            Version::Two => self.bulk(text.as_bytes()),
            Version::Three => {
                self.headed(b"=", text.len() as i64 + 4);
                self.push(b"txt:");
                self.push(text.as_bytes());
                self.push(LINE_END);
            }
        }
    }

    /// Null.
    pub(crate) fn null(&mut self) {
        self.push(match self.version {
            Version::Two => b"$-1\r\n",
            Version::Three => b"_\r\n",
        });
    }

    /// The beginning of an array: `count` replies follow.
    pub(crate) fn array(&mut self, count: usize) {
        self.headed(b"*", count as i64);
    }

    /// The beginning of a set: `count` replies follow.
    pub(crate) fn set(&mut self, count: usize) {
        self.headed(if self.version == Version::Two { b"*" } else { b"~" }, count as i64);
    }

    /// The beginning of a map: `count` pairs of replies follow.
    pub(crate) fn map(&mut self, count: usize) {
        match self.version {
            Version::Two => self.array(2 * count),
            Version::Three => self.headed(b"%", count as i64),
        }
    }

    fn headed(&mut self, kind: &[u8; 1], number: i64) {
        self.push(kind);
        self.push(itoa::Buffer::new().format(number).as_bytes());
        self.push(LINE_END);
    }

    fn push(&mut self, bytes: &[u8]) {
        match &mut self.measured {
            Some(length) => *length += bytes.len(),
            None => self.out.push(bytes),
        }
    }
}

/// An error, which is the same in both versions.
pub(crate) fn error(out: &mut Outbox, text: fmt::Arguments<'_>) {
    out.push(b"-");
    let _ = fmt::Write::write_fmt(out, text); // an outbox takes or counts everything
    out.push(LINE_END);
}

const LINE_END: &[u8] = b"\r\n";
