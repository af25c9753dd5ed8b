//! A codec whose calls may panic.

use std::fmt;
use std::sync::Arc;

use common::{Codec, Decoded, ErrorReply, Outbox};

use crate::session::Shared;

/// A codec of a client, each call of which panics if the tape says so.
pub(crate) struct Panicking<C> {
    codec: C,
    shared: Arc<Shared>,
    client: usize,
}

impl<C: Codec> Panicking<C> {
    pub(crate) fn new(make: impl FnOnce() -> C, shared: &Arc<Shared>, client: usize) -> Self {
        shared.may_panic(client, false);
        Self { codec: make(), shared: Arc::clone(shared), client }
    }

    fn may_panic(&self) {
        self.shared.may_panic(self.client, false);
    }
}

impl<C: Codec> Codec for Panicking<C> {
    fn decode(&mut self, input: &mut [u8]) -> Decoded {
        self.may_panic();
        self.codec.decode(input)
    }

    fn finish(&mut self, input: &mut [u8]) -> Decoded {
        self.may_panic();
        self.codec.finish(input)
    }

    fn begin(&self, out: &mut Outbox) {
        self.may_panic();
        self.codec.begin(out);
    }

    fn end(&self, start: usize, out: &mut Outbox) {
        self.may_panic();
        self.codec.end(start, out);
    }

    fn error(&self, error: &ErrorReply, out: &mut Outbox) {
        self.may_panic();
        self.codec.error(error, out);
    }

    fn error_text(&self, text: fmt::Arguments<'_>, out: &mut Outbox) {
        self.may_panic();
        self.codec.error_text(text, out);
    }

    fn framed(&self) -> bool {
        self.codec.framed()
    }
}

impl<C> Drop for Panicking<C> {
    fn drop(&mut self) {
        self.shared.may_panic_in_destructor(self.client);
    }
}
