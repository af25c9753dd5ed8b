//! `fanout`: sends each message to all clients that have subscribed.

use std::sync::Arc;

use common::{Client, Flow, Group, Handle, Handler, Replies, Session};

use crate::is_exit;

/// Sends each message to all other clients that have said `subscribe`, and answers it with `ok`. Ends on `exit`.
///
/// ```
/// use std::sync::Arc;
///
/// use anyloop::handlers::Fanout;
/// use anyloop::testing::TestClient;
/// use anyloop::{Address, Client, Framing, Service};
///
/// let service = Arc::new(Service::framed(Arc::new(Fanout::default()), Framing::Line));
/// let connect = || TestClient::connect_as(Client::new(Address::Unknown), Arc::clone(&service));
/// let (mut subscriber, mut sender) = (connect(), connect());
/// subscriber.say("subscribe\n");
/// sender.say("news\n");
/// assert_eq!((subscriber.heard().as_str(), sender.heard().as_str()), ("ok\nnews\n", "ok\n"));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Fanout(Arc<Group>);

struct Member {
    subscribers: Arc<Group>,
    client: Handle,
    framed: bool,
}

impl Handler for Fanout {
    fn open(&self, client: &Client, _out: &mut Replies<'_>) -> Box<dyn Session> {
        let (subscribers, framed) = (Arc::clone(&self.0), client.framed);
        Box::new(Member { subscribers, client: client.handle(), framed })
    }
}

impl Session for Member {
    fn message(&mut self, message: &[u8], out: &mut Replies<'_>) -> Flow {
        if is_exit(message, self.framed) {
            return Flow::Close;
        }
        if message == b"subscribe" {
            self.subscribers.join(&self.client);
        } else {
            self.subscribers.send_to_others(&self.client, message);
        }
        out.send(b"ok");
        Flow::Continue
    }
}
