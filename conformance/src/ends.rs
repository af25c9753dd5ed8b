//! The transforms of both ends of all connections of a variant, and the client's end of one connection.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use common::{Client, MAX_READ, MakeTransform, Opened, Service, Transform};

use crate::transforms::Inverting;

/// The transforms of a variant of the suite: they transform all bytes of all clients, transparently to the cases.
///
/// The default is a simple transform of the kit's own.
#[derive(Clone)]
pub struct Transforms {
    server: MakeTransform,
    client: Arc<dyn Fn() -> Box<dyn Transform> + Send + Sync>,
}

impl Transforms {
    /// `server` and `client` create the transform of one connection at each end.
    pub fn new(
        server: impl Fn(&Client) -> Box<dyn Transform> + Send + Sync + 'static,
        client: impl Fn() -> Box<dyn Transform> + Send + Sync + 'static,
    ) -> Self {
        Self { server: Arc::new(server), client: Arc::new(client) }
    }

    /// Adds the transform of the server to a service.
    pub(crate) fn below(&self, service: Service) -> Service {
        let server = Arc::clone(&self.server);
        service.with_transform(move |client| server(client))
    }

    /// Creates the transform of a client.
    pub(crate) fn of_client(&self) -> Box<dyn Transform> {
        (self.client)()
    }
}

impl Default for Transforms {
    fn default() -> Self {
        Self::new(|_| Box::new(Inverting::of_server()), || Box::new(Inverting::of_client("INVERT")))
    }
}

impl fmt::Debug for Transforms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transforms").finish_non_exhaustive()
    }
}

/// The client's end of a connection, which all handles to the connection share.
#[derive(Clone)]
pub(crate) struct End(Arc<Mutex<State>>);

struct State {
    transform: Box<dyn Transform>,
    /// Received bytes that were not opened yet.
    raw: Vec<u8>,
    /// Sealed bytes that were not sent yet.
    unsent: Vec<u8>,
    /// Whether the server has announced its end.
    has_ended: bool,
    /// Whether this end was announced, or must not be.
    is_closed: bool,
}

impl End {
    /// An end with output that is to be sent first.
    pub(crate) fn new(transform: Box<dyn Transform>) -> Self {
        let (raw, unsent, has_ended, is_closed) = Default::default();
        let end = Self(Arc::new(Mutex::new(State { transform, raw, unsent, has_ended, is_closed })));
        end.open(&[], &mut Vec::new());
        end
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_handshaking(&self) -> bool {
        self.lock().transform.is_handshaking()
    }

    /// Opens received bytes as far as possible. Returns whether the reader has something to send. What another handle has sealed is
    /// left to that one: sent from here, it could come after what that one seals next.
    ///
    /// # Panics
    /// If they are invalid.
    pub(crate) fn open(&self, received: &[u8], plain: &mut Vec<u8>) -> bool {
        let state = &mut *self.lock();
        let unsent = state.unsent.len();
        state.raw.extend_from_slice(received);
        let mut buffer = Vec::with_capacity(MAX_READ);
        while !state.has_ended {
            buffer.clear();
            let used = match state.transform.open(&mut state.raw, &mut buffer, &mut state.unsent) {
                Opened::InPlace { used, plain: at, more } => {
                    buffer.extend_from_slice(&state.raw[at]);
                    (used, more)
                }
                Opened::Plain { used, more } => (used, more),
                Opened::More { used } => (used, false),
                Opened::End => {
                    state.has_ended = true;
                    break;
                }
                Opened::Broken => {
                    panic!("the client can't open {:?}: {:?}", state.raw, state.transform.failure())
                }
            };
            plain.extend_from_slice(&buffer);
            state.raw.drain(..used.0);
            if !used.1 {
                break;
            }
        }
        state.unsent.len() > unsent || self.is_last()
    }

    /// Seals bytes behind those that are unsent.
    pub(crate) fn seal(&self, bytes: &[u8]) {
        let state = &mut *self.lock();
        state.transform.seal(bytes, &mut state.unsent);
    }

    /// Seals the announcement of this end, if there is one, for the first call.
    pub(crate) fn close(&self) {
        let state = &mut *self.lock();
        if state.transform.announces_end() && !std::mem::replace(&mut state.is_closed, true) {
            state.transform.close(&mut state.unsent);
        }
    }

    /// Omits the announcement of this end.
    pub(crate) fn forget(&self) {
        self.lock().is_closed = true;
    }

    /// Whether this is the only handle to the connection.
    pub(crate) fn is_last(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }

    /// Takes what is to be sent.
    pub(crate) fn take_unsent(&self) -> Vec<u8> {
        std::mem::take(&mut self.lock().unsent)
    }

    /// Puts back what could not be sent.
    pub(crate) fn put_back(&self, unsent: &[u8]) {
        self.lock().unsent.splice(..0, unsent.iter().copied());
    }

    /// Whether the server has announced its end.
    pub(crate) fn has_ended(&self) -> bool {
        self.lock().has_ended
    }

    /// Received bytes that were not opened. At the end the announcement is the first of them.
    pub(crate) fn unopened(&self) -> Vec<u8> {
        self.lock().raw.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_handle_has_sealed_is_left_to_it() {
        let end = End::new(Transforms::default().of_client());
        end.take_unsent();
        let other = end.clone();
        other.seal(b"message");
        assert!(!end.open(&[], &mut Vec::new()));
        drop(other);
        assert!(end.open(&[], &mut Vec::new()));
        assert!(!end.take_unsent().is_empty());
    }
}
