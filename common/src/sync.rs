//! The locks and atomic types that threads share, and the threads. With `--cfg shuttle` they are those of shuttle, whose
//! scheduler tries many interleavings of the threads of a model.

#[cfg(shuttle)]
pub use shuttle::{
    sync::{Condvar, Mutex, MutexGuard, atomic},
    thread, thread_local,
};
#[cfg(not(shuttle))]
pub use std::{
    sync::{Condvar, Mutex, MutexGuard, atomic},
    thread, thread_local,
};

/// A step that other threads may observe, such as a system call. In a model, another thread may run before it.
#[inline]
pub fn step() {
    #[cfg(shuttle)]
    thread::yield_now();
}

/// A waker that unparks this thread of a model.
#[cfg(shuttle)]
pub fn waker_of_this_thread() -> std::task::Waker {
    struct Unpark(thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.unpark();
        }
    }
    std::sync::Arc::new(Unpark(thread::current())).into()
}
