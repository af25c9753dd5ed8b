//! `echo`: returns each message.

use common::{Client, Flow, Handler, Replies, Session};

/// Returns each message. It sends no greeting and never closes the connection, so its cost is the cost of the server.
///
/// ```
/// use std::sync::Arc;
///
/// use anyloop::handlers::Echo;
/// use anyloop::testing::TestClient;
/// use anyloop::{Framing, Service};
///
/// let mut client = TestClient::connect(Service::framed(Arc::new(Echo), Framing::Line));
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
