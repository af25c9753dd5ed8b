//! Messages to all who have subscribed to a channel, also in other processes.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{Group, Handle, guarded};

/// Carries messages between groups of clients, in this process and in others. A channel has a name, and exists while anybody
/// has subscribed to it.
///
/// [`LocalExchange`] is the exchange of one process. A service that is written for any exchange runs in one process or in many:
///
/// ```
/// use std::collections::HashMap;
/// use std::sync::{Arc, Mutex};
///
/// use anyloop::{Exchange, Group, Handle, LocalExchange, PublishError, Subscription};
///
/// /// A chat. A room is a group here, and a channel to the members in other processes.
/// struct Rooms {
///     exchange: Arc<dyn Exchange>,
///     open: Mutex<HashMap<String, (Arc<Group>, Subscription)>>,
/// }
///
/// impl Rooms {
///     fn join(&self, room: &str, client: &Handle) {
///         let mut open = self.open.lock().expect("no panic");
///         let (members, _) = open.entry(room.to_owned()).or_insert_with(|| {
///             let members = Arc::new(Group::new());
///             (Arc::clone(&members), self.exchange.subscribe(room, members))
///         });
///         members.join(client);
///     }
///
///     fn say(&self, room: &str, client: &Handle, line: &str) -> Result<(), PublishError> {
///         self.exchange.publish_to_others(client, room, line.as_bytes().into())
///     }
/// }
///
/// let rooms = Rooms { exchange: Arc::new(LocalExchange::new()), open: Mutex::default() };
/// # assert!(rooms.exchange.is_ready() && rooms.open.lock().unwrap().is_empty());
/// ```
///
/// # Guarantees
/// - **At most once.** A subscriber receives a message once or not at all. What is published while a process has no connection
///   to the others is not delivered later.
/// - **Order.** Each subscriber, in whichever process it is, receives the messages that one thread publishes in the order of its
///   calls, on all channels. Messages of different threads may reach different subscribers in different orders.
/// - **This process** hears a message once, before the call returns, and whether or not it can be sent to the others.
/// - **Bounds.** Publishing never blocks. What waits to be sent to other processes is bounded.
pub trait Exchange: Send + Sync + fmt::Debug {
    /// Publishes a message to all subscribers of a channel.
    ///
    /// # Errors
    /// If the message is not sent to other processes. The subscribers in this process have received it nevertheless, so
    /// they would receive it twice if it were published again.
    fn publish(&self, channel: &str, message: Arc<[u8]>) -> Result<(), PublishError>;

    /// Like [`publish`](Self::publish), in the name of a client of this process. A [`Group`] that has subscribed sends the message
    /// to its members except `client`.
    ///
    /// # Errors
    /// Those of [`publish`](Self::publish).
    fn publish_to_others(
        &self,
        client: &Handle,
        channel: &str,
        message: Arc<[u8]>,
    ) -> Result<(), PublishError>;

    /// Subscribes to a channel, until the [`Subscription`] is dropped. Messages of this process are received from now on, those
    /// of other processes as soon as they know of the subscription.
    fn subscribe(&self, channel: &str, subscriber: Arc<dyn Subscriber>) -> Subscription;

    /// Whether messages can be exchanged with other processes now.
    fn is_ready(&self) -> bool;
}

/// The reason why a message is not sent to other processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PublishError {
    /// The messages that wait to be sent leave no room for this one.
    Full,
    /// There is no connection to the other processes.
    Unreachable,
}

impl fmt::Display for PublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "other processes don't get the message: too many wait to be sent",
            Self::Unreachable => "other processes don't get the message: there is no connection to them",
        })
    }
}

impl Error for PublishError {}

/// Who receives the messages of a channel: a [`Group`], or a closure that is passed each message.
pub trait Subscriber: Send + Sync {
    /// Receives a message. `except` is the client that has published it, if that is a client of this process that is to be left
    /// out.
    ///
    /// It is called by the thread that publishes, or by the thread that receives the messages of all other processes: a call that
    /// takes long delays these. It may publish. A panic is caught.
    fn receive(&self, message: &Arc<[u8]>, except: Option<&Handle>);
}

impl Subscriber for Group {
    fn receive(&self, message: &Arc<[u8]>, except: Option<&Handle>) {
        match except {
            Some(client) => self.send_to_others(client, Arc::clone(message)),
            None => self.send(Arc::clone(message)),
        };
    }
}

