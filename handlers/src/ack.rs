//! `ack`: acknowledges the messages.

use common::{Client, Flow, Handler, Replies, Session};

use crate::is_exit;

/// Greets with `Hello World!`, answers each message with a random number from 1 to 1000 and `:ACK!`, and
/// ends on `exit`.
///
/// ```
/// use std::sync::Arc;
///
/// use anyloop::handlers::Ack;
/// use anyloop::testing::TestClient;
/// use anyloop::{Framing, Service};
///
/// let mut client = TestClient::connect(Service::framed(Arc::new(Ack), Framing::Line));
/// client.say("hello\n");
/// let heard = client.heard();
/// assert!(heard.starts_with("Hello World!\n") && heard.ends_with(":ACK!\n"));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Ack;

struct Acknowledging {
    framed: bool,
}

impl Handler for Ack {
    fn open(&self, client: &Client, out: &mut Replies<'_>) -> Box<dyn Session> {
        out.send(b"Hello World!");
        Box::new(Acknowledging { framed: client.framed })
    }
}

impl Session for Acknowledging {
    fn message(&mut self, message: &[u8], out: &mut Replies<'_>) -> Flow {
        if is_exit(message, self.framed) {
            return Flow::Close;
        }
        if std::str::from_utf8(message).is_err() {
            out.reject("not-utf8");
            return Flow::Continue;
        }
        let mut digits = itoa::Buffer::new();
        out.send_parts(&[digits.format(fastrand::u16(1..=1000)).as_bytes(), b":ACK!"]);
        Flow::Continue
    }
}
