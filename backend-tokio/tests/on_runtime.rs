//! The conformance kit on existing runtimes.

use std::future::pending;
use std::sync::LazyLock;
use std::thread;

use anyloop_backend_tokio::{OnRuntime, Tokio};
use tokio::runtime::{Builder, Handle, Runtime};

/// A multi-thread runtime.
mod multi_thread {
    use super::*;

    static RUNTIME: LazyLock<Runtime> =
        LazyLock::new(|| Builder::new_multi_thread().enable_io().build().expect("a runtime"));

    fn on_runtime() -> OnRuntime {
        Tokio::on(RUNTIME.handle().clone())
    }

    conformance::tcp_suite!(on_runtime());
}

/// A current-thread runtime, which a thread runs as long as the process lives.
mod current_thread {
    use super::*;

    static RUNTIME: LazyLock<Handle> = LazyLock::new(|| {
        let runtime = Builder::new_current_thread().enable_io().build().expect("a runtime");
        let handle = runtime.handle().clone();
        thread::spawn(move || runtime.block_on(pending::<()>()));
        handle
    });

    fn on_runtime() -> OnRuntime {
        Tokio::on(RUNTIME.clone())
    }

    conformance::tcp_suite!(on_runtime());
}