impl<F: Fn(&Arc<[u8]>) + Send + Sync> Subscriber for F {
    fn receive(&self, message: &Arc<[u8]>, _except: Option<&Handle>) {
        self(message);
    }
}

/// A subscription to a channel, which ends when it is dropped. A message that is published at that moment may still be
/// received.
#[must_use = "dropping it ends the subscription"]
pub struct Subscription(Option<Box<dyn FnOnce() + Send + Sync>>);

impl Subscription {
    /// A subscription of an exchange of your own, which is ended by `unsubscribe`.
    pub fn new(unsubscribe: impl FnOnce() + Send + Sync + 'static) -> Self {
        Self(Some(Box::new(unsubscribe)))
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if let Some(unsubscribe) = self.0.take() {
            unsubscribe();
        }
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").finish_non_exhaustive()
    }
}

/// The exchange of one process: it delivers each message to its subscribers, and never fails. Clones are the same exchange.
///
/// ```
/// use std::sync::{Arc, mpsc::channel};
///
/// use anyloop::{Exchange, LocalExchange};
///
/// let exchange = LocalExchange::new();
/// let (sender, received) = channel();
/// let subscription = exchange.subscribe("news", Arc::new(move |news: &Arc<[u8]>| drop(sender.send(news.clone()))));
/// exchange.publish("news", (*b"rain").into())?;
/// assert_eq!(*received.recv().expect("a message"), *b"rain");
/// drop(subscription);
/// exchange.publish("news", (*b"more rain").into())?;
/// assert!(received.recv().is_err());
/// # Ok::<(), anyloop::PublishError>(())
/// ```
#[derive(Clone, Default)]
pub struct LocalExchange(Arc<Mutex<Channels>>);

#[derive(Default)]
struct Channels {
    /// Each list is replaced when it changes, so that it can be lent to those who publish.
    subscribers: BTreeMap<String, Arc<[Entry]>>,
    next_id: u64,
}

type Entry = (u64, Arc<dyn Subscriber>);

impl LocalExchange {
    /// An exchange without subscribers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether anybody has subscribed to a channel.
    pub fn has_subscribers(&self, channel: &str) -> bool {
        self.channels().subscribers.contains_key(channel)
    }

    /// The channels to which anybody has subscribed.
    pub fn subscribed_channels(&self) -> Vec<String> {
        self.channels().subscribers.keys().cloned().collect()
    }

    fn deliver(&self, channel: &str, message: &Arc<[u8]>, except: Option<&Handle>) {
        let subscribers = self.channels().subscribers.get(channel).cloned(); // user code runs outside the lock
        for (_, subscriber) in subscribers.iter().flat_map(|list| list.iter()) {
            guarded(|| subscriber.receive(message, except));
        }
        guarded(|| drop(subscribers));
    }

    fn unsubscribe(&self, channel: &str, id: u64) {
        let mut channels = self.channels();
        let removed = channels.subscribers.remove(channel);
        let others: Arc<[Entry]> =
            removed.iter().flat_map(|list| list.iter()).filter(|(other, _)| *other != id).cloned().collect();
        if !others.is_empty() {
            channels.subscribers.insert(channel.to_owned(), others);
        }
        drop(channels);
        guarded(|| drop(removed)); // outside the lock, since it is a user's destructor
    }

    fn channels(&self) -> MutexGuard<'_, Channels> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Exchange for LocalExchange {
    fn publish(&self, channel: &str, message: Arc<[u8]>) -> Result<(), PublishError> {
        self.deliver(channel, &message, None);
        Ok(())
    }

    fn publish_to_others(
        &self,
        client: &Handle,
        channel: &str,
        message: Arc<[u8]>,
    ) -> Result<(), PublishError> {
        self.deliver(channel, &message, Some(client));
        Ok(())
    }

    fn subscribe(&self, channel: &str, subscriber: Arc<dyn Subscriber>) -> Subscription {
        let mut channels = self.channels();
        let id = channels.next_id;
        channels.next_id += 1;
        let list = channels.subscribers.entry(channel.to_owned()).or_default();
        *list = list.iter().cloned().chain([(id, subscriber)]).collect();
        drop(channels);
        let (exchange, channel) = (self.clone(), channel.to_owned());
        Subscription::new(move || exchange.unsubscribe(&channel, id))
    }

    fn is_ready(&self) -> bool {
        true
    }
}

impl fmt::Debug for LocalExchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let channels = self.channels().subscribers.len();
        f.debug_struct("LocalExchange").field("channels", &channels).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
