//! `echo`: says everything back.

use common::{Client, Flow, Handler, Replies, Session};

/// Says every message back. It greets nobody and ends for nobody: what it costs is what the server costs.
///
/// ```
/// use std::sync::Arc;
///
/// use anyloop::handlers::Echo;
/// use anyloop::testing::Client;
/// use anyloop::{Framing, Service};
///
/// let mut client = Client::connect(Service::framed(Arc::new(Echo), Framing::Line));
/// client.say("hello\n");
/// assert_eq!(client.heard(), "hello\n");
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Echo;

impl Handler for Echo {
    fn open(&self, _client: &Client, _out: &mut Replies<'_>) -> Box<dyn Session> {
        Box::new(Self)
    }
}

impl Session for Echo {
    fn message(&mut self, message: &[u8], out: &mut Replies<'_>) -> Flow {
        out.send(message);
        Flow::Continue
    }
}
