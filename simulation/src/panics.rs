//! Panics of the user's code on purpose: of each call of a codec, and of what the closures of a service capture. All others are
//! violations.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, panic_any};
use std::sync::{Arc, Once};

use common::{Codec, Decoded, ErrorReply, Outbox};

use crate::session::Shared;
use crate::world::Checked;

/// The payload of panics on purpose.
pub(crate) struct OnPurpose;

thread_local! {
    /// Whether the next panic is one that the core must cause.
    pub(crate) static EXPECTED: Cell<bool> = const { Cell::new(false) };
    /// Whether a part of a run is called.
    static IS_RUNNING: Cell<bool> = const { Cell::new(false) };
    /// The first panic in it that was not on purpose.
    static FAULT: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Calls a part of a run. A panic in it that was not on purpose is a violation, also if the server has caught it; and so is one
/// on purpose that the server has not caught.
pub(crate) fn caught<T>(part: impl FnOnce() -> Checked<T>) -> Checked<T> {
    record_panics();
    EXPECTED.set(false);
    IS_RUNNING.set(true);
    let returned = catch_unwind(AssertUnwindSafe(part));
    IS_RUNNING.set(false);
    match (FAULT.take(), returned) {
        (Some(fault), _) => Err(fault),
        (None, Ok(checked)) => checked,
        (None, Err(_)) => Err("a panic of the application was not caught".into()),
    }
}

/// From now on, panics in a run are recorded instead of printed.
fn record_panics() {
    static RECORDED: Once = Once::new();
    RECORDED.call_once(|| {
        let others = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !IS_RUNNING.get() {
                others(panic);
            } else if !is_on_purpose(panic) {
                FAULT.with_borrow_mut(|fault| {
                    fault.get_or_insert_with(|| text(panic));
                });
            }
        }));
    });
}

/// Whether a panic was caused by the simulation.
fn is_on_purpose(panic: &PanicHookInfo<'_>) -> bool {
    EXPECTED.take() || panic.payload().is::<OnPurpose>()
}

fn text(panic: &PanicHookInfo<'_>) -> String {
    let place = panic.location().map_or_else(|| "an unknown place".into(), ToString::to_string);
    format!("a panic at {place}: {}", panic.payload_as_str().unwrap_or("its payload is no text"))
}

impl Shared {
    /// Panics if the tape says so, for a client. With `loses_output`, output that was not sealed may be lost.
    pub(crate) fn may_panic(&self, client: usize, loses_output: bool) {
        if self.is_at_fault(client, loses_output) {
            panic_any(OnPurpose);
        }
    }

    /// Whether code for a client is at fault now: it panics, or says that it has used more input than there is, which counts as
    /// a panic.
    pub(crate) fn is_at_fault(&self, client: usize, loses_output: bool) -> bool {
        let is_at_fault = client != usize::MAX && self.chance(self.options.faults.panics);
        if is_at_fault {
            let account = &mut self.book().clients[client];
            account.has_panicked = true;
            account.may_lose_output |= loses_output;
        }
        is_at_fault
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_violation_unless_it_was_on_purpose_and_caught() {
        let fault = |part: fn()| {
            caught(|| {
                part();
                Ok(())
            })
        };
        let on_purpose = || drop(catch_unwind(|| panic_any(OnPurpose)));
        assert_eq!(fault(on_purpose), Ok(()));
        assert_eq!(fault(|| panic_any(OnPurpose)), Err("a panic of the application was not caught".into()));
        for part in [|| panic!("number {}", 1), || drop(catch_unwind(|| panic!("number {}", 1)))] {
            let violation = fault(part).expect_err("it panics");
            assert!(violation.starts_with("a panic at ") && violation.ends_with(": number 1"), "{violation}");
        }
        assert_eq!(fault(on_purpose), Ok(()));
    }
}
