//! Calls of the functions that somebody else has written, which may panic.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// What a panic of a hook is passed on as: which hook it was, and what it said.
struct HookPanic(String);

/// Calls a hook. If it panics, the panic goes on, and [`reason`] tells which hook it was.
#[inline]
pub(crate) fn call<T>(name: &str, hook: impl FnOnce() -> T) -> T {
    // The panic goes on, so that nobody looks at what the hook left half done.
    catch_unwind(AssertUnwindSafe(hook)).unwrap_or_else(|panic| passed_on(name, &*panic))
}

#[cold]
fn passed_on(name: &str, panic: &(dyn Any + Send)) -> ! {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let said = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it does not say why");
    resume_unwind(Box::new(HookPanic(format!("the hook `{name}` panicked: {said}"))))
}

/// Why a thread has panicked, if a hook was the reason.
pub(crate) fn reason(panic: &(dyn Any + Send)) -> Option<&str> {
    panic.downcast_ref::<HookPanic>().map(|HookPanic(text)| text.as_str())
}
