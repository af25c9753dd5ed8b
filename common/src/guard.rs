//! Catches panics of user code, so that they end only one conversation.

use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Calls user code, which may be a destructor. Returns `None` if it panicked.
pub fn guarded<T>(call: impl FnOnce() -> T) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(value) => Some(value),
        Err(payload) => {
            // The payload of a panic is a user's value too, and its destructor may panic.
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
                std::mem::forget(payload);
            }
            None
        }
    }
}

/// A user's value, such as a closure with what it captures, whose destructor may panic, on whichever thread is the last to
/// have it.
pub(crate) struct Guarded<T>(Option<T>);

impl<T> Guarded<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Some(value))
    }
}

impl<T> Deref for Guarded<T> {
    type Target = T;

    fn deref(&self) -> &T {
        let Some(value) = &self.0 else { panic!("the value was dropped") };
        value
    }
}

impl<T> Drop for Guarded<T> {
    fn drop(&mut self) {
        let value = self.0.take();
        if canary!("lets a panic of a captured value escape") {
            return drop(value);
        }
        let _ = guarded(move || drop(value));
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{panic_any, resume_unwind};

    use super::*;

    struct PanicsWhenDropped;

    impl Drop for PanicsWhenDropped {
        fn drop(&mut self) {
            panic_any(Self);
        }
    }

    #[test]
    fn a_panic_is_caught_whatever_it_carries() {
        assert_eq!(guarded(|| 1), Some(1));
        assert_eq!(guarded(|| -> u8 { panic_any("text") }), None);
        assert_eq!(guarded(|| -> u8 { resume_unwind(Box::new(PanicsWhenDropped)) }), None);
        assert_eq!(guarded(|| drop(PanicsWhenDropped)), None);
    }
}
