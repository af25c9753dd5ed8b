//! Panics of the user's code: of each call of a codec, and of what the closures of a service capture.

use std::cell::Cell;
use std::fmt;
use std::panic::{PanicHookInfo, panic_any};
use std::sync::Arc;

use common::{Codec, Decoded, ErrorReply, Outbox};

use crate::session::Shared;

/// The payload of panics on purpose.
pub(crate) struct OnPurpose;

thread_local! {
    /// Whether the next panic is one that the core must cause.
    pub(crate) static EXPECTED: Cell<bool> = const { Cell::new(false) };
}

/// Whether a panic was caused by the simulation.
pub(crate) fn is_on_purpose(panic: &PanicHookInfo<'_>) -> bool {
    EXPECTED.take() || panic.payload().is::<OnPurpose>()
}

impl Shared {
    /// Panics if the tape says so, for a client. With `loses_output`, output that was not sealed may be lost.
    pub(crate) fn may_panic(&self, client: usize, loses_output: bool) {
        if client != usize::MAX && self.chance(self.options.faults.panics) {
            let account = &mut self.book().clients[client];
            account.has_panicked = true;
            account.may_lose_output |= loses_output;
            panic_any(OnPurpose);
        }
    }

    /// The same in a destructor. A second panic while one is handled would abort the process.
    pub(crate) fn may_panic_in_destructor(&self, client: usize) {
        if !std::thread::panicking() {
            self.may_panic(client, false);
        }
    }

    /// The same when the service is dropped.
    pub(crate) fn may_panic_at_the_end(&self) {
        if self.chance(self.options.faults.panics) && !std::thread::panicking() {
            panic_any(OnPurpose);
        }
    }
}

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

/// What the closures of the service capture.
pub(crate) struct Captured(pub(crate) Arc<Shared>);

impl Drop for Captured {
    fn drop(&mut self) {
        self.0.may_panic_at_the_end();
    }
}
